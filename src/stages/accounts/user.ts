// One user of the step key `users`: made when it is missing, brought closer to what is asked when it is there. Pure but
// for a look at the home directory, since it may run twice; everything that can fail is decided before anything changes.

import { HoldfastError } from '../../system/errors.ts';
import type { Root } from '../../system/root.ts';
import { type AccountDatabase, splitNames } from './database.ts';
import type { UserDefaults } from './defaults.ts';
import { checkField, checkName } from './fields.ts';
import { addMember, createGroup, findGroup } from './group.ts';
import { freeGid, freeUid, ORDINARY, parseId, SYSTEM } from './ids.ts';
import { LOCKED, lock, passwordField } from './passwordfield.ts';
import { choosePrimaryGroup } from './primarygroup.ts';
import type { UserRequest } from './userrequest.ts';

/** What a user is made in. */
export interface Surroundings {
  root: Root;
  defaults: UserDefaults;
  /** Days since 1970. */
  today: number;
  /** Numbers that a new user gets only when it asks for them. */
  reservedUids: () => ReadonlySet<number>;
}

/** A directory that is to be made, or given to its user. */
export interface Home {
  path: string;
  uid: number;
  gid: number;
}

export interface EnsuredUser {
  warnings: readonly string[];
  home?: Home;
}

/** yip's entities: what stands in passwd when nobody says who this is. */
export const DEFAULT_INFO = 'Created by entities';

/** Owner of files whose owner the kernel can't name. */
const NOBODY = 65_534;

/**
 * Makes sure that a user is there.
 * @throws HoldfastError when it can't be; the database is then as it was.
 */
export function ensureUser(
  database: AccountDatabase,
  name: string,
  wanted: UserRequest,
  around: Surroundings,
): EnsuredUser {
  checkName(name, 'user');
  database.existing('passwd');
  database.existing('group');
  const groups = (wanted.groups ?? []).flatMap(splitNames);
  for (const group of groups) checkName(group, 'group');
  for (const key of ['gecos', 'homedir', 'shell'] as const) checkField(wanted[key] ?? '', `the ${key} of ${name}`);
  if (wanted.homedir && !wanted.homedir.startsWith('/')) {
    throw new HoldfastError('HF-CONFIG', `the homedir of ${name} must be an absolute path, not ${wanted.homedir}`);
  }
  const subordinates = (['subuid', 'subgid'] as const).map((file) => ({ file, range: parseRange(wanted[file], file) }));

  const warnings: string[] = [];
  const warn = (text: string) => warnings.push(`user ${name}: ${text}`);
  if (wanted.name && wanted.name !== name) warn(`"name: ${wanted.name}" has no effect, the key is the name`);
  const home =
    database.user(name) === undefined
      ? createUser(database, name, wanted, around, warn)
      : updateUser(database, name, wanted, around, warn);
  for (const group of groups) joinGroup(database, group, name, wanted, warn);
  for (const { file, range } of subordinates) if (range) addRange(database, file, name, range, warn);
  return { warnings, ...(home && { home }) };
}

function createUser(
  database: AccountDatabase,
  name: string,
  wanted: UserRequest,
  around: Surroundings,
  warn: (text: string) => void,
): Home | undefined {
  const { root, defaults, today } = around;
  const range = wanted.system ? SYSTEM : ORDINARY;
  const path = wanted.homedir || `${defaults.base}/${name}`;
  const stats = root.stat(path);
  const owner = stats?.isDirectory() ? { uid: stats.uid, gid: stats.gid } : undefined;

  const field = newPassword(wanted, warn);
  const uid = chooseUid(database, wanted, owner?.uid, range, around, warn);
  const ownHome = owner?.uid === uid;
  const group = choosePrimaryGroup(database, name, wanted, {
    defaults,
    range,
    // A home that outlived its user keeps both of its numbers.
    preferredGid: ownHome ? owner.gid : undefined,
    warn,
  });

  if (group.created) createGroup(database, name, group.gid, [name]);
  else if (group.member !== undefined) addMember(database, group.member, name);
  const info = wanted.gecos || DEFAULT_INFO;
  const shell = wanted.shell || defaults.shell;
  database.table('passwd').put([name, 'x', String(uid), String(group.gid), info, path, shell]);
  database.table('shadow').put([name, field, String(today), '', '', '', '', '', '']);

  if (wanted.no_create_home || wanted.system) return undefined;
  const home = { path, uid, gid: group.gid };
  if (stats === undefined) return home;
  if (owner === undefined) warn(`its home ${path} is there and is no directory`);
  else if (owner.uid === 0 && path.replace(/\/+$/, '') === `${defaults.base}/${name}`) return home;
  // yip: the owner of /opt becomes the user's number. To give /opt to the user instead would be as wrong.
  else if (!ownHome) warn(`its home ${path} belongs to user number ${owner.uid} and is left as it is`);
  return undefined;
}

function newPassword({ passwd, lock_passwd }: UserRequest, warn: (text: string) => void): string {
  if (lock_passwd) return LOCKED;
  if (passwd !== undefined) return passwordField(passwd, undefined);
  warn('no passwd is given, so no password opens it; the originals leave it open to everybody (that is passwd: "")');
  return LOCKED;
}

function chooseUid(
  database: AccountDatabase,
  wanted: UserRequest,
  homeOwner: number | undefined,
  range: typeof ORDINARY,
  { reservedUids }: Surroundings,
  warn: (text: string) => void,
): number {
  const holder = (uid: number) => database.users().find((user) => user.uid === uid);
  const asked = askedUid(wanted);
  if (asked !== undefined) {
    const uid = parseId(asked);
    if (uid === undefined) throw new HoldfastError('HF-CONFIG', `${JSON.stringify(asked)} is no user number`);
    const other = holder(uid);
    // What is written down is meant: a second name of root, say.
    if (other !== undefined) warn(`the number ${uid} is also ${other.name}'s`);
    return uid;
  }
  if (homeOwner !== undefined && homeOwner !== 0 && homeOwner !== NOBODY && !holder(homeOwner)) {
    // yip v1.12: a home that outlived its user gives it its number back.
    return homeOwner;
  }
  const uid = freeUid(database, range, reservedUids());
  if (uid === undefined) throw new HoldfastError('HF-CONFIG', 'no user number is free');
  return uid;
}

/** entities v0.8: a negative number asks for a free one, as none does. */
function askedUid({ uid }: UserRequest): string | undefined {
  return uid && !/^\s*-\d+\s*$/.test(uid) ? uid : undefined;
}

/** What may change of a user that is there: its password, and the groups that it joins. */
function updateUser(
  database: AccountDatabase,
  name: string,
  wanted: UserRequest,
  { today }: Surroundings,
  warn: (text: string) => void,
): undefined {
  const current = database.passwordOf(name);
  const field = wanted.lock_passwd
    ? lock(current ?? '')
    : wanted.passwd
      ? passwordField(wanted.passwd, current)
      : current;
  if (field !== undefined && field !== current) {
    // yip keeps an account locked only until its second boot, and leaves the last change as it was when it locks one.
    const changed = wanted.lock_passwd && current !== undefined ? undefined : String(today);
    database.table('shadow').put([name, field, changed]);
  }
  // A password in passwd itself would count instead of the one in shadow.
  if (field !== undefined && (wanted.lock_passwd || wanted.passwd)) database.table('passwd').put([name, 'x']);
  const differences = listDifferences(database, name, wanted);
  if (differences.length > 0) warn(`it is there already and keeps ${differences.join(', ')}`);
  return undefined;
}

/** yip ignores them in silence. */
function listDifferences(database: AccountDatabase, name: string, wanted: UserRequest): string[] {
  const user = database.user(name);
  if (user === undefined) return [];
  const group = wanted.primary_group ? findGroup(database, wanted.primary_group) : undefined;
  const pairs: [string, string | undefined, string][] = [
    ['uid', askedUid(wanted), String(user.uid)],
    ['primary_group', group && String(group.gid), String(user.gid)],
    ['gecos', wanted.gecos, user.info],
    ['homedir', wanted.homedir?.replace(/(?<=.)\/+$/, ''), user.home],
    ['shell', wanted.shell, user.shell],
  ];
  return pairs.flatMap(([key, asked, is]) => (asked && asked.trim() !== is ? [`${key} ${is}`] : []));
}

function joinGroup(
  database: AccountDatabase,
  group: string,
  user: string,
  { system }: UserRequest,
  warn: (text: string) => void,
): void {
  const known = database.group(group);
  if (known !== undefined) {
    addMember(database, known, user);
    return;
  }
  const gid = freeGid(database, system ? SYSTEM : ORDINARY);
  if (gid === undefined) {
    warn(`the group ${group} isn't there, and no group number is free`);
    return;
  }
  warn(`the group ${group} isn't there yet and is made`);
  createGroup(database, group, gid, [user]);
}

interface IdSpan {
  start: number;
  count: number;
}

/** `START:COUNT`; a start alone brings 65536 numbers, as useradd(8) gives. */
function parseRange(text: string | undefined, key: string): IdSpan | undefined {
  if (!text) return undefined;
  const [start = '', count = '65536'] = text.split(':', 2);
  const range = { start: parseId(start), count: parseId(count) };
  if (range.start !== undefined && range.count !== undefined) return { start: range.start, count: range.count };
  throw new HoldfastError('HF-CONFIG', `${key} must be START:COUNT, not ${JSON.stringify(text)}`);
}

function addRange(
  database: AccountDatabase,
  file: 'subuid' | 'subgid',
  name: string,
  { start, count }: IdSpan,
  warn: (text: string) => void,
): void {
  const known = database.table(file).find(name);
  if (known === undefined) database.table(file).put([name, String(start), String(count)]);
  else if (known[1] !== String(start) || known[2] !== String(count)) {
    warn(`it keeps its range ${known[1]}:${known[2]} in ${file}`);
  }
}
