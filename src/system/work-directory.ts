// Directories that an action works in, and mounts things in. They are removed at its end whatever happened before, and
// removing must never reach through a mount that could not be taken down: below it may be all that the owner has.

import { rmSync } from 'node:fs';
import { HoldfastError } from './errors.ts';
import { listMounts, type Mount } from './mounts.ts';
import { kernelPath } from './processes.ts';

/** What is mounted below a directory, or on it, in the order of mounting. */
export function mountsBelow(directory: string, mounts: readonly Mount[] = listMounts()): Mount[] {
  const real = kernelPath(directory);
  return mounts.filter(({ mountPoint }) => mountPoint === real || mountPoint.startsWith(`${real}/`));
}

/**
 * Removes a directory with everything in it; one that isn't there is fine.
 * @throws HoldfastError HF-MOUNT, with nothing removed, when something is mounted in it.
 */
export function removeWorkDirectory(directory: string): void {
  const mounted = mountsBelow(directory);
  if (mounted.length > 0) {
    const places = [...new Set(mounted.map(({ mountPoint }) => mountPoint))];
    throw new HoldfastError('HF-MOUNT', `it stays, since ${places.join(', ')} could not be unmounted`, {
      hint: `umount --recursive ${directory}`,
    });
  }
  rmSync(directory, { recursive: true, force: true });
}
