// Directories that an action works in, and mounts things in. They are removed at its end whatever happened before, and
// removing must never reach through a mount that could not be taken down: below it may be all that the owner has.

import { readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, HoldfastError } from './errors.ts';
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

/**
 * Removes a directory that holds nothing but mount points, with those in it; what isn't empty or still mounted stays, and
 * nothing that was mounted is ever reached. One that isn't there is fine.
 */
export function removeMountPoints(directory: string): void {
  const paths = [...listNames(directory).map((name) => join(directory, name)), directory];
  for (const path of paths) {
    try {
      rmdirSync(path);
    } catch (error) {
      if (!['ENOTEMPTY', 'EBUSY', 'ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
}

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
