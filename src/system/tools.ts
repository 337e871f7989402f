// Which package brings an external program, per distribution, and the check that all programs of a plan are there
// before its first write.

import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from './errors.ts';

interface PackageNames {
  debian: string;
  opensuse: string;
  fedora: string;
}

const same = (name: string): PackageNames => ({ debian: name, opensuse: name, fedora: name });

/** Program → the package that has it. Names were looked up in Debian 12, openSUSE Leap 15.5 and Fedora 38. */
const PACKAGES: Readonly<Record<string, PackageNames>> = {
  blkid: same('util-linux'),
  blockdev: same('util-linux'),
  btrfs: { debian: 'btrfs-progs', opensuse: 'btrfsprogs', fedora: 'btrfs-progs' },
  chroot: same('coreutils'),
  cp: same('coreutils'),
  dd: same('coreutils'),
  dracut: same('dracut'),
  debugfs: same('e2fsprogs'),
  dmsetup: { debian: 'dmsetup', opensuse: 'device-mapper', fedora: 'device-mapper' },
  dumpe2fs: same('e2fsprogs'),
  e2fsck: same('e2fsprogs'),
  efibootmgr: same('efibootmgr'),
  fallocate: same('util-linux'),
  filefrag: same('e2fsprogs'),
  fatlabel: same('dosfstools'),
  flock: same('util-linux'),
  fsfreeze: same('util-linux'),
  getfattr: same('attr'),
  git: { debian: 'git', opensuse: 'git-core', fedora: 'git-core' },
  gzip: same('gzip'),
  'grub-mkimage': { debian: 'grub-common', opensuse: 'grub2', fedora: 'grub2-tools' },
  losetup: same('util-linux'),
  lsblk: same('util-linux'),
  mcopy: same('mtools'),
  mdir: same('mtools'),
  mmd: same('mtools'),
  mren: same('mtools'),
  modprobe: same('kmod'),
  'mkfs.btrfs': { debian: 'btrfs-progs', opensuse: 'btrfsprogs', fedora: 'btrfs-progs' },
  'mkfs.erofs': same('erofs-utils'),
  'mkfs.ext2': same('e2fsprogs'),
  'mkfs.ext3': same('e2fsprogs'),
  'mkfs.ext4': same('e2fsprogs'),
  'mkfs.fat': same('dosfstools'),
  'mkfs.vfat': same('dosfstools'),
  'mkfs.xfs': same('xfsprogs'),
  mknod: same('coreutils'),
  mksquashfs: { debian: 'squashfs-tools', opensuse: 'squashfs', fedora: 'squashfs-tools' },
  mkswap: same('util-linux'),
  mount: { debian: 'mount', opensuse: 'util-linux', fedora: 'util-linux' },
  partx: same('util-linux'),
  'qemu-img': { debian: 'qemu-utils', opensuse: 'qemu-tools', fedora: 'qemu-img' },
  resize2fs: same('e2fsprogs'),
  setfattr: same('attr'),
  setpriv: same('util-linux'),
  sfdisk: { debian: 'fdisk', opensuse: 'util-linux', fedora: 'util-linux' },
  swaplabel: same('util-linux'),
  systemctl: same('systemd'),
  'systemd-firstboot': same('systemd'),
  tar: same('tar'),
  tune2fs: same('e2fsprogs'),
  unshare: same('util-linux'),
  umount: { debian: 'mount', opensuse: 'util-linux', fedora: 'util-linux' },
  xfs_admin: same('xfsprogs'),
  xfs_growfs: same('xfsprogs'),
  xorriso: same('xorriso'),
  zstd: same('zstd'),
};

/** A sentence that names the package of a program for the three distribution families. */
export function packageHint(program: string): string {
  const names = PACKAGES[program];
  if (names === undefined) return `install the package that brings ${program}`;
  const { debian, opensuse, fedora } = names;
  if (debian === opensuse && debian === fedora) return `install the package ${debian}`;
  return `install the package ${debian} (Debian, Ubuntu), ${opensuse} (openSUSE) or ${fedora} (Fedora)`;
}

/** The file that `program` would run, searched in `path` (colon separated), or undefined. */
export function findProgram(program: string, path: string = process.env.PATH ?? ''): string | undefined {
  // Debian leaves the sbin directories out of an ordinary user's PATH, and dracut's initramfs out of any.
  for (const directory of [...path.split(':'), '/usr/sbin', '/sbin', '/usr/bin', '/bin']) {
    if (directory === '') continue;
    const candidate = join(directory, program);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not there or not executable: the next directory decides.
    }
  }
  return undefined;
}

/**
 * Checks that every program is there, so that nothing stops half-way for want of a tool.
 * @throws HoldfastError HF-TOOL-MISSING that names all missing programs with their packages.
 */
export function requireTools(programs: readonly string[]): void {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) return;
  throw new HoldfastError(
    'HF-TOOL-MISSING',
    `${missing.length === 1 ? 'a program is' : 'some programs are'} missing: ${missing.join(', ')}`,
    { hint: missing.map((program) => `${program}: ${packageHint(program)}`).join('\n') },
  );
}
