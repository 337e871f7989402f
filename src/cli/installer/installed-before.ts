// Whether a disk's system was installed unattended by the same request. With `force` in it and the medium still in, each
// start would erase what the last one has installed, and what its owner did with it since; this is what ends that.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspectDisk } from '../../lifecycle/inspect-install.ts';
import { UNATTENDED_MARK } from '../../lifecycle/install.ts';
import type { Labels } from '../../slots/names.ts';
import { HoldfastError } from '../../system/errors.ts';
import { attachLoop } from '../../system/loopdevices.ts';
import { mountUntilEnd } from '../../system/mounts.ts';
import { UndoStack } from '../../system/plan.ts';
import { removeWorkDirectory } from '../../system/work-directory.ts';
import type { InstallSection } from './install-section.ts';

/**
 * What stands for a request: the section alone. The rest of the files may differ from start to start (an address that answers
 * with the time in it), and is the owner's to change once it is in /oem.
 */
export function markOf({ auto, device, settings }: Pick<InstallSection, 'auto' | 'device' | 'settings'>): string {
  const values = settings.map(({ key, value }) => [key, value]);
  return createHash('sha256').update(JSON.stringify({ auto, device, values })).digest('hex');
}

/**
 * Looks for the mark that an install has left on COS_STATE. An install that was cut short has installed nothing.
 * @throws HoldfastError HF-TARGET when there is a system and its COS_STATE can't be looked into: it is not erased then.
 */
export async function wasInstalledBy(mark: string, path: string, labels: Labels): Promise<boolean> {
  const undo = new UndoStack();
  const workDirectory = `/run/holdfast/installed-before-${process.pid}`;
  undo.always(`remove ${workDirectory}`, () => removeWorkDirectory(workDirectory));
  try {
    const { found, content, users } = await inspectDisk(path, labels, workDirectory);
    // A disk in use is refused in words of its own.
    if (content.kind !== 'system' || users.length > 0) return false;
    const state = found.find(({ label }) => label === labels.partitions.state);
    if (state === undefined) return false;
    const { startBytes, sizeBytes, type } = state;
    const { device } = await attachLoop(undo, path, { offsetBytes: startBytes, sizeBytes, readOnly: true });
    const unreplayed = type === 'xfs' ? ['norecovery'] : type?.startsWith('ext') ? ['noload'] : [];
    const at = join(workDirectory, 'state');
    await mountUntilEnd(undo, device, at, { options: ['ro', ...unreplayed] });
    const file = join(at, UNATTENDED_MARK);
    return existsSync(file) && readFileSync(file, 'utf8').trim() === mark;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'HF-MOUNT') throw error;
    throw new HoldfastError(
      'HF-TARGET',
      `${path} holds an installed system, and its ${labels.partitions.state} can't be read: it may be one that this medium has installed`,
      { cause: error, hint: 'nothing was changed; to erase it: holdfast install --force' },
    );
  } finally {
    await undo.unwind(true);
  }
}
