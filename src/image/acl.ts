// POSIX access control lists as tar carries them in words (`SCHILY.acl.access`: star, GNU tar --acls, libarchive), turned
// into the attribute that the kernel knows (linux/posix_acl_xattr.h).

/** Why a list in words can't be applied, or the attribute's value. */
export type ParsedAcl =
  | {
      value: Buffer;
      /** It has no more than a mode says. */
      isMode: boolean;
    }
  | { problem: string };

const VERSION = 2;
const NO_ID = 0xffff_ffff;
/** Tags of the kernel; entries must be in this order. */
const TAGS = { ownUser: 0x01, user: 0x02, ownGroup: 0x04, group: 0x08, mask: 0x10, other: 0x20 };
/** More than any file system stores. */
const MAX_ENTRIES = 8000;

interface AclEntry {
  tag: number;
  permissions: number;
  id: number;
}

/**
 * Reads a list such as `user::rw-,user:lisa:r--:502,group::r--,mask::r--,other::---`: one entry after the other, divided by
 * commas or lines; the fourth part, which star writes, is the number that the name stands for.
 */
export function parseAcl(text: string): ParsedAcl {
  const entries: AclEntry[] = [];
  const lines = text.split(/[,\n]/).map((line) => line.replace(/#.*/, '').trim());
  for (const line of lines.filter((part) => part !== '')) {
    const entry = parseEntry(line);
    if (typeof entry === 'string') return { problem: entry };
    entries.push(entry);
    if (entries.length > MAX_ENTRIES) return { problem: 'it is too long' };
  }
  const has = (tag: number) => entries.filter((entry) => entry.tag === tag).length;
  const named = has(TAGS.user) + has(TAGS.group);
  const isComplete = has(TAGS.ownUser) === 1 && has(TAGS.ownGroup) === 1 && has(TAGS.other) === 1;
  if (!isComplete || has(TAGS.mask) > 1) return { problem: 'user, group and other must be there once' };
  if (named > 0 && has(TAGS.mask) === 0) return { problem: 'a list with names needs a mask' };
  entries.sort((one, other) => one.tag - other.tag || one.id - other.id);
  const value = Buffer.alloc(4 + 8 * entries.length);
  value.writeUInt32LE(VERSION);
  for (const [index, { tag, permissions, id }] of entries.entries()) {
    const at = 4 + 8 * index;
    value.writeUInt16LE(tag, at);
    value.writeUInt16LE(permissions, at + 2);
    value.writeUInt32LE(id, at + 4);
  }
  return { value, isMode: entries.length === 3 };
}

function parseEntry(line: string): AclEntry | string {
  const [kind = '', name = '', letters = '', number] = line.split(':').map((part) => part.trim());
  const permissions = parsePermissions(letters);
  if (permissions === undefined) return `${JSON.stringify(line.slice(0, 80))} is no entry`;
  if (name === '' || kind === 'm' || kind === 'mask' || kind === 'o' || kind === 'other') {
    const tag = { u: TAGS.ownUser, user: TAGS.ownUser, g: TAGS.ownGroup, group: TAGS.ownGroup }[kind];
    const others = { m: TAGS.mask, mask: TAGS.mask, o: TAGS.other, other: TAGS.other }[kind];
    const found = tag ?? others;
    return found === undefined ? `${JSON.stringify(kind)} is no kind of entry` : { tag: found, permissions, id: NO_ID };
  }
  const tag = { u: TAGS.user, user: TAGS.user, g: TAGS.group, group: TAGS.group }[kind];
  if (tag === undefined) return `${JSON.stringify(kind)} is no kind of entry`;
  // Names mean something only where the layer was made; who has which number there isn't known here.
  const digits = number ?? name;
  const id = /^\d{1,10}$/.test(digits) ? Number(digits) : NO_ID;
  return id < NO_ID ? { tag, permissions, id } : `it names ${JSON.stringify(name.slice(0, 80))}, without its number`;
}

function parsePermissions(letters: string): number | undefined {
  if (!/^[r-]?[w-]?[x-]?$/.test(letters) || letters === '') return undefined;
  return (letters.includes('r') ? 4 : 0) + (letters.includes('w') ? 2 : 0) + (letters.includes('x') ? 1 : 0);
}
