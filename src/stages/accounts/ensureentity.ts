// What an entity makes of its line. Where the originals lose something (numbers, ages of passwords, hashes that fit),
// the line keeps it; where they leave a hole (uid 0, a group without a number), a number is found.

import { HoldfastError } from '../../system/errors.ts';
import { type AccountDatabase, splitNames } from './database.ts';
import type { Entity, GroupEntity, GshadowEntity, ShadowEntity, UserEntity } from './entity.ts';
import { checkField, checkName } from './fields.ts';
import { findGroup, groupOfId } from './group.ts';
import { freeGid, freeUid, ORDINARY } from './ids.ts';
import { LOCKED, passwordField } from './passwordfield.ts';
import { DEFAULT_INFO } from './user.ts';

type Warn = (text: string) => void;

/** Of which file a kind is a line. */
export const FILE_OF_KIND = { user: 'passwd', shadow: 'shadow', group: 'group', gshadow: 'gshadow' } as const;

/** The files that must be there; yip makes only gshadow. */
const MADE_WHEN_MISSING = 'gshadow';

/**
 * Writes the line of an entity.
 * @param today days since 1970.
 * @throws HoldfastError HF-CONFIG when it can't be a line; the database is then as it was.
 */
export function ensureEntity(database: AccountDatabase, entity: Entity, today: number, warn: Warn): void {
  checkName(entity.name, entity.kind === 'user' || entity.kind === 'shadow' ? 'user' : 'group');
  for (const [field, value] of Object.entries(entity.values)) {
    // A plain text password may hold anything: it is hashed.
    if (typeof value === 'string' && !(entity.kind === 'shadow' && field === 'password')) checkField(value, field);
  }
  const file = FILE_OF_KIND[entity.kind];
  if (file !== MADE_WHEN_MISSING) database.existing(file);
  switch (entity.kind) {
    case 'user':
      ensureUserLine(database, entity.name, entity.values, warn);
      break;
    case 'shadow':
      ensureShadowLine(database, entity.name, entity.values, today, warn);
      break;
    case 'group':
      ensureGroupLine(database, entity.name, entity.values, warn);
      break;
    case 'gshadow':
      ensureGshadowLine(database, entity.name, entity.values);
      break;
  }
}

/** Takes out the lines of an entity's name; other fields need not be the same. Nothing happens when there are none. */
export function deleteEntity(database: AccountDatabase, entity: Entity): void {
  const file = FILE_OF_KIND[entity.kind];
  if (database.has(file)) database.table(file).remove(entity.name);
}

function ensureUserLine(database: AccountDatabase, name: string, values: UserEntity, warn: Warn): void {
  const old = database.user(name);
  const gid = chooseGid(database, name, values, old?.gid, warn);
  const uid = chooseUid(database, name, values, old?.uid, warn);
  if (old === undefined && values.password === undefined) warn(`user ${name}: no password is given, "x" is written`);
  const info = values.info || (old === undefined || values.info === '' ? DEFAULT_INFO : undefined);
  const password = values.password ?? (old === undefined ? 'x' : undefined);
  database.table('passwd').put([name, password, String(uid), String(gid), info, values.homedir, values.shell]);
}

function chooseUid(
  database: AccountDatabase,
  name: string,
  { uid }: UserEntity,
  old: number | undefined,
  warn: Warn,
): number {
  if (uid !== undefined && uid >= 0) {
    const other = database.users().find((user) => user.uid === uid && user.name !== name);
    if (other !== undefined && uid !== old) warn(`user ${name}: the number ${uid} is also ${other.name}'s`);
    return uid;
  }
  if (old !== undefined && !Number.isNaN(old)) return old;
  const free = freeUid(database, ORDINARY, new Set());
  if (free === undefined) throw new HoldfastError('HF-CONFIG', 'no user number is free');
  if (uid === undefined) warn(`user ${name}: no uid is given, ${free} is used; the originals make it 0, that is root`);
  return free;
}

function chooseGid(
  database: AccountDatabase,
  name: string,
  { gid, group }: UserEntity,
  old: number | undefined,
  warn: Warn,
): number {
  if (group) {
    const found = findGroup(database, group);
    if (found !== undefined && !Number.isNaN(found.gid)) return found.gid;
    // yip writes what `gid` says, and 0 when it says nothing.
    warn(`user ${name}: the group ${group} isn't there; ensure it first`);
  }
  if (gid !== undefined && gid >= 0) return gid;
  if (old !== undefined && !Number.isNaN(old)) return old;
  const own = database.group(name)?.gid;
  const free = own !== undefined && !Number.isNaN(own) ? own : freeGid(database, ORDINARY);
  if (free === undefined) throw new HoldfastError('HF-CONFIG', 'no group number is free');
  if (gid === undefined)
    warn(`user ${name}: no gid is given, ${free} is used; the originals make it 0, that is root's`);
  return free;
}

/** In the order of the line. */
const AGES = ['minimum_changed', 'maximum_changed', 'warn', 'inactive', 'expire', 'reserved'] as const;

function ensureShadowLine(
  database: AccountDatabase,
  name: string,
  values: ShadowEntity,
  today: number,
  warn: Warn,
): void {
  for (const field of ['last_changed', ...AGES] as const) {
    const value = values[field] ?? '';
    if (/^\d*$/.test(value) || field === 'reserved' || (field === 'last_changed' && value === 'now')) continue;
    throw new HoldfastError('HF-CONFIG', `${field} must be a number of days, not ${JSON.stringify(value)}`);
  }
  const old = database.table('shadow').find(name);
  const current = old?.[1];
  if (old === undefined && values.password === undefined) {
    warn(`shadow ${name}: no password is given, so none opens it (password: "" would mean that none is needed)`);
  }
  const field = newField(values.password, current);
  // yip: an empty field keeps what the line holds (entities v0.8.3; before, it wiped it).
  const kept = (value: string | undefined) => value || undefined;
  database
    .table('shadow')
    .put([name, field, lastChanged(values, old, field !== current, today), ...AGES.map((age) => kept(values[age]))]);
}

function newField(password: string | undefined, current: string | undefined): string {
  if (password === undefined || (password === '' && current !== undefined)) return current ?? LOCKED;
  return passwordField(password, current);
}

/** `now` is the day on which the password changed, and not the day of the last boot. */
function lastChanged(
  { last_changed: wanted, password }: ShadowEntity,
  old: readonly string[] | undefined,
  changed: boolean,
  today: number,
): string | undefined {
  if (!wanted) return undefined;
  if (wanted !== 'now') return wanted;
  return !changed && password && old?.[2] ? undefined : String(today);
}

function ensureGroupLine(
  database: AccountDatabase,
  name: string,
  { gid, password, users = '' }: GroupEntity,
  warn: Warn,
): void {
  const members = splitNames(users);
  for (const member of members) checkName(member, 'user');
  const old = database.group(name);
  const known = old === undefined || Number.isNaN(old.gid) ? undefined : old.gid;
  const chosen = gid !== undefined && gid >= 0 ? gid : (known ?? ownOrFreeGid(database, name));
  if (gid === undefined && known === undefined) warn(`group ${name}: no gid is given, ${chosen} is used`);
  const other = groupOfId(database, chosen);
  if (other !== undefined && other.name !== name && chosen !== known) {
    warn(`group ${name}: the number ${chosen} is also the group ${other.name}'s`);
  }
  const all = [...new Set([...(old?.members ?? []), ...members])].join(',');
  database.table('group').put([name, password || undefined, String(chosen), all]);
}

/** A user who was made first has its group's number already. */
function ownOrFreeGid(database: AccountDatabase, name: string): number {
  const own = database.has('passwd') ? database.user(name)?.gid : undefined;
  const isOwn = own !== undefined && own >= ORDINARY.first && groupOfId(database, own) === undefined;
  const gid = isOwn ? own : freeGid(database, ORDINARY);
  if (gid === undefined) throw new HoldfastError('HF-CONFIG', 'no group number is free');
  return gid;
}

function ensureGshadowLine(database: AccountDatabase, name: string, values: GshadowEntity): void {
  const known = database.table('gshadow').find(name) !== undefined;
  const names = (text: string | undefined) => (text === undefined ? undefined : splitNames(text).join(','));
  const password = values.password ?? (known ? undefined : LOCKED);
  database.table('gshadow').put([name, password, names(values.administrators), names(values.members)]);
}
