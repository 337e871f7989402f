// Making the owner's partitions empty. A new file system has the old label, so that every boot finds it; a partition whose
// making was cut off is found by its name and made again.

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fsyncPath } from '../system/durable.ts';
import { messageOf } from '../system/errors.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import { mount, unmount } from '../system/mounts.ts';
import { runChecked } from '../system/process.ts';

type Filesystem = 'ext2' | 'ext3' | 'ext4' | 'xfs' | 'btrfs';

const MKFS: Readonly<Record<Filesystem, readonly [string, ...string[]]>> = {
  ext2: ['mkfs.ext2', '-q', '-F', '-L'],
  ext3: ['mkfs.ext3', '-q', '-F', '-L'],
  ext4: ['mkfs.ext4', '-q', '-F', '-L'],
  xfs: ['mkfs.xfs', '-q', '-f', '-m', 'reflink=1', '-L'],
  btrfs: ['mkfs.btrfs', '-q', '-f', '-L'],
};

function isFilesystem(type: string | undefined): type is Filesystem {
  return type !== undefined && type in MKFS;
}

/** The program that makes a partition's file system anew, as the kind that it has now; ext4 where it has none. */
export async function makerOf(
  device: string,
  otherwise: Filesystem = 'ext4',
): Promise<{ type: Filesystem; program: string }> {
  const { type } = await probeFilesystem(device);
  const kind = isFilesystem(type) ? type : otherwise;
  return { type: kind, program: MKFS[kind][0] };
}

/** Makes an empty file system on an unmounted partition; it is on the disk when this returns. */
export async function formatPartition(device: string, options: { type: Filesystem; label: string }): Promise<void> {
  await runChecked([...MKFS[options.type], options.label, device]);
  fsyncPath(device);
}

/**
 * Makes a partition empty. Where it is mounted and can't be unmounted, its files are removed instead.
 * @param mountPoint where it is mounted now; it is mounted there again.
 * @returns what else is to be told.
 */
export async function wipePartition(
  device: string,
  mountPoint: string | undefined,
  label: string,
): Promise<{ notice?: string }> {
  const { type } = await makerOf(device);
  if (mountPoint !== undefined) {
    try {
      await unmount(mountPoint);
    } catch (error) {
      for (const name of readdirSync(mountPoint)) {
        if (name !== 'lost+found') rmSync(join(mountPoint, name), { recursive: true, force: true });
      }
      fsyncPath(mountPoint);
      return { notice: `the files on ${label} were removed one by one: ${messageOf(error)}` };
    }
  }
  await formatPartition(device, { type, label });
  if (mountPoint !== undefined) await mount(device, mountPoint);
  return {};
}
