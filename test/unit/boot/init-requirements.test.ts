// What init says about a root file system that lacks something: everything at once, with packages, and nothing written.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { initializeRoot } from '../../../src/boot/init.ts';
import { findKernel, initrdOf, requireBootParts } from '../../../src/boot/init-requirements.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import { silent } from '../../../src/system/events.ts';
import { Root } from '../../../src/system/root.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-init-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const COMPLETE = [
  '/usr/lib/systemd/systemd',
  '/usr/bin/dracut',
  '/usr/lib/grub/x86_64-efi/normal.mod',
  '/usr/bin/grub-mkimage',
  '/usr/sbin/modprobe',
  '/usr/sbin/e2fsck',
  '/usr/bin/udevadm',
  '/usr/sbin/losetup',
  '/usr/sbin/blkid',
  '/usr/bin/mountpoint',
  '/usr/bin/cpio',
  '/usr/bin/setfattr',
  '/usr/bin/zstd',
  '/boot/vmlinuz-6.1.0-9',
  '/lib/modules/6.1.0-9/modules.dep',
];
function makeRoot(paths: readonly string[]): Root {
  for (const path of paths) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), '');
  }
  return new Root(directory);
}
function errorOf(act: () => unknown): HoldfastError {
  try {
    act();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('a complete root has its kernel named', () => {
  expect(requireBootParts(makeRoot(COMPLETE), { initrd: true })).toEqual({
    version: '6.1.0-9',
    path: '/boot/vmlinuz-6.1.0-9',
    canBuildInitrd: true,
  });
});

test.each([
  ['/usr/bin/dracut', 'dracut', ['dracut', 'dracut', 'dracut']],
  [
    '/usr/lib/grub/x86_64-efi/normal.mod',
    'GRUB’s modules for x86_64-efi',
    ['grub-efi-amd64-bin', 'grub2-x86_64-efi', 'grub2-efi-x64-modules'],
  ],
  ['/boot/vmlinuz-6.1.0-9', 'a kernel with its modules', ['linux-image-amd64', 'kernel-default', 'kernel-core']],
  [
    '/lib/modules/6.1.0-9/modules.dep',
    'a kernel with its modules',
    ['linux-image-amd64', 'kernel-default', 'kernel-core'],
  ],
  ['/usr/sbin/losetup', 'losetup', ['mount', 'util-linux', 'util-linux']],
])('without %s it lacks %s', (path, what, [debian, opensuse, fedora]) => {
  const root = makeRoot(COMPLETE.filter((candidate) => candidate !== path));
  const error = errorOf(() => requireBootParts(root, { initrd: true }));
  expect(error.code).toBe('HF-NOT-BOOTABLE');
  expect(error.message).toBe(`${directory} can't be made bootable: it lacks ${what}`);
  expect(error.hint).toBe(
    [
      'install these packages in it and run init again:',
      `  Debian, Ubuntu: ${debian}`,
      `  openSUSE: ${opensuse}`,
      `  Fedora: ${fedora}`,
    ].join('\n'),
  );
});

const KERNEL = ['/boot/vmlinuz-6.1.0-9', '/lib/modules/6.1.0-9/modules.dep'];
const GRUB = ['/usr/lib/grub/x86_64-efi/normal.mod', '/usr/bin/grub-mkimage'];
test.each<[string, string[], boolean]>([
  ['systemd and an initramfs of somebody else', ['/lib/systemd/systemd', '/boot/initrd.img-6.1.0-9'], true],
  ['systemd, and an initramfs isn’t wanted', ['/lib/systemd/systemd'], false],
  ['OpenRC', ['/sbin/openrc-run'], true],
])('neither dracut nor what it needs is required with %s', (_, paths, initrd) => {
  expect(requireBootParts(makeRoot([...KERNEL, ...GRUB, ...paths]), { initrd }).canBuildInitrd).toBe(false);
});

test('Alpine’s kernel and initramfs have the name of their flavour', () => {
  const root = makeRoot(['/lib/modules/6.6.30-0-lts/modules.dep', '/boot/vmlinuz-lts', '/boot/initramfs-lts']);
  const kernel = { version: '6.6.30-0-lts', path: '/boot/vmlinuz-lts' };
  expect([findKernel(root), initrdOf(root, kernel)]).toEqual([kernel, '/boot/initramfs-lts']);
});

test('an empty root is told everything at once, and stays empty', async () => {
  const root = makeRoot([]);
  const error = await initializeRoot({ root, initrd: true, events: silent }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'HF-NOT-BOOTABLE' });
  expect(error).toHaveProperty(
    'hint',
    expect.stringContaining('Debian, Ubuntu: linux-image-amd64 systemd dracut grub-efi-amd64-bin grub-common kmod'),
  );
  expect(readdirSync(directory)).toEqual([]);
});

test('without an executable nothing is written', async () => {
  const root = makeRoot(COMPLETE);
  const before = readdirSync(directory, { recursive: true });
  await expect(initializeRoot({ root, initrd: true, events: silent })).rejects.toMatchObject({ code: 'HF-NO-SOURCE' });
  expect(readdirSync(directory, { recursive: true })).toEqual(before);
});

test('of several kernels the newest that is complete is taken', () => {
  const kernels = ['6.1.0-9', '6.1.0-10', '6.1.0-11'];
  const root = makeRoot([
    ...kernels.map((version) => `/lib/modules/${version}/modules.dep`),
    '/boot/vmlinuz-6.1.0-9',
    '/usr/lib/modules/6.1.0-10/vmlinuz',
  ]);
  expect(findKernel(root)).toEqual({ version: '6.1.0-10', path: '/usr/lib/modules/6.1.0-10/vmlinuz' });
});
