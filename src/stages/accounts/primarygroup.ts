// Which group a new user's files belong to: the one that is named, or one of its own. A group of the user's name that is
// there already keeps its number, where the originals give it another one and all of its files to nobody.

import { HoldfastError } from '../../system/errors.ts';
import type { AccountDatabase, Group } from './database.ts';
import type { UserDefaults } from './defaults.ts';
import { findGroup, groupOfId } from './group.ts';
import { freeGid, type IdRange, parseId } from './ids.ts';
import type { UserRequest } from './userrequest.ts';

export interface PrimaryGroup {
  gid: number;
  /** It is to be made, with the user's name. */
  created: boolean;
  /** The user is to be listed as a member of it, as yip does it. */
  member?: Group;
}

interface Circumstances {
  defaults: UserDefaults;
  range: IdRange;
  /** For a new group, when it is free. */
  preferredGid: number | undefined;
  warn: (text: string) => void;
}

/** @throws HoldfastError HF-CONFIG when `primary_group` isn't there, as in yip, or `gid` is no number. */
export function choosePrimaryGroup(
  database: AccountDatabase,
  name: string,
  wanted: Pick<UserRequest, 'primary_group' | 'gid' | 'no_user_group'>,
  { defaults, range, preferredGid, warn }: Circumstances,
): PrimaryGroup {
  if (wanted.primary_group) {
    const group = findGroup(database, wanted.primary_group);
    if (group !== undefined && !Number.isNaN(group.gid)) return { gid: group.gid, created: false, member: group };
    throw new HoldfastError('HF-CONFIG', `the primary group ${wanted.primary_group} of ${name} isn't there`, {
      hint: 'make it with ensure_entities (kind: group) in the same step or an earlier one',
    });
  }
  const asked = askedGid(wanted.gid);
  const withAskedGid = asked === undefined ? undefined : groupOfId(database, asked);
  if (withAskedGid !== undefined) return { gid: withAskedGid.gid, created: false };
  if (wanted.no_user_group && asked === undefined) {
    const shared = findGroup(database, defaults.group) ?? database.group('users');
    if (shared !== undefined) return { gid: shared.gid, created: false };
    warn(`there is no group ${defaults.group} for users without a group of their own, so it gets one`);
  }
  const own = database.group(name);
  // The originals can leave a group without a number behind; it gets one now.
  if (own !== undefined && !Number.isNaN(own.gid)) {
    if (asked !== undefined) warn(`its group is there already and keeps the number ${own.gid}`);
    return { gid: own.gid, created: false, member: own };
  }
  const isFree = (gid: number) => gid !== 0 && groupOfId(database, gid) === undefined;
  const preferred = preferredGid !== undefined && isFree(preferredGid) ? preferredGid : undefined;
  const gid = asked ?? preferred ?? freeGid(database, range);
  if (gid === undefined) throw new HoldfastError('HF-CONFIG', 'no group number is free');
  return { gid, created: true };
}

function askedGid(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const gid = parseId(text);
  if (gid === undefined) throw new HoldfastError('HF-CONFIG', `${JSON.stringify(text)} is no group number`);
  return gid;
}
