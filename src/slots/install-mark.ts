// The mark of an install that is under way: one sector at the end of a disk's first MiB, which no partition table and no
// file system uses (GRUB for BIOS, which lies before it, never becomes so large). It is there before the old table goes and
// is taken away when firmware can start the disk, so what an install that was cut short left is known without a doubt.

import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import type { Disk } from './disk.ts';

const SECTOR_BYTES = 512;
/** Where it lies. */
export const MARK_OFFSET = (1 << 20) - SECTOR_BYTES;
const TEXT = 'holdfast: an install of this disk was begun and is not finished\n';

/** The sector's content. */
export function markSector(): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.write(TEXT, 'latin1');
  return sector;
}

export function hasInstallMark(disk: Disk): boolean {
  const fd = openSync(disk.path, 'r');
  try {
    const sector = Buffer.alloc(SECTOR_BYTES);
    readSync(fd, sector, 0, SECTOR_BYTES, MARK_OFFSET);
    return sector.equals(markSector());
  } finally {
    closeSync(fd);
  }
}

/** Takes it away: the disk holds a system from now on. */
export function clearInstallMark(disk: Disk): void {
  const fd = openSync(disk.path, 'r+');
  try {
    writeSync(fd, Buffer.alloc(SECTOR_BYTES), 0, SECTOR_BYTES, MARK_OFFSET);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
