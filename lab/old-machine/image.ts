// The demo system as a system of cOS 0.8.10 was: root= is the label of an ext2 image, a dracut module of its own attaches
// the image that the boot menu names, and nothing in it comes from `holdfast init`. The executable is there, as somebody
// copies it who wants to leave.

import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openImage } from '../../src/image/image.ts';
import { unpackImage } from '../../src/image/unpack-image.ts';
import { bindMount, unmount } from '../../src/system/mounts.ts';
import { runChecked } from '../../src/system/process.ts';
import type { DemoImages } from '../demo/images.ts';
import { ATTACH_UNIT, BOOTARGS, DRACUT_MODULE, LAYOUT_SCRIPT, LAYOUT_UNIT } from './files.ts';

/** What `holdfast init` has put into the demo system and an old one doesn't have. */
const OURS = [
  'boot/initrd',
  'etc/cos',
  'etc/systemd/system/multi-user.target.wants/cos-setup-boot.service',
  'etc/systemd/system/multi-user.target.wants/cos-setup-network.service',
  'etc/systemd/system/multi-user.target.wants/cos-setup-reconcile.timer',
  'etc/systemd/system/multi-user.target.wants/holdfast-booted.service',
  'etc/systemd/system/multi-user.target.wants/holdfast-ssh-keys.service',
  'etc/systemd/system/sysinit.target.wants/cos-setup-fs.service',
  'system/oem',
  'usr/lib/dracut/dracut.conf.d/30-holdfast.conf',
  'usr/lib/dracut/modules.d/99holdfast',
  'usr/lib/holdfast',
];

const MODULE = 'usr/lib/dracut/modules.d/30image-root';

/** Makes the tree of the old system in an empty directory. */
export async function makeOldTree(demo: DemoImages, tree: string): Promise<void> {
  await unpackImage(await openImage({ kind: 'oci-layout', path: demo.layout, tag: 'v1' }), tree);
  for (const path of OURS) rmSync(join(tree, path), { recursive: true, force: true });
  const put = (path: string, text: string, mode = 0o644) => {
    const file = join(tree, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, mode);
  };
  put('etc/os-release', 'NAME="Old"\nPRETTY_NAME="Old cOS"\nVERSION_ID=0.8.10\nID=old\n');
  put('etc/cos/bootargs.cfg', BOOTARGS);
  put(`${MODULE}/module-setup.sh`, DRACUT_MODULE, 0o755);
  put(`${MODULE}/attach.service`, ATTACH_UNIT);
  put(`${MODULE}/layout.service`, LAYOUT_UNIT);
  put(`${MODULE}/layout.sh`, LAYOUT_SCRIPT, 0o755);
  for (const directory of ['oem', 'usr/local', 'run', 'tmp', 'proc', 'sys', 'dev']) {
    mkdirSync(join(tree, directory), { recursive: true });
  }
  await buildInitramfs(tree);
}

async function buildInitramfs(tree: string): Promise<void> {
  const mounted: string[] = [];
  try {
    for (const path of ['/proc', '/sys', '/dev']) {
      await bindMount(path, join(tree, path));
      mounted.push(join(tree, path));
    }
    const version = (await runChecked(['sh', '-c', 'ls "$1"', 'sh', join(tree, 'lib/modules')])).trim();
    await runChecked([
      ...(['chroot', tree, 'dracut', '--force', '--no-hostonly', '--no-hostonly-cmdline', '--zstd'] as const),
      ...['--no-early-microcode', '--kver', version, '--tmpdir', '/tmp'],
      ...['--modules', 'base systemd systemd-initrd dracut-systemd udev-rules rootfs-block image-root'],
      ...['--drivers', 'virtio_pci virtio_blk loop overlay ext4', '/boot/initrd'],
    ]);
  } finally {
    for (const path of mounted.reverse()) await unmount(path);
  }
}
