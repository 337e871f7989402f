// How a finished recovery system takes the place of the old one on RECOVERY: by rename, then a freeze, since GRUB reads
// the partition without replaying its journal. GRUB takes a squashfs where there is one, so a file of the other kind goes
// only when the new one is on the disk.

import { existsSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { freezeAndThaw, fsyncPath, linkDurably, renameDurably } from '../system/durable.ts';
import { runChecked } from '../system/process.ts';
import { LEAVING_FILE, RECOVERY_SQUASHFS, RUNNING_FILE, SLOT_FILES } from './names.ts';
import { replaceSlotFile } from './swap.ts';

export type RecoveryKind = 'image' | 'squashfs';

/** The name of a recovery system's file by its kind. */
export function recoveryFileOf(kind: RecoveryKind): string {
  return kind === 'squashfs' ? RECOVERY_SQUASHFS : SLOT_FILES.recovery;
}

/**
 * Renames a finished file over the recovery system.
 * @param file the finished file on the same partition.
 * @param options.keepRunning what the machine runs from: that file keeps another name until the reboot.
 */
export async function activateRecovery(
  recoveryDirectory: string,
  file: string,
  kind: RecoveryKind,
  options: { keepRunning: RecoveryKind | undefined },
): Promise<void> {
  fsyncPath(file);
  if (options.keepRunning !== undefined) {
    const running = join(recoveryDirectory, RUNNING_FILE);
    rmSync(running, { force: true });
    linkDurably(join(recoveryDirectory, recoveryFileOf(options.keepRunning)), running);
  }
  await replaceSlotFile(recoveryDirectory, relative(recoveryDirectory, file), recoveryFileOf(kind));
  const other = join(recoveryDirectory, recoveryFileOf(kind === 'image' ? 'squashfs' : 'image'));
  if (!existsSync(other)) return;
  // Another name first: whoever still sees the old one reads a whole file.
  const leaving = join(recoveryDirectory, LEAVING_FILE);
  renameDurably(other, leaving);
  await freezeAndThaw(recoveryDirectory);
  rmSync(leaving);
}

/** What GRUB reads of a squashfs is gzip, lzo and xz; xz is the smallest (cOS builds its recovery system so). */
const COMPRESSION = ['-b', '1024k', '-comp', 'xz', ...(process.arch === 'x64' ? ['-Xbcj', 'x86'] : [])];

/**
 * Packs a tree as a squashfs and puts the file on the disk.
 * @throws HoldfastError HF-COMMAND with mksquashfs' last words, for example that the partition is full.
 */
export async function makeSquashfs(tree: string, file: string, signal: AbortSignal): Promise<void> {
  rmSync(file, { force: true });
  await runChecked(['mksquashfs', tree, file, '-noappend', '-no-progress', ...COMPRESSION, '-e', 'lost+found'], {
    signal,
  });
  fsyncPath(file);
}
