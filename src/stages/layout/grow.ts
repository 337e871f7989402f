// Grows a filesystem to the size of its partition, in place: while it is mounted where it is, else with a check before
// (ext) or mounted for a moment (xfs, btrfs can't otherwise). Nothing here is interrupted half-way.

import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../system/errors.ts';
import { syncFilesystem } from '../../system/filesystems.ts';
import { mountUntilEnd } from '../../system/mounts.ts';
import type { UndoStack } from '../../system/plan.ts';
import { commandFailed } from '../../system/process.ts';
import { growsBy } from './formats.ts';
import { runLocked, runLockedChecked } from './write.ts';

export interface GrowingFilesystem {
  /** As blkid calls it. */
  type: string;
  /** Where it is mounted for writing. */
  mountPoint?: string;
  /** btrfs. */
  deviceId?: number;
}

/** The programs that growing needs. */
export function growTools({ type, mountPoint }: GrowingFilesystem): string[] {
  const mounting = mountPoint === undefined ? ['mount', 'umount'] : [];
  switch (growsBy(type)) {
    case 'ext':
      return mountPoint === undefined ? ['e2fsck', 'resize2fs'] : ['resize2fs'];
    case 'xfs':
      return ['xfs_growfs', ...mounting];
    default:
      return ['btrfs', ...mounting];
  }
}

/** @throws HoldfastError HF-COMMAND with the tool's last words; the filesystem is then as it was, and the next run tries. */
export async function growFilesystem(
  disk: string,
  device: string,
  filesystem: GrowingFilesystem,
  undo: UndoStack,
): Promise<void> {
  const { type, mountPoint } = filesystem;
  const way = growsBy(type);
  if (way === 'ext') return growExt(disk, device, mountPoint !== undefined);
  if (way === undefined) throw new HoldfastError('HF-TARGET', `${type} can't grow`);
  if (mountPoint !== undefined) return growMounted(disk, mountPoint, filesystem);
  const parent = existsSync('/run') ? '/run' : tmpdir();
  const directory = mkdtempSync(join(parent, 'holdfast-grow-'));
  const forget = undo.always(`remove ${directory}`, () => rmdirSync(directory));
  // Another disk with a copy of the same filesystem may be mounted.
  const options = way === 'xfs' ? { options: ['nouuid'] } : {};
  const unmountNow = await mountUntilEnd(undo, device, directory, { type, ...options });
  await growMounted(disk, directory, filesystem);
  await unmountNow();
  await forget();
}

async function growExt(disk: string, device: string, mounted: boolean): Promise<void> {
  if (!mounted) {
    const check = await runLocked(disk, ['e2fsck', '-f', '-y', device]);
    // e2fsck(8): 1 means that errors were corrected.
    if (check.status !== 0 && check.status !== 1) throw commandFailed(check);
  }
  await runLockedChecked(disk, ['resize2fs', device]);
}

async function growMounted(disk: string, mountPoint: string, { type, deviceId = 1 }: GrowingFilesystem): Promise<void> {
  if (type === 'xfs') return runLockedChecked(disk, ['xfs_growfs', mountPoint]);
  await runLockedChecked(disk, ['btrfs', 'filesystem', 'resize', `${deviceId}:max`, mountPoint]);
  // Until the next commit its superblock says the old size.
  await syncFilesystem(mountPoint);
}
