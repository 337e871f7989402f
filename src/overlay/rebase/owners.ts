// Numbers of users and groups that are others in the new view: an image may give the same account another number, and an
// account that was made by hand may have to give its number away. Owners and access control lists follow the names.

import type { Owners } from './account-records.ts';
import type { TreeObject } from './tree-object.ts';

const ACLS = ['system.posix_acl_access', 'system.posix_acl_default'];
/** linux/posix_acl_xattr.h: tags of entries that have a number. */
const NAMED_USER = 0x02;
const NAMED_GROUP = 0x08;

/** The object as the new view has it. */
export function withOwners(object: TreeObject, owners: Owners): TreeObject {
  if (owners.uids.size === 0 && owners.gids.size === 0) return object;
  const uid = owners.uids.get(object.uid) ?? object.uid;
  const gid = owners.gids.get(object.gid) ?? object.gid;
  let { xattrs } = object;
  for (const name of ACLS) {
    const acl = xattrs.get(name);
    const changed = acl && aclWithOwners(acl, owners);
    if (changed !== undefined) xattrs = new Map([...xattrs, [name, changed]]);
  }
  return { ...object, uid, gid, xattrs };
}

/** Entries are sorted by tag and number, which the kernel insists on. */
function aclWithOwners(acl: Buffer, { uids, gids }: Owners): Buffer | undefined {
  if (acl.length < 4 || acl.length % 8 !== 4) return undefined;
  const entries: { tag: number; permissions: number; id: number }[] = [];
  for (let at = 4; at < acl.length; at += 8) {
    const [tag, permissions, id] = [acl.readUInt16LE(at), acl.readUInt16LE(at + 2), acl.readUInt32LE(at + 4)];
    const ids = { [NAMED_USER]: uids, [NAMED_GROUP]: gids }[tag];
    entries.push({ tag, permissions, id: ids?.get(id) ?? id });
  }
  entries.sort((one, other) => one.tag - other.tag || one.id - other.id);
  const result = Buffer.from(acl);
  for (const [index, { tag, permissions, id }] of entries.entries()) {
    result.writeUInt16LE(tag, 4 + 8 * index);
    result.writeUInt16LE(permissions, 6 + 8 * index);
    result.writeUInt32LE(id, 8 + 8 * index);
  }
  return result;
}
