// Kernel and initramfs of a tree, for media whose boot loader reads them from somewhere else than the system itself.

import { BOOTARGS, literalSettings } from '../lifecycle/bootable.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';

/** In the order in which Elemental looks for them: by the beginning of their names in /boot. */
const KERNELS = ['uImage', 'Image', 'zImage', 'vmlinuz', 'image'];
const INITRDS = ['initrd', 'initramfs'];

export interface BootFiles {
  /** Paths inside the tree. */
  kernel: string;
  initrd: string;
}

/**
 * What the image's own bootargs.cfg names, as on an installed machine; else what Elemental would take.
 * @throws HoldfastError HF-NOT-BOOTABLE when one is missing.
 */
export function findBootFiles(root: Root): BootFiles {
  const settings = literalSettings(root.readTextIfThere(BOOTARGS) ?? '');
  const kernel = firstFile(root, settings.get('kernel'), KERNELS);
  const initrd = firstFile(root, settings.get('initramfs'), INITRDS);
  if (kernel !== undefined && initrd !== undefined) return { kernel, initrd };
  const missing = [kernel === undefined && 'kernel', initrd === undefined && 'initramfs'].filter((name) => name);
  throw new HoldfastError('HF-NOT-BOOTABLE', `the image has no ${missing.join(' and no ')} in /boot`, {
    hint: 'add a kernel package to the image and run `holdfast init` in it as the last build step',
  });
}

function firstFile(root: Root, named: string | undefined, beginnings: readonly string[]): string | undefined {
  const names = root.list('/boot');
  const candidates = beginnings.flatMap((beginning) => names.filter((name) => name.startsWith(beginning)));
  return [named, ...candidates.map((name) => `/boot/${name}`)].find((path) => {
    const stat = path === undefined ? undefined : root.stat(path);
    return stat?.isFile() === true && stat.size > 0;
  });
}
