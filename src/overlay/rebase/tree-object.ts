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
