// The system of a crash test's guest: Debian's root from the demo system's base, as an ext4 image that the cloud kernel
// mounts from an NVMe disk by itself. It is never written to, so that it can be kept for as long as its base is the same.

import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';
import { cacheDirectory, cached, keyOf, keyOfFiles, PROJECT_DIRECTORY, pruneCache } from '../cache.ts';
import { lockCache } from '../cache-lock.ts';
import { type BuildOptions, baseKey, ensureBaseTar } from '../demo/base.ts';
import { withWorkTree } from '../work-tree.ts';

/** Part of the key: raise it when the way of building changes. */
const RECIPE = '1';
const INIT = join(PROJECT_DIRECTORY, 'lab/crash/guest-init.sh');
/** What the base lacks and `holdfast install` needs; the guest has the same Debian as the host. */
const HOST_PROGRAMS = ['/usr/bin/mtools'];

export interface GuestRoot {
  /** ext4, without a partition table. */
  image: string;
  kernel: string;
}

/** Returns the guest's root and kernel, making them when the cache doesn't have them (about 15 s). */
export function ensureGuestRoot(options: BuildOptions): Promise<GuestRoot> {
  return lockCache(options, () => makeGuestRoot(options));
}

async function makeGuestRoot(options: BuildOptions): Promise<GuestRoot> {
  const key = keyOf(RECIPE, baseKey(), keyOfFiles([INIT]));
  const made = await cached(`crash-guest-${key}`, async (directory) => {
    const base = await ensureBaseTar(options);
    options.log('building the system of the crash tests’ guest');
    mkdirSync(directory);
    await withWorkTree(join(cacheDirectory(), 'work'), async (work) => {
      const tree = join(work, 'root');
      mkdirSync(tree, { mode: 0o755 });
      const left = [
        './usr/share/grub*',
        './usr/share/zoneinfo',
        './usr/lib/grub',
        './var/lib/apt',
        './usr/share/unicode',
      ];
      const exclude = left.map((path) => `--exclude=${path}`);
      await runChecked(['tar', '-xf', base.path, '-C', tree, '--numeric-owner', ...exclude]);
      await runChecked(['sh', '-c', 'mv "$1"/boot/vmlinuz-* "$2"', 'sh', tree, join(directory, 'kernel')]);
      copyFileSync(INIT, join(tree, 'crash-init'));
      chmodSync(join(tree, 'crash-init'), 0o755);
      for (const program of HOST_PROGRAMS) copyFileSync(program, join(tree, program));
      for (const name of ['mcopy', 'mmd', 'mren', 'mdel', 'mdir', 'mmove', 'mattrib', 'mtype', 'mdeltree']) {
        if (!existsSync(join(tree, 'usr/bin', name)))
          await runChecked(['ln', '-s', 'mtools', join(tree, 'usr/bin', name)]);
      }
      const image = join(directory, 'root.img');
      const options = ['-q', '-O', '^has_journal', '-m', '0', '-d', tree];
      await runChecked(['mkfs.ext4', ...options, `${image}.new`, '1024M']);
      renameSync(`${image}.new`, image);
    });
  });
  if (made.made) await pruneCache(cacheDirectory(), /^crash-guest-[0-9a-f]{16}$/, 2);
  return { image: join(made.path, 'root.img'), kernel: join(made.path, 'kernel') };
}
