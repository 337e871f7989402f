// What tells one base (a read-only slot file) from another: a digest of its size and its primary ext superblock. One
// sector is read; relabelling, which the swap of an upgrade does, must not change it, and any writable mount must.

import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { deviceNumber } from '../slots/block-device.ts';
import { HoldfastError } from '../system/errors.ts';

/** 64 hexadecimal digits. */
export type Fingerprint = string & { readonly [fingerprintBrand]: true };
declare const fingerprintBrand: unique symbol;

/** How many digits of a fingerprint stand in file names and messages. */
export const SHORT_DIGITS = 16;

export const SUPERBLOCK_AT = 1024;
export const SUPERBLOCK_BYTES = 1024;
/** s_magic of ext2, ext3 and ext4, little endian, at 0x38 of the superblock. */
const EXT_MAGIC = 0xef53;
/**
 * What `tune2fs -L` changes: write time (0x30 and its high byte 0x274), volume name (0x78) and checksum (0x3fc). Mount
 * time, mount count and lifetime writes stay in: a base that was opened for writing is another base.
 */
const MASKED: readonly (readonly [offset: number, bytes: number])[] = [
  [0x30, 4],
  [0x78, 16],
  [0x274, 1],
  [0x3fc, 4],
];

/**
 * The fingerprint of a base.
 * @param superblock the 1024 bytes from byte 1024 on.
 * @param sizeBytes of the whole image; rounded down to sectors of 512 bytes, as a loop device does.
 * @returns undefined when this is no ext superblock.
 */
export function fingerprintOf(superblock: Uint8Array, sizeBytes: number): Fingerprint | undefined {
  const masked = Buffer.from(superblock);
  if (masked.length !== SUPERBLOCK_BYTES || masked.readUInt16LE(0x38) !== EXT_MAGIC) return undefined;
  maskSuperblock(masked);
  const digest = createHash('sha256')
    .update(`holdfast base 1\n${Math.floor(sizeBytes / 512) * 512}\n`)
    .update(masked)
    .digest('hex');
  return parseFingerprint(digest);
}

/** Takes out of a superblock what relabelling changes. */
export function maskSuperblock(superblock: Buffer): void {
  for (const [offset, bytes] of MASKED) superblock.fill(0, offset, offset + bytes);
}

/** A text as a fingerprint; undefined when it isn't 64 small hexadecimal digits. */
export function parseFingerprint(text: string): Fingerprint | undefined {
  return isFingerprint(text) ? text : undefined;
}

function isFingerprint(text: string): text is Fingerprint {
  return /^[0-9a-f]{64}$/.test(text);
}

/** The digits for names and messages. */
export function shortFingerprint(fingerprint: Fingerprint): string {
  return fingerprint.slice(0, SHORT_DIGITS);
}

/**
 * Reads the fingerprint of a slot file or block device.
 * @throws HoldfastError HF-UNSUPPORTED when it holds no ext file system.
 */
export function readFingerprint(base: string): Fingerprint {
  const fingerprint = fingerprintOf(readSuperblock(base), sizeOfBase(base));
  if (fingerprint !== undefined) return fingerprint;
  throw new HoldfastError('HF-UNSUPPORTED', `${base} holds no ext file system, so no overlay can be bound to it`, {
    hint: 'overlays work on slot files (ext2, ext3 or ext4); a squashfs can’t be written through a snapshot',
  });
}

/** The 1024 bytes where an ext file system has its superblock; zeros where the file ends before. */
export function readSuperblock(base: string): Buffer {
  const superblock = Buffer.alloc(SUPERBLOCK_BYTES);
  const fd = openSync(base, 'r');
  try {
    const read = readSync(fd, superblock, 0, SUPERBLOCK_BYTES, SUPERBLOCK_AT);
    return read === SUPERBLOCK_BYTES ? superblock : Buffer.alloc(SUPERBLOCK_BYTES);
  } finally {
    closeSync(fd);
  }
}

/** The size of a file or block device in whole sectors, in bytes. A device's own size is only in sysfs. */
export function sizeOfBase(base: string): number {
  const device = deviceNumber(base);
  if (device === undefined) return Math.floor(statSync(base).size / 512) * 512;
  return Number.parseInt(readFileSync(`/sys/dev/block/${device}/size`, 'utf8'), 10) * 512;
}
