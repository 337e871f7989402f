// Makes a GPT disk bootable by BIOS: GRUB's core image in a partition of its own, its address in the boot sector, and the
// boot sector last, since it is what makes the disk start from here. What is written follows grub-bios-setup of GRUB
// 2.06, which itself insists on a mounted file system and on udev.

import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';

const SECTOR_BYTES = 512;
/** boot.img: where the core image's first sector is written, 64 bits. */
const BOOT_KERNEL_SECTOR = 0x5c;
/** boot.img: which BIOS drive to read; 0xff is the one that this sector came from. */
const BOOT_DRIVE = 0x64;
/** boot.img: a jump over the code that checks the drive number, which two NOPs replace. */
const BOOT_DRIVE_CHECK = 0x66;
/** What a boot sector must keep of the old one: the BIOS parameter block, and disk id with the protective table. */
const KEPT_RANGES = [
  [0x03, 0x5a],
  [0x1b8, 0x1fe],
] as const;
/** core.img: the first entry of the list of blocks in its first sector, which says where the rest is. */
const CORE_FIRST_BLOCK = 0x1f4;

/**
 * GRUB's boot sector for a disk.
 * @param bootImage GRUB's boot.img, 512 bytes.
 * @param oldSector what the disk's first sector holds now.
 * @throws HoldfastError HF-GRUB when one of them is no boot sector.
 */
export function bootSector(bootImage: Uint8Array, oldSector: Uint8Array, coreSector: number): Buffer {
  if (bootImage.length !== SECTOR_BYTES || bootImage[0x1fe] !== 0x55 || bootImage[0x1ff] !== 0xaa) {
    throw new HoldfastError('HF-GRUB', 'the image’s boot.img is not GRUB’s boot sector');
  }
  if (oldSector.length !== SECTOR_BYTES) throw new HoldfastError('HF-GRUB', 'the disk has no first sector');
  const sector = Buffer.from(bootImage);
  for (const [start, end] of KEPT_RANGES) sector.set(oldSector.subarray(start, end), start);
  sector.writeBigUInt64LE(BigInt(coreSector), BOOT_KERNEL_SECTOR);
  sector.writeUInt8(0xff, BOOT_DRIVE);
  sector.writeUInt16LE(0x9090, BOOT_DRIVE_CHECK);
  return sector;
}

/** GRUB's core image, to be written at a sector: whole sectors, and the address of its second one in its first. */
export function placedCore(coreImage: Uint8Array, coreSector: number): Buffer {
  const sectors = Math.ceil(coreImage.length / SECTOR_BYTES);
  if (sectors < 2) throw new HoldfastError('HF-GRUB', 'the image’s core.img is not GRUB’s');
  const placed = Buffer.alloc(sectors * SECTOR_BYTES);
  placed.set(coreImage);
  placed.writeBigUInt64LE(BigInt(coreSector + 1), CORE_FIRST_BLOCK);
  return placed;
}

export interface BiosBootOptions {
  /** A block device or an image file with a GPT. */
  disk: string;
  bootImage: Uint8Array;
  coreImage: Uint8Array;
  /** The partition for the core image, in bytes from the start of the disk. */
  partition: { startBytes: number; sizeBytes: number };
}

/**
 * Writes the core image, waits until it is on the disk, then writes the boot sector.
 * @throws HoldfastError HF-GRUB when the core image doesn't fit.
 */
export function installBiosBoot({ disk, bootImage, coreImage, partition }: BiosBootOptions): void {
  const coreSector = partition.startBytes / SECTOR_BYTES;
  const core = placedCore(coreImage, coreSector);
  if (core.length > partition.sizeBytes) {
    throw new HoldfastError(
      'HF-GRUB',
      `GRUB’s core image for BIOS has ${core.length} bytes, and its partition ${partition.sizeBytes}`,
    );
  }
  const fd = openSync(disk, 'r+');
  try {
    const old = Buffer.alloc(SECTOR_BYTES);
    readSync(fd, old, 0, old.length, 0);
    const sector = bootSector(bootImage, old, coreSector);
    writeAt(fd, core, partition.startBytes);
    fsyncSync(fd);
    writeAt(fd, sector, 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeAt(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}
