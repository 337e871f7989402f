// How large a filesystem is by its own superblock, and whether growing it would make it larger: an interrupted run leaves
// a filesystem that is smaller than its partition. Pure; the offsets are those of the on-disk formats.

import { growsBy } from './formats.ts';

/** How much of a partition's start must be read: btrfs' superblock ends here. */
export const HEAD_BYTES = (64 + 4) << 10;

/** The kernel gives no btrfs device a size below this, although mkfs makes smaller ones. */
export const BTRFS_MIN_BYTES = 256 << 20;

export interface FilesystemSize {
  sizeBytes: number;
  /** What it would have after growing to its partition. */
  grownBytes: number;
  /** btrfs: the number of this device in its filesystem. */
  deviceId?: number;
}

/**
 * @param type as blkid calls it.
 * @param head the first {@link HEAD_BYTES} of the partition.
 * @param mountedBytes what statfs says of it, while it is mounted.
 * @returns undefined for a filesystem that can't grow, or whose superblock isn't where blkid saw it.
 */
export function readFilesystemSize(
  type: string,
  head: Buffer,
  partitionBytes: number,
  mountedBytes?: number,
): FilesystemSize | undefined {
  if (head.length < HEAD_BYTES) return undefined;
  switch (growsBy(type)) {
    case 'ext':
      return extSize(head, partitionBytes);
    case 'xfs':
      return xfsSize(head, partitionBytes, mountedBytes);
    case 'btrfs':
      return btrfsSize(head, partitionBytes);
    default:
      return undefined;
  }
}

/** ext4: super.h; a last group that is too small for its own tables is left out (resize2fs, adjust_fs_info). */
function extSize(head: Buffer, partitionBytes: number): FilesystemSize | undefined {
  const at = 1024;
  if (head.readUInt16LE(at + 0x38) !== 0xef53) return undefined;
  const blockBytes = 1024 << head.readUInt32LE(at + 0x18);
  const is64 = (head.readUInt32LE(at + 0x60) & 0x80) !== 0;
  const blocks = head.readUInt32LE(at + 0x04) + (is64 ? head.readUInt32LE(at + 0x150) * 2 ** 32 : 0);
  const firstBlock = head.readUInt32LE(at + 0x14);
  const groupBlocks = head.readUInt32LE(at + 0x20);
  if (groupBlocks === 0) return undefined;
  const inodeBytes = head.readUInt32LE(at + 0x4c) === 0 ? 128 : head.readUInt16LE(at + 0x58);
  const inodeBlocks = Math.ceil((head.readUInt32LE(at + 0x28) * inodeBytes) / blockBytes);
  const wanted = Math.floor(partitionBytes / blockBytes);
  const groups = Math.ceil((wanted - firstBlock) / groupBlocks);
  const descriptorBlocks = Math.ceil((groups * (is64 ? head.readUInt16LE(at + 0xfe) || 32 : 32)) / blockBytes);
  const overhead = 3 + inodeBlocks + descriptorBlocks + head.readUInt16LE(at + 0xce);
  const rest = (wanted - firstBlock) % groupBlocks;
  const grown = groups > 1 && rest > 0 && rest < overhead + 50 ? wanted - rest : wanted;
  return { sizeBytes: blocks * blockBytes, grownBytes: Math.max(grown, blocks) * blockBytes };
}

/**
 * XFS: xfs_sb; a last allocation group below 64 blocks is left out. While it is mounted the superblock on the disk may be
 * an older one; statfs counts all but an internal log.
 */
function xfsSize(head: Buffer, partitionBytes: number, mountedBytes?: number): FilesystemSize | undefined {
  if (head.toString('latin1', 0, 4) !== 'XFSB') return undefined;
  const blockBytes = head.readUInt32BE(4);
  const groupBlocks = head.readUInt32BE(84);
  if (blockBytes === 0 || groupBlocks === 0) return undefined;
  const logBlocks = head.readBigUInt64BE(48) === 0n ? 0 : head.readUInt32BE(96);
  const blocks = mountedBytes === undefined ? Number(head.readBigUInt64BE(8)) : mountedBytes / blockBytes + logBlocks;
  const wanted = Math.floor(partitionBytes / blockBytes);
  const rest = wanted % groupBlocks;
  const grown = rest < 64 ? wanted - rest : wanted;
  return { sizeBytes: blocks * blockBytes, grownBytes: Math.max(grown, blocks) * blockBytes };
}

/** btrfs: the device item in the superblock at 64 KiB. */
function btrfsSize(head: Buffer, partitionBytes: number): FilesystemSize | undefined {
  const at = 64 << 10;
  if (head.toString('latin1', at + 0x40, at + 0x48) !== '_BHRfS_M') return undefined;
  const sectorBytes = head.readUInt32LE(at + 0x90);
  const deviceId = Number(head.readBigUInt64LE(at + 0xc9));
  const sizeBytes = Number(head.readBigUInt64LE(at + 0xd1));
  if (sectorBytes === 0) return undefined;
  const grown = partitionBytes < BTRFS_MIN_BYTES ? 0 : Math.floor(partitionBytes / sectorBytes) * sectorBytes;
  return { sizeBytes, grownBytes: Math.max(grown, sizeBytes), deviceId };
}
