// Where states of a disk are made: an XFS in a file, on which a copy of a disk is a clone that costs no time and no room.

import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listMounts, unmount } from '../../src/system/mounts.ts';
import { runChecked } from '../../src/system/process.ts';
import { cacheDirectory } from '../cache.ts';
import { withWorkTree } from '../work-tree.ts';
import { detachStale } from './hidden-loops.ts';

/** Sparse; what is in it are differences. */
const SIZE_BYTES = 60 * 2 ** 30;

/** Runs `work` with such a directory, which is gone afterwards. */
export async function withScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const parent = join(cacheDirectory(), 'crash');
  await takeAwayStale(parent);
  return await withWorkTree(parent, async (tree) => {
    const file = join(tree, 'scratch.img');
    writeFileSync(file, '');
    truncateSync(file, SIZE_BYTES);
    await runChecked(['mkfs.xfs', '-q', '-m', 'reflink=1', file]);
    const directory = join(tree, 'scratch');
    mkdirSync(directory);
    await runChecked(['mount', '-o', 'loop', file, directory]);
    try {
      return await work(directory);
    } catch (error) {
      // A directory that can't be cleaned up would be all that is heard of it.
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      throw error;
    }
  });
}

/** What a killed run has left: mounts of states, and the loop devices below them. The tree itself goes afterwards. */
async function takeAwayStale(parent: string): Promise<void> {
  const isStale = (name: string) => !existsSync(`/proc/${name.split('-')[0]}`);
  for (const { mountPoint } of listMounts().reverse()) {
    const below = mountPoint.startsWith(`${parent}/`) ? mountPoint.slice(parent.length + 1) : '';
    if (below.includes('/scratch/') && isStale(below)) await unmount(mountPoint);
  }
  await detachStale(parent, isStale);
}
