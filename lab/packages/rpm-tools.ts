// rpm from Debian's packages, for trees that stand for a distribution with rpm: with what it needs and the lab's base hasn't.
// Downloaded once, with the lists of an apt that isn't the host's.

import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';
import { cacheDirectory, cached, keyOf, pruneCache } from '../cache.ts';
import { lockCache } from '../cache-lock.ts';
import { type BuildOptions, baseKey, ensureBaseTar } from '../demo/base.ts';
import { withWorkTree } from '../work-tree.ts';
import { downloadPackages } from './repository.ts';

/**
 * The directory of Debian packages that bring rpm and rpmbuild to the lab's base.
 * @throws HoldfastError HF-COMMAND when the host's apt can't download and nothing is cached.
 */
export async function ensureRpmTools(options: BuildOptions): Promise<string> {
  return await lockCache(options, async () => {
    const base = await ensureBaseTar(options);
    const made = await cached(`rpm-${keyOf(baseKey(), 'rpm')}`, async (directory) => {
      options.log('downloading rpm');
      mkdirSync(directory);
      await withWorkTree(join(cacheDirectory(), 'work'), async (work) => {
        const status = './var/lib/dpkg/status';
        await runChecked(['tar', '--extract', '--file', base.path, '--directory', work, status]);
        const installedList = join(work, status);
        const archives = await downloadPackages(work, ['rpm'], { installedList, signal: options.signal });
        for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb')))
          renameSync(join(archives, file), join(directory, file.replaceAll('%3a', '-')));
      });
    });
    if (made.made) await pruneCache(cacheDirectory(), /^rpm-[0-9a-f]{16}$/, 2);
    return made.path;
  });
}
