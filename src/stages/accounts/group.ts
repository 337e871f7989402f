// Groups and their members, with gshadow kept in step where the system has it: grpck(8) wants the two to name the same
// groups.

import type { AccountDatabase, Group } from './database.ts';
import { parseId } from './ids.ts';

/** A group by its name, or by its number. */
export function findGroup(database: AccountDatabase, nameOrId: string): Group | undefined {
  const gid = parseId(nameOrId);
  return database.group(nameOrId) ?? (gid === undefined ? undefined : groupOfId(database, gid));
}

export function groupOfId(database: AccountDatabase, gid: number): Group | undefined {
  return database.groups().find((group) => group.gid === gid);
}

/** Makes a group, or gives a number to one that has none. */
export function createGroup(database: AccountDatabase, name: string, gid: number, members: readonly string[]): void {
  const all = [...new Set([...(database.group(name)?.members ?? []), ...members])].join(',');
  database.existing('group').put([name, 'x', String(gid), all]);
  if (!database.has('gshadow')) return;
  const known = database.table('gshadow').find(name);
  database.table('gshadow').put([name, known === undefined ? '!' : undefined, undefined, all]);
}

/** Makes a user a member of a group that is there; nothing happens when it is one. */
export function addMember(database: AccountDatabase, group: Group, user: string): void {
  if (group.members.includes(user)) return;
  database.table('group').put([group.name, undefined, undefined, [...group.members, user].join(',')]);
  const shadow = database.table('gshadow').find(group.name);
  if (shadow === undefined) return;
  const members = (shadow[3] ?? '').split(',').filter((member) => member !== '' && member !== user);
  database.table('gshadow').put([group.name, undefined, undefined, [...members, user].join(',')]);
}
