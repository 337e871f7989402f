import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findBootFiles } from '../../../src/media/boot-files.ts';
import { Root } from '../../../src/system/root.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-boot-files-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(files: Record<string, string>): Root {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return new Root(directory);
}

test('what bootargs.cfg names counts', () => {
  const root = write({
    'etc/cos/bootargs.cfg': 'set kernel=/boot/mine\nset initramfs=/boot/ram\n',
    'boot/mine': 'k',
    'boot/ram': 'i',
    'boot/vmlinuz': 'other',
    'boot/initrd': 'other',
  });
  expect(findBootFiles(root)).toEqual({ kernel: '/boot/mine', initrd: '/boot/ram' });
});

test('without it, names count in the order that Elemental has for them', () => {
  const root = write({
    'boot/vmlinuz-6.1': 'k',
    'boot/Image-6.1': 'k',
    'boot/initramfs-6.1': 'i',
    'boot/initrd-6.1': 'i',
  });
  expect(findBootFiles(root)).toEqual({ kernel: '/boot/Image-6.1', initrd: '/boot/initrd-6.1' });
});

test('a link is followed inside the image only, and empty files don’t count', () => {
  const root = write({ 'usr/lib/modules/6.1/vmlinuz': 'k', 'boot/initrd': '', 'boot/initrd-6.1': 'i' });
  symlinkSync('/usr/lib/modules/6.1/vmlinuz', join(directory, 'boot/vmlinuz'));
  expect(findBootFiles(root)).toEqual({ kernel: '/boot/vmlinuz', initrd: '/boot/initrd-6.1' });
});

test('what is missing is named', () => {
  expect(() => findBootFiles(write({ 'boot/vmlinuz': 'k' }))).toThrow('the image has no initramfs in /boot');
  expect(() => findBootFiles(new Root('/nowhere'))).toThrow('the image has no kernel and no initramfs in /boot');
});
