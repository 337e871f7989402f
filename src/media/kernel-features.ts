// What an image's kernel can mount, from the files that come with it. A medium whose root file it can't read would say so
// only on the machine that boots it.

import { findKernel } from '../boot/init-requirements.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import { type Compression, type RootFormat, rootFileTool } from './root-file.ts';

/** The kernel configuration's names for what reads a compression. */
const OPTIONS: Readonly<Record<string, string>> = {
  'squashfs xz': 'CONFIG_SQUASHFS_XZ',
  'squashfs zstd': 'CONFIG_SQUASHFS_ZSTD',
  'squashfs gzip': 'CONFIG_SQUASHFS_ZLIB',
  'squashfs lzo': 'CONFIG_SQUASHFS_LZO',
  'squashfs lz4': 'CONFIG_SQUASHFS_LZ4',
  'erofs lz4': 'CONFIG_EROFS_FS_ZIP',
  'erofs lz4hc': 'CONFIG_EROFS_FS_ZIP',
};

/** Whether the kernel reads a root file; `unknown` where its package brings no configuration. */
export function canRead(root: Root, format: RootFormat, compression: Compression): 'yes' | 'no' | 'unknown' {
  const kernel = findKernel(root);
  if (kernel === undefined) return 'unknown';
  if (!hasDriver(root, kernel.version, format)) return 'no';
  const option = OPTIONS[`${format} ${compression}`];
  if (option === undefined) return 'yes';
  const config =
    root.readTextIfThere(`/boot/config-${kernel.version}`) ??
    root.readTextIfThere(`/usr/lib/modules/${kernel.version}/config`);
  if (config === undefined) return 'unknown';
  return config.split('\n').includes(`${option}=y`) ? 'yes' : 'no';
}

/**
 * What the root file is compressed with when nobody says it: a fast one where the kernel is known to read it, else xz, as
 * cOS has it and every kernel with squashfs reads it.
 */
export function usualCompression(root: Root, format: RootFormat): Compression {
  if (format === 'erofs') return 'lz4hc';
  return canRead(root, format, 'zstd') === 'yes' ? 'zstd' : 'xz';
}

/** @throws HoldfastError HF-NOT-BOOTABLE when the kernel is known not to read it. */
export function requireReadable(root: Root, format: RootFormat, compression: Compression): void {
  if (canRead(root, format, compression) !== 'no') return;
  const kernel = findKernel(root);
  throw new HoldfastError(
    'HF-NOT-BOOTABLE',
    `the image’s kernel ${kernel?.version ?? ''} can’t read ${format} compressed with ${compression}`,
    { hint: `choose another one with --format or --compression (made by ${rootFileTool(format)})` },
  );
}

function hasDriver(root: Root, version: string, name: string): boolean {
  const directory = `/lib/modules/${version}`;
  const pattern = new RegExp(`(?:^|/)${name}\\.ko(?:\\.\\w+)?(?::|$)`, 'm');
  const texts = ['modules.dep', 'modules.builtin'].map((file) => root.readTextIfThere(`${directory}/${file}`) ?? '');
  return texts.some((text) => pattern.test(text));
}
