// Makes a COW larger, in use or not: the file first, allocated, then the loop device over it; the snapshot sees the new
// size at once, mounted as it is (kernel: it asks the device for its size at every allocation).

import { UndoStack } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import type { Work } from './byte-file.ts';
import { extendCow } from './cow-create.ts';
import { sizeOfBase } from './fingerprint.ts';
import { loopOf } from './in-use.ts';
import { lockCow } from './set-lock.ts';

/**
 * Grows a COW to at least `sizeBytes`, rounded up to a good size.
 * @returns its size, and the loop device that was told.
 * @throws HoldfastError HF-NO-SPACE; the file is as before then.
 */
export async function growCow(
  file: string,
  sizeBytes: number,
  work: Work = {},
): Promise<{ sizeBytes: number; loop: string | undefined }> {
  const undo = new UndoStack();
  try {
    // The watch and the owner may both be at it.
    await lockCow(undo, file);
    const loop = await loopOf(file);
    const grown = await extendCow(file, sizeBytes, work, loop === undefined ? 0 : sizeOfBase(loop));
    // Also when the file was long enough: a run that was killed may have left the device behind.
    if (loop !== undefined) await runChecked(['losetup', '--set-capacity', loop]);
    return { sizeBytes: grown, loop };
  } finally {
    await undo.unwind(true);
  }
}
