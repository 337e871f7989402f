// The few words of an ext superblock that attaching a view depends on, read from the device itself.

import { closeSync, openSync, readSync } from 'node:fs';

export interface ExtFeatures {
  /** s_magic: 0xef53 for ext2, ext3 and ext4. */
  magic: number;
  /** s_feature_compat. */
  compatible: number;
}

/** Undefined when the device can't be read so far. */
export function readExtFeatures(device: string): ExtFeatures | undefined {
  const block = Buffer.alloc(128);
  const fd = openSync(device, 'r');
  try {
    if (readSync(fd, block, 0, block.length, 1024) < block.length) return undefined;
  } finally {
    closeSync(fd);
  }
  return { magic: block.readUInt16LE(0x38), compatible: block.readUInt32LE(0x5c) };
}

export function isExt({ magic }: ExtFeatures): boolean {
  return magic === 0xef53;
}

/** EXT4_FEATURE_COMPAT_HAS_JOURNAL. */
export function hasJournal({ compatible }: ExtFeatures): boolean {
  return (compatible & 0x4) !== 0;
}
