// Names of users and groups as ids, from the root's own passwd and group files: the machine that runs the program may
// know others. Read without NSS, as the originals do.

import { HoldfastError } from '../../system/errors.ts';
import type { Root } from '../../system/root.ts';
import { AccountDatabase } from './database.ts';

export interface Owner {
  uid: number;
  gid: number;
}

/**
 * The ids of `user`, `user:group`, or numbers in place of either. A user alone brings its primary group; a number that
 * is no known user brings group 0.
 * @throws HoldfastError HF-CONFIG when a name isn't in the root's files.
 */
export function resolveOwner(root: Root, text: string): Owner {
  const [userPart = '', groupPart = ''] = text.split(':', 2);
  const user = userPart === '' ? { uid: 0, gid: 0 } : findUser(root, userPart);
  return groupPart === '' ? user : { uid: user.uid, gid: resolveGroup(root, groupPart) };
}

/** The id of a group, by name or number. */
export function resolveGroup(root: Root, group: string): number {
  const known = new AccountDatabase(root).group(group)?.gid;
  if (known !== undefined && !Number.isNaN(known)) return known;
  if (/^\d+$/.test(group)) return Number(group);
  throw new HoldfastError('HF-CONFIG', `there is no group "${group}"`, { hint: 'groups are looked up in /etc/group' });
}

function findUser(root: Root, user: string): Owner {
  const database = new AccountDatabase(root);
  const known = database.user(user) ?? database.users().find(({ uid }) => String(uid) === user);
  if (known !== undefined && !Number.isNaN(known.uid) && !Number.isNaN(known.gid))
    return { uid: known.uid, gid: known.gid };
  if (/^\d+$/.test(user)) return { uid: Number(user), gid: 0 };
  throw new HoldfastError('HF-CONFIG', `there is no user "${user}"`, { hint: 'users are looked up in /etc/passwd' });
}
