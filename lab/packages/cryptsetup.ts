// cryptsetup with the libraries that the demo system lacks, as a tree that a guest runs it from: the demo system itself has no
// use for it, and no test on the host has a kernel for it.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';
import { cacheDirectory, cached, keyOf, pruneCache } from '../cache.ts';
import { lockCache } from '../cache-lock.ts';
import { type BuildOptions, baseKey, ensureBaseTar } from '../demo/base.ts';
import { withWorkTree } from '../work-tree.ts';
import { downloadPackages } from './repository.ts';

/** Part of the key: raise it when the way of building changes. */
const RECIPE = '3';

/**
 * Returns a directory with `cryptsetup`, which can be run from wherever the directory is mounted as the first argument of its
 * script says: `sh DIRECTORY/cryptsetup DIRECTORY …`.
 * @throws HoldfastError HF-COMMAND when the host's apt can't download and nothing is cached.
 */
export async function ensureCryptsetup(options: BuildOptions): Promise<string> {
  return await lockCache(options, async () => {
    const base = await ensureBaseTar(options);
    const made = await cached(`cryptsetup-${keyOf(RECIPE, baseKey())}`, async (directory) => {
      options.log('downloading cryptsetup');
      mkdirSync(directory);
      await withWorkTree(join(cacheDirectory(), 'work'), async (work) => {
        const status = './var/lib/dpkg/status';
        await runChecked(['tar', '--extract', '--file', base.path, '--directory', work, status]);
        const archives = await downloadPackages(work, ['cryptsetup-bin'], {
          installedList: join(work, status),
          signal: options.signal,
        });
        const tree = join(work, 'tree');
        for (const file of readdirSync(archives)) {
          if (file.endsWith('.deb')) await runChecked(['dpkg-deb', '--extract', join(archives, file), tree]);
        }
        // Without links: whoever copies the tree might make them absolute.
        for (const path of ['sbin', 'usr/sbin', 'lib', 'usr/lib']) {
          if (!existsSync(join(tree, path))) continue;
          mkdirSync(join(directory, path), { recursive: true });
          await runChecked(['cp', '-RLT', join(tree, path), join(directory, path)]);
        }
      });
      const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].map((path) => `"$at/${path}"`).join(':');
      writeFileSync(
        join(directory, 'cryptsetup'),
        `#!/bin/sh\nat=$1\nshift\nexport LD_LIBRARY_PATH=${libraries}\nfor program in "$at"/sbin/cryptsetup "$at"/usr/sbin/cryptsetup; do\n    [ ! -x "$program" ] || exec "$program" "$@"\ndone\nexit 127\n`,
        { mode: 0o755 },
      );
    });
    if (made.made) await pruneCache(cacheDirectory(), /^cryptsetup-[0-9a-f]{16}$/, 2);
    return made.path;
  });
}
