// Where states of a disk are made: an XFS in a file, on which a copy of a disk is a clone that costs no time and no room.

import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';
import { cacheDirectory } from '../cache.ts';
import { withWorkTree } from '../work-tree.ts';

/** Sparse; what is in it are differences. */
const SIZE_BYTES = 60 * 2 ** 30;

/** Runs `work` with such a directory, which is gone afterwards. */
export function withScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  // The parent's name is the work trees' own: whatever a killed run has left mounted is unmounted by the next.
  return withWorkTree(join(cacheDirectory(), 'crash'), async (tree) => {
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
