// Which files of the running system differ from its base. The running view is looked at through a bind mount of `/` alone,
// so that what is mounted elsewhere in it doesn't count.

import { rmdirSync } from 'node:fs';
import { BASE_DIRECTORY } from '../boot/attached-overlay.ts';
import { HoldfastError } from '../system/errors.ts';
import { bindMount, mountAt, unmount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { findChanges } from './rebase/changes.ts';
import { type PathText, textOfPath } from './rebase/path-text.ts';

export type ChangedFile = PathText & { kind: 'added' | 'changed' | 'deleted' };

/**
 * Compares the running system with its base.
 * @throws HoldfastError HF-STATE where no base is mounted: this system runs without an overlay.
 */
export async function listChangedFiles(undo: UndoStack, signal: AbortSignal): Promise<ChangedFile[]> {
  if (mountAt(BASE_DIRECTORY) === undefined) {
    throw new HoldfastError('HF-STATE', 'this system runs without an overlay, so nothing in / is changed', {
      hint: 'holdfast overlay export writes one that isn’t running as an image, which can be mounted',
    });
  }
  const view = `/run/holdfast/overlay-view-${process.pid}`;
  // Never what is in it: if it could not be unmounted, that is /.
  undo.always(`remove ${view}`, () => rmdirSync(view));
  await bindMount('/', view);
  undo.always(`unmount ${view}`, () => unmount(view));
  const { changes } = await findChanges({ oldBase: BASE_DIRECTORY, oldView: view }, { signal });
  return changes.map(({ path, kind }) => ({ ...textOfPath(path), kind }));
}
