// A system that is just enough for a medium: what GRUB and firmware need, no kernel that would run. GRUB's own tool is this
// host's, with the libraries that it needs, so that the tree can be entered by chroot.

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GRUB_EFI_PROGRAM } from '../../../src/boot/grub-files.ts';

export const KERNEL_VERSION = '6.1.0-small';

const FILES: Readonly<Record<string, string>> = {
  'etc/os-release': 'NAME=Small\nPRETTY_NAME="Small 1"\nID=small\n',
  'etc/cos/bootargs.cfg': 'set kernel=/boot/vmlinuz\nset initramfs=/boot/initrd\n',
  'boot/vmlinuz': 'kernel\n'.repeat(1000),
  [`boot/vmlinuz-${KERNEL_VERSION}`]: 'kernel\n',
  'boot/initrd': 'initramfs\n'.repeat(1000),
  [`boot/config-${KERNEL_VERSION}`]: 'CONFIG_SQUASHFS_ZSTD=y\nCONFIG_SQUASHFS_LZ4=y\nCONFIG_EROFS_FS_ZIP=y\n',
  [`usr/lib/modules/${KERNEL_VERSION}/modules.dep`]: 'kernel/fs/squashfs/squashfs.ko:\nkernel/fs/erofs/erofs.ko:\n',
  [GRUB_EFI_PROGRAM.slice(1)]: 'efi program\n',
  'usr/share/some/data': 'a file of the system\n',
};

/** Makes the tree; with `bios`, GRUB for BIOS and its tool are in it. */
export function makeSmallSystem(directory: string, options: { bios: boolean }): void {
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  };
  for (const [path, text] of Object.entries(FILES)) put(path, text);
  for (const path of ['proc', 'tmp', 'root']) mkdirSync(join(directory, path));
  mkdirSync(join(directory, 'lib'));
  cpSync(join(directory, 'usr/lib/modules'), join(directory, 'lib/modules'), { recursive: true });
  chmodSync(join(directory, 'root'), 0o700);
  if (!options.bios) return;
  cpSync('/usr/lib/grub/i386-pc', join(directory, 'usr/lib/grub/i386-pc'), { recursive: true });
  const program = '/usr/bin/grub-mkimage';
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+(?= \()/g) ?? [];
  for (const file of [program, ...libraries]) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    cpSync(file, join(directory, file), { dereference: true });
  }
}
