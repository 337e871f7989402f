// Whether a tree can boot: looked at before a disk is touched where the source allows it, and again on the finished
// slot, since a hook may have broken it.

import { HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';

export const BOOTARGS = '/etc/cos/bootargs.cfg';

/** Values that bootargs.cfg sets, read without running it: `set name=value` with a literal value. */
export function literalSettings(bootargs: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of bootargs.split('\n')) {
    const match = /^\s*set\s+(\w+)=["']?([^"'$\s]+)["']?\s*$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) settings.set(match[1], match[2]);
  }
  return settings;
}

/**
 * Whether a system's kernel arguments name its root by the label of its image file, as cOS does up to 0.9
 * (`root=LABEL=$label`), and not by that of the partition with the image. Such a system boots from a slot only if the
 * slot file carries the slot's label.
 */
export function findsRootByImageLabel(bootargs: string): boolean {
  return bootargs
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .some((line) => /\broot=LABEL=(?:\$\{?label\}?|COS_ACTIVE|COS_PASSIVE|COS_SYSTEM)(?![\w])/.test(line));
}

/**
 * Checks that a tree has what GRUB and the initramfs need: bootargs.cfg, the kernel and initrd that it names, and
 * os-release.
 * @throws HoldfastError HF-NOT-BOOTABLE that lists everything that is missing.
 */
export function requireBootable(root: Root): void {
  const missing: string[] = [];
  const bootargs = root.readTextIfThere(BOOTARGS);
  if (bootargs === undefined) missing.push(`${BOOTARGS} (the kernel arguments)`);
  const settings = literalSettings(bootargs ?? '');
  const kernel = settings.get('kernel') ?? '/boot/vmlinuz';
  const initrd = settings.get('initramfs') ?? '/boot/initrd';
  if (!isNonEmptyFile(root, kernel)) missing.push(`${kernel} (the kernel)`);
  if (!isNonEmptyFile(root, initrd)) missing.push(`${initrd} (the initramfs)`);
  if (!root.exists('/etc/os-release') && !root.exists('/usr/lib/os-release')) missing.push('/etc/os-release');
  if (missing.length === 0) return;
  throw new HoldfastError('HF-NOT-BOOTABLE', `the image can't boot: it lacks ${missing.join(', ')}`, {
    hint: 'add a kernel package to the image and run `holdfast init` in it as the last build step',
  });
}

function isNonEmptyFile(root: Root, path: string): boolean {
  const stat = root.stat(path);
  return stat?.isFile() === true && stat.size > 0;
}

/** os-release(5) of a tree, reduced to the names asked for: a distribution's variables must not hijack settings. */
export function readOsRelease(root: Root): {
  name?: string;
  prettyName?: string;
  version?: string;
  versionId?: string;
  id?: string;
  imageId?: string;
  menuEntry?: string;
} {
  const text = root.readTextIfThere('/etc/os-release') ?? root.readTextIfThere('/usr/lib/os-release') ?? '';
  return parseOsRelease(text);
}

export function parseOsRelease(text: string): {
  name?: string;
  prettyName?: string;
  version?: string;
  versionId?: string;
  id?: string;
  imageId?: string;
  menuEntry?: string;
} {
  const wanted = {
    NAME: 'name',
    PRETTY_NAME: 'prettyName',
    IMAGE_VERSION: 'version',
    VERSION_ID: 'versionId',
    ID: 'id',
    IMAGE_ID: 'imageId',
    GRUB_ENTRY_NAME: 'menuEntry',
  } as const;
  const found: Partial<Record<(typeof wanted)[keyof typeof wanted], string>> = {};
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)=(?:"(.*)"|'(.*)'|([^\s"']*))\s*$/.exec(line);
    if (match === null) continue;
    const [, key, double, single, plain] = match;
    const value = double?.replace(/\\([\\"$`])/g, '$1') ?? single ?? plain ?? '';
    const name = Object.entries(wanted).find(([each]) => each === key)?.[1];
    if (name !== undefined) found[name] = value;
  }
  return found;
}
