// A file that holds a root file system, a squashfs or an image of ext4 and its like, as the source of a system (`file:`).
// It is mounted read-only for as long as it is used and read as a tree; on the medium it may be a part of a larger file.

import { mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import { attachLoop } from '../system/loopdevices.ts';
import { mountUntilEnd } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import { openTree, type TreeImage } from './tree.ts';

/** What a root file system can be in. */
const TYPES = ['squashfs', 'erofs', 'ext2', 'ext3', 'ext4', 'xfs', 'btrfs'];
/** So that nothing is written to the file, not even a journal's end. */
const READ_ONLY: Readonly<Record<string, readonly string[]>> = {
  ext3: ['noload'],
  ext4: ['noload'],
  xfs: ['norecovery'],
};

export interface FilesystemFileOptions {
  /** Unmounts it when the image isn't needed any more. */
  undo: UndoStack;
  /** The part of the file, in bytes; default: all of it. */
  part?: { offsetBytes: number; sizeBytes: number } | undefined;
  /** How the source is named; default `file:PATH`. */
  source?: string | undefined;
}

/**
 * Mounts it below /run/holdfast.
 * @throws HoldfastError HF-NO-SOURCE when it isn't there or holds no root file system, HF-MOUNT when this kernel can't read it.
 */
export async function openFilesystemFile(path: string, options: FilesystemFileOptions): Promise<TreeImage> {
  const { undo, part, source = `file:${resolve(path)}` } = options;
  requireTools(['blkid', 'losetup', 'mount', 'umount']);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new HoldfastError('HF-NO-SOURCE', `${path} is no file`, {
      hint: 'file: wants an image of a root file system',
    });
  }
  const { device } = await attachLoop(undo, resolve(path), { ...part, readOnly: true });
  const { type } = await probeFilesystem(device);
  if (type === undefined || !TYPES.includes(type)) {
    throw new HoldfastError(
      'HF-NO-SOURCE',
      `${source} holds ${type ?? 'nothing that is known'}, not a root file system`,
      {
        hint: `it may be ${TYPES.join(', ')}; of a whole disk name the image that was installed on it`,
      },
    );
  }
  const mountPoint = workDirectory(undo);
  await mountUntilEnd(undo, device, mountPoint, { type, options: ['ro', ...(READ_ONLY[type] ?? [])] });
  const { directory, kind, digest } = openTree(mountPoint);
  return { directory, kind, digest, source };
}

function workDirectory(undo: UndoStack): string {
  mkdirSync('/run/holdfast', { recursive: true });
  const directory = mkdtempSync(join('/run/holdfast', `source-${process.pid}-`));
  undo.always(`remove ${directory}`, () => rmdirSync(directory));
  return directory;
}
