// The digest of a base's whole content, for checks that have time. What relabelling rewrites is left out: the masked
// fields of the primary superblock, and all backup superblocks, which tune2fs replaces as a whole.

import { createHash, type Hash } from 'node:crypto';
import { breathe, STEP_BYTES, type Work, withFile } from './byte-file.ts';
import { maskSuperblock, readSuperblock, SUPERBLOCK_AT, SUPERBLOCK_BYTES, sizeOfBase } from './fingerprint.ts';

/** SHA-256 of a base, 64 hexadecimal digits. About a second for each GiB. */
export function digestBase(base: string, work: Work = {}): Promise<string> {
  return digest(base, work, (hash, part) => hash.update(part));
}

const PART_BYTES = 1 << 20;

/**
 * Another digest of a base, which costs what it holds rather than what it has room for: a slot is half empty, and what is
 * empty is zeros. A part of zeros counts with its length alone.
 */
export function digestContent(base: string, work: Work = {}): Promise<string> {
  const zeros = Buffer.alloc(PART_BYTES);
  return digest(base, work, (hash, step) => {
    for (let at = 0; at < step.length; at += PART_BYTES) {
      const part = step.subarray(at, at + PART_BYTES);
      const isEmpty = part.equals(zeros.subarray(0, part.length));
      hash.update(`${isEmpty ? 'empty' : 'part'} ${part.length}\n`);
      if (!isEmpty) hash.update(part);
    }
  });
}

function digest(base: string, work: Work, add: (hash: Hash, part: Buffer) => void): Promise<string> {
  return withFile(base, 'read', async (file) => {
    const sizeBytes = sizeOfBase(base);
    const copies = backupSuperblocks(readSuperblock(base), sizeBytes);
    const hash = createHash('sha256');
    const buffer = Buffer.alloc(STEP_BYTES);
    for (let at = 0; at < sizeBytes; at += buffer.length) {
      const part = buffer.subarray(0, Math.min(buffer.length, sizeBytes - at));
      file.read(part, at);
      if (at === 0) maskSuperblock(part.subarray(SUPERBLOCK_AT, SUPERBLOCK_AT + SUPERBLOCK_BYTES));
      for (const copy of copies) part.fill(0, clamp(copy - at, part), clamp(copy - at + SUPERBLOCK_BYTES, part));
      add(hash, part);
      await breathe(work, at + part.length, sizeBytes);
    }
    return hash.digest('hex');
  });
}

function clamp(at: number, part: Buffer): number {
  return Math.min(Math.max(at, 0), part.length);
}

/** A nonsensical superblock must not make a list of it without end. */
const MOST_GROUPS = 1 << 20;

/** Where the copies of an ext superblock are, in bytes (e2fsprogs: ext2fs_bg_has_super). */
export function backupSuperblocks(superblock: Buffer, sizeBytes: number): number[] {
  const blockBytes = 1024 * 2 ** Math.min(superblock.readUInt32LE(0x18), 16);
  const firstBlock = superblock.readUInt32LE(0x14);
  const groupBlocks = superblock.readUInt32LE(0x20);
  const groupBytes = groupBlocks * blockBytes;
  if (groupBytes === 0) return [];
  const groups = Math.min(Math.ceil(sizeBytes / groupBytes), MOST_GROUPS);
  const isSparse = (superblock.readUInt32LE(0x64) & 0x1) !== 0;
  const isSparse2 = (superblock.readUInt32LE(0x5c) & 0x200) !== 0;
  const chosen = [superblock.readUInt32LE(0x24c), superblock.readUInt32LE(0x250)];
  const hasCopy = (group: number) => (isSparse2 ? chosen.includes(group) : !isSparse || isPower(group));
  const copies: number[] = [];
  for (let group = 1; group < groups; group++) {
    if (hasCopy(group)) copies.push(firstBlock * blockBytes + group * groupBytes);
  }
  return copies;
}

/** Whether it is 1 or a power of 3, 5 or 7. */
function isPower(group: number): boolean {
  return [3, 5, 7].some((root) => {
    let power = 1;
    while (power < group) power *= root;
    return power === group;
  });
}
