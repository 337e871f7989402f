// Scratch directories in which root file systems are built. Such a tree may have the host's own /dev or /proc mounted
// inside, so removing one first unmounts what is below it and never crosses into another filesystem.

import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { listMounts, unmount } from '../src/system/mounts.ts';
import { runChecked } from '../src/system/process.ts';
import { kernelPath } from '../src/system/processes.ts';

let serial = 0;

/** Unmounts whatever is mounted at or below a directory, the innermost first. */
export async function unmountBelow(directory: string): Promise<void> {
  const real = kernelPath(directory);
  const below = listMounts().filter(({ mountPoint }) => mountPoint === real || mountPoint.startsWith(`${real}/`));
  for (const { mountPoint } of below.reverse()) await unmount(mountPoint);
}

/** Removes a file or tree with everything in it; nothing happens when it isn't there. */
export async function removeTree(path: string): Promise<void> {
  if (!existsSync(path)) return;
  await unmountBelow(path);
  await runChecked(['rm', '-rf', '--one-file-system', '--', path]);
}

/**
 * Runs `work` with an empty scratch directory and removes the directory afterwards, however the work ended. Directories
 * that a killed process left in the same place are removed first.
 * @param parent a directory for scratch directories alone; it is made if missing.
 */
export async function withWorkTree<T>(parent: string, work: (directory: string) => Promise<T>): Promise<T> {
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) {
    if (!existsSync(`/proc/${name.split('-')[0]}`)) await removeTree(join(parent, name));
  }
  const directory = join(parent, `${process.pid}-${++serial}`);
  await removeTree(directory);
  mkdirSync(directory);
  try {
    return await work(directory);
  } finally {
    await removeTree(directory);
  }
}
