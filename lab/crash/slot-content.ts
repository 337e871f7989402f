// What a slot file holds, for comparing byte for byte: the blocks that its ext4 filesystem uses. The others are not part
// of the system and hold whatever was on the disk before; of the superblock, the fields that a label or a mount changes
// are left out.

import { closeSync, openSync, readSync } from 'node:fs';
import { runChecked } from '../../src/system/process.ts';

export const BLOCK = 4096;
const BLOCKS_PER_GROUP = 32768;
/** Ranges that are nearer to each other than this are read in one go. */
const GAP_BLOCKS = 256;

/** Of a superblock: mount and write times, mount counts, last check, label, last mount point, kilobytes written. */
const VARIABLE_FIELDS: readonly (readonly [number, number])[] = [
  [0x2c, 12],
  [0x40, 4],
  [0x78, 16],
  [0x88, 64],
  [0x178, 8],
];
const UUID_AT = 1024 + 0x68;

/** A stretch of a slot file that is read at once: its used blocks with their content. */
export interface Stretch {
  offset: number;
  size: number;
  /** Offsets within the stretch and their content. */
  used: readonly { offset: number; content: Buffer }[];
}

/** A complete system as it has to be found. */
export interface SlotContent {
  uuid: string;
  sizeBytes: number;
  stretches: readonly Stretch[];
}

/** Reads what a slot file of a disk that nothing happened to holds. */
export async function readSlotContent(file: string): Promise<SlotContent> {
  const report = await runChecked(['dumpe2fs', file], { env: { ...process.env, LC_ALL: 'C' } });
  const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(report)?.[1]);
  if (number('Block size') !== BLOCK) throw new Error(`${file} does not have blocks of ${BLOCK} bytes`);
  const blocks = number('Block count');
  const free = new Uint8Array(blocks);
  for (const [, list = ''] of report.matchAll(/^ {2}Free blocks: (.*)$/gm)) {
    for (const range of list.split(', ').filter((text) => text !== '')) {
      const [first = 0, last = first] = range.split('-').map(Number);
      free.fill(1, first, last + 1);
    }
  }
  const tables = [...report.matchAll(/Inode table at (\d+)-(\d+)/g)].map(([, first, last]) => [
    Number(first),
    Number(last),
  ]);
  const fd = openSync(file, 'r');
  try {
    // Of inode tables, blocks without an inode: nobody reads them.
    const nothing = Buffer.alloc(BLOCK);
    for (const [first = 0, last = 0] of tables) {
      for (let at = first; at <= last; at++) if (readAt(fd, at * BLOCK, BLOCK).equals(nothing)) free[at] = 1;
    }
    const stretches: Stretch[] = [];
    let block = 0;
    while (block < blocks) {
      if (free[block] === 1) {
        block += 1;
        continue;
      }
      let end = block + 1;
      for (let at = end; at < Math.min(blocks, end + GAP_BLOCKS); at++) if (free[at] === 0) end = at + 1;
      stretches.push(readStretch(fd, block, end, (at) => free[at] === 0));
      block = end;
    }
    return { uuid: uuidOf(readAt(fd, 0, BLOCK)) ?? '', sizeBytes: blocks * BLOCK, stretches };
  } finally {
    closeSync(fd);
  }
}

function readStretch(fd: number, first: number, end: number, isUsed: (block: number) => boolean): Stretch {
  const used: { offset: number; content: Buffer }[] = [];
  for (let block = first; block < end; ) {
    let stop = block;
    while (stop < end && isUsed(stop)) stop += 1;
    if (stop > block) {
      const content = readAt(fd, block * BLOCK, (stop - block) * BLOCK);
      maskSuperblocks(content, block);
      used.push({ offset: (block - first) * BLOCK, content });
    }
    block = Math.max(stop, block + 1);
  }
  return { offset: first * BLOCK, size: (end - first) * BLOCK, used };
}

export function readAt(fd: number, offset: number, size: number): Buffer {
  const content = Buffer.alloc(size);
  const got = readSync(fd, content, 0, size, offset);
  return content.subarray(0, got);
}

/** Clears the variable fields of the superblocks in a run of blocks that starts at `block`. */
function maskSuperblocks(content: Buffer, block: number): void {
  const group = Math.ceil(block / BLOCKS_PER_GROUP);
  for (let at = group * BLOCKS_PER_GROUP; (at - block) * BLOCK < content.length; at += BLOCKS_PER_GROUP) {
    const superblock = (at - block) * BLOCK + (at === 0 ? 1024 : 0);
    if (superblock + 1024 > content.length || content.readUInt16LE(superblock + 0x38) !== 0xef53) continue;
    for (const [field, size] of VARIABLE_FIELDS) content.fill(0, superblock + field, superblock + field + size);
  }
}

/** The UUID of the ext4 filesystem whose first block this is; undefined when it is none. */
export function uuidOf(firstBlock: Buffer): string | undefined {
  if (firstBlock.length < 2048 || firstBlock.readUInt16LE(1024 + 0x38) !== 0xef53) return undefined;
  const hex = firstBlock.subarray(UUID_AT, UUID_AT + 16).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * Compares what somebody reads of a slot file with what it has to hold.
 * @param read returns the file's bytes from an offset on; fewer than asked for where it ends.
 * @returns what is different, in a few words; undefined when nothing is.
 */
export function compareSlot(expected: SlotContent, read: (offset: number, size: number) => Buffer): string | undefined {
  for (const { offset, size, used } of expected.stretches) {
    const found = read(offset, size);
    if (found.length < size) return `it ends at byte ${offset + found.length}`;
    for (const { offset: within, content } of used) {
      const part = found.subarray(within, within + content.length);
      const first = (offset + within) / BLOCK;
      // Only a run of blocks that has a superblock is copied.
      const masked = hasSuperblock(first, content.length / BLOCK) ? Buffer.from(part) : part;
      if (masked !== part) maskSuperblocks(masked, first);
      if (!masked.equals(content)) return differenceOf(masked, content, first);
    }
  }
  return undefined;
}

function hasSuperblock(first: number, blocks: number): boolean {
  return Math.ceil(first / BLOCKS_PER_GROUP) * BLOCKS_PER_GROUP < first + blocks;
}

function differenceOf(found: Buffer, expected: Buffer, first: number): string {
  const different: number[] = [];
  for (let at = 0; at < expected.length; at += BLOCK) {
    if (!found.subarray(at, at + BLOCK).equals(expected.subarray(at, at + BLOCK))) different.push(first + at / BLOCK);
  }
  const zeros = different.every((block) => {
    const at = (block - first) * BLOCK;
    return found.subarray(at, at + BLOCK).every((byte) => byte === 0);
  });
  return `${different.length} of its blocks from ${different[0]} on are ${zeros ? 'zero' : 'different'}`;
}

/** Reads a file that somebody has mounted. */
export function fileReader(file: string): { read: (offset: number, size: number) => Buffer; close: () => void } {
  const fd = openSync(file, 'r');
  return { read: (offset, size) => readAt(fd, offset, size), close: () => closeSync(fd) };
}

/** The UUID in a slot file that somebody has mounted. */
export function uuidOfFile(file: string): string | undefined {
  const { read, close } = fileReader(file);
  try {
    return uuidOf(read(0, BLOCK));
  } finally {
    close();
  }
}
