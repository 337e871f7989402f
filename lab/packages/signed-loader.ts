// Debian's signed boot loader, as files for a demo image: shim with Microsoft's signature, its key manager and GRUB with
// Debian's. The packages are unpacked, not installed: their scripts would look for a machine to boot.

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';
import { cacheDirectory, cached, keyOf, pruneCache } from '../cache.ts';
import { lockCache } from '../cache-lock.ts';
import type { BuildOptions } from '../demo/base.ts';
import type { DemoFiles } from '../demo/content.ts';
import { withWorkTree } from '../work-tree.ts';
import { downloadPackages } from './repository.ts';

const PACKAGES = ['shim-signed', 'shim-helpers-amd64-signed', 'grub-efi-amd64-signed'];

const FILES = [
  'usr/lib/shim/shimx64.efi.signed',
  'usr/lib/shim/mmx64.efi.signed',
  'usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed',
];

/**
 * Returns the files, downloading what isn't in the cache.
 * @throws HoldfastError HF-COMMAND when the host's apt can't download and nothing is cached.
 */
export async function signedLoaderFiles(options: BuildOptions): Promise<DemoFiles> {
  return await lockCache(options, async () => {
    const { path, made } = await cached(`signed-loader-${keyOf(...PACKAGES, ...FILES)}`, async (directory) => {
      options.log(`downloading ${PACKAGES.join(', ')}`);
      mkdirSync(directory);
      await withWorkTree(join(cacheDirectory(), 'work'), async (work) => {
        const archives = await downloadPackages(work, PACKAGES, { signal: options.signal });
        for (const name of readdirSync(archives)) {
          if (name.endsWith('.deb')) await runChecked(['dpkg-deb', '--extract', join(archives, name), directory]);
        }
      });
    });
    if (made) await pruneCache(cacheDirectory(), /^signed-loader-[0-9a-f]{16}$/, 1);
    return Object.fromEntries(FILES.map((file) => [file, { text: readFileSync(join(path, file)) }]));
  });
}
