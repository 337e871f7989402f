// What one name of a tree stands for, with everything about it that a rebase compares and carries. Links are objects, never
// followed; times and inode numbers are 64 bits wide.

import type { BigIntStats } from 'node:fs';

/** Sockets are not among them: a program makes its own when it starts. */
export type ObjectType = 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'fifo';

export interface TreeObject {
  type: ObjectType;
  /** Permission bits with the special ones; of links 0o777. */
  mode: number;
  uid: number;
  gid: number;
  /** Of files, holes included. */
  sizeBytes: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
  inode: bigint;
  /** How many names it has. */
  links: number;
  /** Of devices: the kernel's number, major and minor in one. */
  device: bigint;
  /** Of files: what their blocks hold. */
  storedBytes: number;
  /** Whether a file has fewer blocks than bytes. */
  isSparse: boolean;
  /** Of links: where they lead, bytes as latin1. */
  linkTarget: string;
  /** But for labels of a security module, which belong to its policy. */
  xattrs: ReadonlyMap<string, Buffer>;
  /** Of chattr(1): `i` (immutable) and `a` (append only), in this order. */
  flags: string;
  /** Of a file's content; absent where nobody needed to know. */
  digest?: string;
}

export const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

/** The type of what was looked at; undefined for sockets. */
export function typeOf(stats: BigIntStats): ObjectType | undefined {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isCharacterDevice()) return 'character-device';
  if (stats.isBlockDevice()) return 'block-device';
  return stats.isFIFO() ? 'fifo' : undefined;
}

/** What lstat(2) says of an object; the rest is added by who reads it. Undefined for sockets. */
export function objectOf(stats: BigIntStats): TreeObject | undefined {
  const type = typeOf(stats);
  if (type === undefined) return undefined;
  return {
    type,
    mode: type === 'symlink' ? 0o777 : Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    sizeBytes: type === 'file' ? Number(stats.size) : 0,
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    inode: stats.ino,
    links: Number(stats.nlink),
    device: type.endsWith('-device') ? stats.rdev : 0n,
    storedBytes: type === 'file' ? Math.min(Number(stats.blocks * 512n), Number(stats.size)) : 0,
    isSparse: type === 'file' && stats.blocks * 512n < stats.size,
    linkTarget: '',
    xattrs: NO_XATTRS,
    flags: '',
  };
}

/** Major and minor number of a device (the kernel's encoding, as glibc's sys/sysmacros.h takes it apart). */
export function deviceNumbers(device: bigint): { major: number; minor: number } {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)),
    minor: Number((device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn)),
  };
}

/** What can be different about an object; an extended attribute is `xattr:` and its name. */
export type Field = 'type' | 'content' | 'mode' | 'uid' | 'gid' | 'flags' | 'time' | `xattr:${string}`;

/** What is different. The time of a directory says only that something in it changed, and is left out. */
export function differences(one: TreeObject, other: TreeObject): Field[] {
  if (one.type !== other.type) return ['type'];
  const fields: Field[] = [];
  if (!sameContent(one, other)) fields.push('content');
  if (one.mode !== other.mode) fields.push('mode');
  if (one.uid !== other.uid) fields.push('uid');
  if (one.gid !== other.gid) fields.push('gid');
  if (one.flags !== other.flags) fields.push('flags');
  for (const name of new Set([...one.xattrs.keys(), ...other.xattrs.keys()])) {
    const [value, otherValue] = [one.xattrs.get(name), other.xattrs.get(name)];
    if (value === undefined || otherValue === undefined || !value.equals(otherValue)) fields.push(`xattr:${name}`);
  }
  if (one.type !== 'directory' && one.mtimeNs !== other.mtimeNs) fields.push('time');
  return fields;
}

/** Of objects of one type. Two files without digest are compared by size alone: whoever compares files has read them. */
function sameContent(one: TreeObject, other: TreeObject): boolean {
  return (
    one.sizeBytes === other.sizeBytes &&
    one.linkTarget === other.linkTarget &&
    one.device === other.device &&
    one.digest === other.digest
  );
}
