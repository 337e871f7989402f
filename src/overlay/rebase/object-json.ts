// An object's attributes as JSON, for lists that outlive the trees.

import { isCount, isRecord } from './json-value.ts';
import type { ObjectType, TreeObject } from './tree-object.ts';

const TYPES: ReadonlySet<unknown> = new Set<ObjectType>([
  'file',
  'directory',
  'symlink',
  'character-device',
  'block-device',
  'fifo',
]);

export interface ObjectJson {
  type: ObjectType;
  /** Octal digits. */
  mode: string;
  uid: number;
  gid: number;
  sizeBytes?: number;
  /** Nanoseconds since 1970, too many for a number. */
  mtimeNs: string;
  device?: string;
  isSparse?: true;
  /** Hexadecimal. */
  linkTarget?: string;
  xattrs?: Record<string, string>;
  flags?: string;
  digest?: string;
}

export function jsonOfObject(object: TreeObject): ObjectJson {
  const { type, mode, uid, gid, sizeBytes, mtimeNs, device, isSparse, linkTarget, xattrs, flags, digest } = object;
  return {
    type,
    mode: mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    mtimeNs: String(mtimeNs),
    ...(type === 'file' && { sizeBytes }),
    ...(type.endsWith('-device') && { device: String(device) }),
    ...(isSparse && { isSparse }),
    ...(type === 'symlink' && { linkTarget: Buffer.from(linkTarget, 'latin1').toString('hex') }),
    ...(xattrs.size > 0 && {
      xattrs: Object.fromEntries([...xattrs].map(([name, value]) => [name, value.toString('hex')])),
    }),
    ...(flags !== '' && { flags }),
    ...(digest !== undefined && { digest }),
  };
}

/** Undefined when it is none. */
export function objectOfJson(value: unknown): TreeObject | undefined {
  if (!isRecord(value)) return undefined;
  const {
    type,
    mode,
    uid,
    gid,
    sizeBytes = 0,
    mtimeNs,
    device = '0',
    linkTarget = '',
    xattrs = {},
    flags = '',
  } = value;
  if (!isType(type) || typeof mode !== 'string' || !/^[0-7]{4}$/.test(mode) || !isCount(uid) || !isCount(gid))
    return undefined;
  if (!isCount(sizeBytes) || !isDigits(mtimeNs) || !isDigits(device)) return undefined;
  if (typeof linkTarget !== 'string' || !isHex(linkTarget) || !isRecord(xattrs)) return undefined;
  if (typeof flags !== 'string' || !/^i?a?$/.test(flags)) return undefined;
  const values = new Map<string, Buffer>();
  for (const [name, hex] of Object.entries(xattrs)) {
    if (typeof hex !== 'string' || !isHex(hex)) return undefined;
    values.set(name, Buffer.from(hex, 'hex'));
  }
  return {
    type,
    mode: Number.parseInt(mode, 8),
    uid,
    gid,
    sizeBytes,
    storedBytes: sizeBytes,
    mtimeNs: BigInt(mtimeNs),
    ctimeNs: 0n,
    inode: 0n,
    links: 1,
    device: BigInt(device),
    isSparse: value['isSparse'] === true,
    linkTarget: Buffer.from(linkTarget, 'hex').toString('latin1'),
    xattrs: values,
    flags,
    ...(typeof value['digest'] === 'string' && { digest: value['digest'] }),
  };
}

function isType(value: unknown): value is ObjectType {
  return TYPES.has(value);
}

function isDigits(value: unknown): value is string {
  return typeof value === 'string' && /^-?\d{1,30}$/.test(value);
}

function isHex(value: string): boolean {
  return /^([0-9a-f]{2})*$/.test(value);
}
