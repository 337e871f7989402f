// Media that carry user data, as people make them: a CD image by xorriso, a FAT disk by dosfstools and mtools. No mount
// and no loop device is needed.

import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runChecked } from '../src/system/process.ts';

/** Names of files are UTF-8, whatever the caller's language. */
const env = { ...process.env, LC_ALL: 'C.UTF-8' };

/** Content by path on the medium, without a slash before it. */
export type SeedFiles = Readonly<Record<string, string | Uint8Array>>;

export interface DiscOptions {
  /** Which long names the disc has; default `both`. */
  names?: 'both' | 'rock-ridge' | 'joliet' | 'plain';
}

/** Makes an ISO 9660 image: `cidata` for cloud-init's NoCloud, `config-2` for OpenStack's configuration drive. */
export async function makeSeedDisc(
  image: string,
  label: string,
  files: SeedFiles,
  { names = 'both' }: DiscOptions = {},
): Promise<void> {
  const extensions = { both: ['-R', '-J'], 'rock-ridge': ['-R'], joliet: ['-J'], plain: [] }[names];
  await withTree(files, async (tree) => {
    await runChecked(['xorriso', '-as', 'mkisofs', '-quiet', '-o', image, '-V', label, ...extensions, tree], { env });
  });
}

export interface FatOptions {
  /** Default is what mkfs.vfat takes for the size. */
  bits?: 12 | 16 | 32;
  /** Default 1. */
  sizeMiB?: number;
}

/** Makes a FAT file system on a whole image. */
export async function makeSeedFat(
  image: string,
  label: string,
  files: SeedFiles,
  { bits, sizeMiB = 1 }: FatOptions = {},
): Promise<void> {
  rmSync(image, { force: true });
  writeFileSync(image, '');
  truncateSync(image, sizeMiB << 20);
  await runChecked(['mkfs.vfat', ...(bits === undefined ? [] : ['-F', String(bits)]), '-n', label, image]);
  await withTree(files, async (tree) => {
    const tops = [...new Set(Object.keys(files).map((path) => path.split('/')[0] ?? ''))];
    for (const top of tops) await runChecked(['mcopy', '-s', '-i', image, join(tree, top), `::/${top}`], { env });
  });
}

async function withTree(files: SeedFiles, use: (directory: string) => Promise<void>): Promise<void> {
  const tree = mkdtempSync(join(tmpdir(), 'holdfast-seed-'));
  try {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), content);
    }
    await use(tree);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
