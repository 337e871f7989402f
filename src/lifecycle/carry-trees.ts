// The trees that carrying an overlay compares, mounted: the old base, the old view, the new base. All of them read-only;
// a view that isn't running is put together in a file first, since only that can be looked at without device-mapper.

import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BASE_DIRECTORY } from '../boot/attached-overlay.ts';
import { OVERLAY_WORK_FILES } from '../slots/names.ts';
import { cloneSlotFile } from '../slots/slot-file.ts';
import { HoldfastError } from '../system/errors.ts';
import { attachLoop } from '../system/loopdevices.ts';
import { bindMount, mount, unmount } from '../system/mounts.ts';
import type { ApplyContext, UndoStack } from '../system/plan.ts';
import { commandFailed, run, runChecked } from '../system/process.ts';
import { Root } from '../system/root.ts';
import type { CarryTrees } from './carry-engine.ts';
import type { OldView } from './find-overlay.ts';

/** A journal of this size in a view of at least so many bytes; what mke2fs takes at least, and what attaching adds. */
const JOURNAL_MIB = 4;

type Work = Pick<ApplyContext, 'undo' | 'signal' | 'progress'>;
type Places = { stateDirectory: string; workDirectory: string };

/** Mounts the old base and the old view. `close` unmounts both; so does the end of the plan. */
export async function openOldTrees(
  work: Work,
  view: OldView,
  { stateDirectory, workDirectory }: Places,
): Promise<Pick<CarryTrees, 'oldBase' | 'oldView'> & { close: () => Promise<void> }> {
  const { undo } = work;
  const at = join(workDirectory, 'old-view');
  if (view.kind === 'running') {
    await bindMount('/', at);
    const close = undo.always(`unmount ${at}`, () => unmount(at));
    // Else reading would change times of what is read.
    await runChecked(['mount', '-o', 'remount,bind,ro', at]);
    return { oldBase: BASE_DIRECTORY, oldView: at, close };
  }
  const base = await openImage(undo, view.baseFile, join(workDirectory, 'old-base'), { readOnly: true });
  const file = join(stateDirectory, OVERLAY_WORK_FILES.oldView);
  const remove = undo.always(`remove ${file}`, () => rmSync(file, { force: true }));
  const { writeFlatImage } = await import('../overlay/flat-image.ts');
  const { signal } = work;
  await writeFlatImage({ base: view.baseFile, cow: view.cow, to: file, signal, progress: asBytes(work) });
  await repairView(file);
  const flat = await openImage(undo, file, at, { readOnly: true });
  return {
    oldBase: base.root.directory,
    oldView: flat.root.directory,
    close: async () => {
      await flat.close();
      await base.close();
      await remove();
    },
  };
}

/** Progress in bytes, as src/overlay tells it. */
export function asBytes({ progress }: Pick<ApplyContext, 'progress'>): (done: number, total: number) => void {
  return (done, total) => progress({ done, total, unit: 'bytes' });
}

/** What a crash left open in a view is closed as at a boot. */
export async function repairView(file: string): Promise<void> {
  const result = await run(['e2fsck', '-f', '-p', file]);
  // e2fsck(8): 0 clean, 1 errors were corrected.
  if (result.status === 0 || result.status === 1) return;
  throw new HoldfastError('HF-STATE', 'the file system in the overlay is damaged', {
    cause: commandFailed(result),
    hint: 'holdfast overlay check says more, holdfast overlay repair works on a copy',
  });
}

/**
 * Makes a view that can be written: a clone of a file with a journal in it, since a base has none and a crash would
 * otherwise go unnoticed.
 * @param from the new base, or a view that was made before.
 */
export async function makeView(undo: UndoStack, from: string, file: string): Promise<void> {
  rmSync(file, { force: true });
  undo.onFailure(`remove ${file}`, () => rmSync(file, { force: true }));
  await cloneSlotFile(from, file);
  // What comes into it may be nobody else's to read.
  chmodSync(file, 0o600);
  await addJournal(file);
}

export async function addJournal(file: string): Promise<void> {
  const features = await runChecked(['dumpe2fs', '-h', file], { env: { ...process.env, LC_ALL: 'C' } });
  if (!/^Filesystem features:.*\bhas_journal\b/m.test(features)) {
    await runChecked(['tune2fs', '-j', '-J', `size=${JOURNAL_MIB}`, file]);
  }
  // A view that can't be written any more must say so (after an overflow writes would seem to succeed).
  await runChecked(['tune2fs', '-e', 'remount-ro', file]);
}

/** Mounts an image file that holds a base or a view. */
export async function openImage(
  undo: UndoStack,
  file: string,
  at: string,
  { readOnly }: { readOnly: boolean },
): Promise<{ root: Root; close: () => Promise<void> }> {
  const { device, detach } = await attachLoop(undo, file, { readOnly });
  await mount(device, at, {
    type: 'ext4',
    options: readOnly ? ['ro', 'noload'] : ['rw', 'noinit_itable', 'nobarrier'],
  });
  const close = undo.always(`unmount ${at}`, () => unmount(at));
  return {
    root: new Root(at),
    close: async () => {
      await close();
      await detach();
    },
  };
}
