// What a root file system must bring before it can be made bootable, and which package brings it. Checked as a whole
// before the first write, so that nobody installs one package after the other.

import { HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import { findManagers } from './init-selection.ts';

interface Requirement {
  what: string;
  /** Any one of these paths will do. */
  anyOf: readonly string[];
  /** Only for building an initramfs. */
  initrd?: true;
  debian: string;
  opensuse: string;
  fedora: string;
}

const same = (name: string) => ({ debian: name, opensuse: name, fedora: name });
const program = (...names: string[]) =>
  names.flatMap((name) => ['/usr/bin', '/usr/sbin', '/bin', '/sbin'].map((directory) => `${directory}/${name}`));

const GRUB_MODULE_DIRECTORIES = [
  '/usr/lib/grub/x86_64-efi',
  '/usr/share/grub2/x86_64-efi',
  '/usr/lib/grub2/x86_64-efi',
];

/** GRUB for BIOS is not required: a new machine boots by UEFI. */
const GRUB_BIOS_DIRECTORIES = ['/usr/lib/grub/i386-pc', '/usr/share/grub2/i386-pc', '/usr/lib/grub2/i386-pc'];
const GRUB_BIOS_PACKAGES = 'grub-pc-bin (Debian, Ubuntu), grub2-i386-pc (openSUSE), grub2-pc-modules (Fedora)';
const GRUB_FONTS = ['/usr/share/grub/unicode.pf2', '/usr/share/grub2/unicode.pf2', '/boot/grub2/fonts/unicode.pf2'];

const GRUB_MKIMAGE = ['grub-mkimage', 'grub2-mkimage'];

/** Package names were looked up in Debian 12, openSUSE Leap 15.5 and Fedora 38. */
const REQUIREMENTS: readonly Requirement[] = [
  { what: 'systemd', anyOf: ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'], ...same('systemd') },
  { what: 'dracut', initrd: true, anyOf: program('dracut'), ...same('dracut') },
  {
    what: 'GRUB’s modules for x86_64-efi',
    anyOf: GRUB_MODULE_DIRECTORIES.map((directory) => `${directory}/normal.mod`),
    debian: 'grub-efi-amd64-bin',
    opensuse: 'grub2-x86_64-efi',
    fedora: 'grub2-efi-x64-modules',
  },
  {
    what: 'grub-mkimage',
    anyOf: program(...GRUB_MKIMAGE),
    debian: 'grub-common',
    opensuse: 'grub2',
    fedora: 'grub2-tools',
  },
  { what: 'modprobe', initrd: true, anyOf: program('modprobe'), ...same('kmod') },
  { what: 'e2fsck', initrd: true, anyOf: program('e2fsck'), ...same('e2fsprogs') },
  {
    what: 'udevadm',
    initrd: true,
    anyOf: program('udevadm'),
    debian: 'udev',
    opensuse: 'udev',
    fedora: 'systemd-udev',
  },
  {
    what: 'losetup',
    initrd: true,
    anyOf: program('losetup'),
    debian: 'mount',
    opensuse: 'util-linux',
    fedora: 'util-linux',
  },
  { what: 'blkid', initrd: true, anyOf: program('blkid'), ...same('util-linux') },
  { what: 'mountpoint', initrd: true, anyOf: program('mountpoint'), ...same('util-linux') },
  { what: 'setfattr', initrd: true, anyOf: program('setfattr'), ...same('attr') },
  { what: 'cpio', initrd: true, anyOf: program('cpio'), ...same('cpio') },
  { what: 'zstd', initrd: true, anyOf: program('zstd'), ...same('zstd') },
];

const KERNEL_PACKAGES = { debian: 'linux-image-amd64', opensuse: 'kernel-default', fedora: 'kernel-core' };

/** Where the root has GRUB's modules. */
export function grubDirectory(root: Root): string | undefined {
  return GRUB_MODULE_DIRECTORIES.find((directory) => root.exists(`${directory}/normal.mod`));
}

/** Where the root has GRUB's modules for BIOS machines. */
export function grubBiosDirectory(root: Root): string | undefined {
  return GRUB_BIOS_DIRECTORIES.find((directory) =>
    ['normal.mod', 'boot.img'].every((name) => root.exists(`${directory}/${name}`)),
  );
}

/** What to say of a root that can't boot by BIOS. */
export function biosNotice(root: Root): string | undefined {
  if (grubBiosDirectory(root) !== undefined) return undefined;
  return `disks with this image will boot by UEFI only: it lacks GRUB’s modules for i386-pc; they are in ${GRUB_BIOS_PACKAGES}`;
}

/** The font for GRUB's graphical console. */
export function grubFont(root: Root): string | undefined {
  return GRUB_FONTS.find((path) => root.stat(path)?.isFile());
}

/** The root's grub-mkimage, under whichever name it has. */
export function grubMkimage(root: Root): string | undefined {
  return program(...GRUB_MKIMAGE).find((path) => root.exists(path));
}

export interface Kernel {
  version: string;
  /** The kernel's file in the root. */
  path: string;
}

/** The newest kernel that has both an image and modules. */
export function findKernel(root: Root): Kernel | undefined {
  const versions = root
    .list('/lib/modules')
    .filter((version) => root.exists(`/lib/modules/${version}/modules.dep`))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  for (const version of versions) {
    const names = [version, flavourOf(version)].map((name) => `/boot/vmlinuz-${name}`);
    const path = [...names, `/usr/lib/modules/${version}/vmlinuz`].find((candidate) => root.stat(candidate)?.isFile());
    if (path !== undefined) return { version, path };
  }
  return undefined;
}

/** Alpine names files after what is left of `6.6.30-0-lts` without its numbers. */
function flavourOf(version: string): string {
  return version.replace(/^[\d.]+(-\d+)?-/, '');
}

/** The kernel's initramfs, under the name that the distribution gives it. */
export function initrdOf(root: Root, { version }: Kernel): string | undefined {
  return [
    `/boot/initrd.img-${version}`,
    `/boot/initramfs-${version}.img`,
    `/boot/initrd-${version}`,
    `/boot/initramfs-${flavourOf(version)}`,
  ].find((path) => root.exists(path));
}

/**
 * @param options.initrd an initramfs is to be built. Where dracut is missing and an initramfs is there, or OpenRC is the
 *   service manager, none is: init says then what that means.
 * @returns the kernel that the image will boot, and whether an initramfs can be built for it.
 * @throws HoldfastError HF-NOT-BOOTABLE that lists everything that is missing, with its packages.
 */
export function requireBootParts(root: Root, options: { initrd: boolean }): Kernel & { canBuildInitrd: boolean } {
  const { systemd, openrc } = findManagers(root);
  const kernel = findKernel(root);
  const hasDracut = program('dracut').some((path) => root.exists(path));
  const hasInitrd = kernel !== undefined && initrdOf(root, kernel) !== undefined;
  const canBuildInitrd = options.initrd && (hasDracut || !(hasInitrd || (openrc && !systemd)));
  const missing = REQUIREMENTS.filter(
    ({ what, initrd, anyOf }) =>
      !(what === 'systemd' && openrc) &&
      (canBuildInitrd || initrd === undefined) &&
      !anyOf.some((path) => root.exists(path)),
  );
  if (missing.length === 0 && kernel !== undefined) return { ...kernel, canBuildInitrd };
  const all: Omit<Requirement, 'anyOf'>[] = [...missing];
  if (kernel === undefined) all.unshift({ what: 'a kernel with its modules', ...KERNEL_PACKAGES });
  throw new HoldfastError(
    'HF-NOT-BOOTABLE',
    `${root.directory} can't be made bootable: it lacks ${all.map(({ what }) => what).join(', ')}`,
    {
      hint: [
        'install these packages in it and run init again:',
        ...(['debian', 'opensuse', 'fedora'] as const).map((family) => {
          const names = { debian: 'Debian, Ubuntu', opensuse: 'openSUSE', fedora: 'Fedora' };
          return `  ${names[family]}: ${[...new Set(all.map((requirement) => requirement[family]))].join(' ')}`;
        }),
      ].join('\n'),
    },
  );
}
