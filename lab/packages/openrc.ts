// OpenRC from Debian's packages, unpacked and not installed: what its scripts do can then be tried in a chroot of this
// host's own programs. Downloaded once, with the lists of an apt that isn't the host's.

import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';
import { cacheDirectory, cached, keyOf, pruneCache } from '../cache.ts';
import { lockCache } from '../cache-lock.ts';
import type { BuildOptions } from '../demo/base.ts';
import { withWorkTree } from '../work-tree.ts';
import { downloadPackages } from './repository.ts';

const PACKAGES = ['openrc', 'librc1', 'libeinfo1'];

/**
 * The tree of OpenRC's files (`sbin/openrc-run`, `lib/rc`, …); not to be written to.
 * @throws HoldfastError HF-COMMAND when the host's apt can't download and nothing is cached.
 */
export async function ensureOpenRc(options: BuildOptions): Promise<string> {
  return await lockCache(options, async () => {
    const made = await cached(`openrc-${keyOf('bookworm', ...PACKAGES)}`, async (directory) => {
      options.log('downloading OpenRC');
      mkdirSync(directory);
      await withWorkTree(join(cacheDirectory(), 'work'), async (work) => {
        const archives = await downloadPackages(work, PACKAGES, { signal: options.signal });
        for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb')))
          await runChecked(['dpkg-deb', '--extract', join(archives, file), directory]);
      });
    });
    if (made.made) await pruneCache(cacheDirectory(), /^openrc-[0-9a-f]{16}$/, 2);
    return made.path;
  });
}
