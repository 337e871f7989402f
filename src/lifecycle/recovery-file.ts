// A recovery system that comes as a file and is copied as it is: a squashfs, which GRUB must be able to read, or an image
// of ext4 like every slot file.

import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import type { RecoverySource } from './install.ts';

/** squashfs(5): the superblock's compression, by number. GRUB 2.06 reads the first three. */
const COMPRESSIONS = ['', 'gzip', 'lzma', 'lzo', 'xz', 'lz4', 'zstd'];
const READ_BY_GRUB = ['gzip', 'lzo', 'xz'];

/**
 * Looks at such a file.
 * @param source how it is named in the records; default `file:PATH`.
 * @throws HoldfastError HF-NO-SOURCE when it isn't there or is something else, HF-NOT-BOOTABLE when GRUB can't read it.
 */
export async function openRecoveryFile(
  path: string,
  source = `file:${resolve(path)}`,
  sizeBytes?: number,
): Promise<RecoverySource> {
  const file = resolve(path);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || stat.isDirectory()) {
    throw new HoldfastError('HF-NO-SOURCE', `${file} is no file with a recovery system`, {
      hint: 'name a squashfs, an image file, or an image: --recovery-system docker:REGISTRY/IMAGE:TAG',
    });
  }
  const { type } = await probeFilesystem(file);
  if (type === 'squashfs') {
    const compression = readCompression(file);
    if (!READ_BY_GRUB.includes(compression)) {
      throw new HoldfastError('HF-NOT-BOOTABLE', `${source} is compressed with ${compression}, which GRUB can't read`, {
        hint: 'make it with mksquashfs … -comp xz',
      });
    }
  } else if (type === undefined || !['ext2', 'ext3', 'ext4'].includes(type)) {
    throw new HoldfastError(
      'HF-NO-SOURCE',
      `${source} holds ${type ?? 'nothing that is known'}, not a recovery system`,
      {
        hint: 'it may be a squashfs or an image of ext2 or ext4',
      },
    );
  }
  return {
    kind: 'file',
    file,
    source,
    type: type === 'squashfs' ? 'squashfs' : 'image',
    sizeBytes: sizeBytes ?? stat.size,
  };
}

function readCompression(file: string): string {
  const fd = openSync(file, 'r');
  try {
    const superblock = Buffer.alloc(96);
    readSync(fd, superblock, 0, superblock.length, 0);
    const number = superblock.readUInt16LE(20);
    return COMPRESSIONS[number] || `method ${number}`;
  } finally {
    closeSync(fd);
  }
}
