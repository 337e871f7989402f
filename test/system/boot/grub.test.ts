// What is written for GRUB, checked with GRUB's own tools: its script parser, its environment editor, and its file system
// code reading what install wrote.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readGrubEnvironment, writeGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { GRUB_EFI_PROGRAM, GRUB_FONT, GRUB_MENU } from '../../../src/boot/grub-files.ts';
import { DEFAULT_LABELS, efiConfig, installGrub } from '../../../src/boot/install-grub.ts';
import { runChecked } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';

const OS = join(import.meta.dirname, '../../../os');
let work = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'holdfast-grub-'));
});
afterEach(() => rmSync(work, { recursive: true }));

test.each(['grub.cfg', 'bootargs.cfg'])('%s is a GRUB script', async (name) => {
  await runChecked(['grub-script-check', join(OS, 'etc/cos', name)]);
});

test('the ESP’s configuration is a GRUB script that looks for the label', async () => {
  writeFileSync(join(work, 'grub.cfg'), efiConfig({ ...DEFAULT_LABELS, state_label: 'MY_STATE' }));
  await runChecked(['grub-script-check', join(work, 'grub.cfg')]);
  expect(efiConfig({ ...DEFAULT_LABELS, state_label: 'MY_STATE' })).toContain('--set=found MY_STATE\n');
});

test('GRUB’s editor and this program read and change each other’s blocks', async () => {
  const file = join(work, 'grubenv');
  writeGrubEnvironment(file, { next_entry: 'fallback', title: 'back\\slash and "quotes"' });
  expect(await runChecked(['grub-editenv', file, 'list'])).toBe(
    'next_entry=fallback\ntitle=back\\slash and "quotes"\n',
  );
  await runChecked(['grub-editenv', file, 'set', 'saved_entry=a=b\\c', 'next_entry=']);
  expect(Object.fromEntries(readGrubEnvironment(file))).toEqual({
    next_entry: '',
    title: 'back\\slash and "quotes"',
    saved_entry: 'a=b\\c',
  });
  // A block that GRUB's editor made has a comment on its second line.
  const theirs = join(work, 'theirs');
  await runChecked(['grub-editenv', theirs, 'set', 'a=1']);
  expect(Object.fromEntries(readGrubEnvironment(theirs))).toEqual({ a: '1' });
  writeGrubEnvironment(theirs, { b: '2' });
  expect(await runChecked(['grub-editenv', theirs, 'list'])).toBe('a=1\nb=2\n');
});

/** An image's tree with what install needs of it. */
function makeImage(): Root {
  const image = new Root(join(work, 'image'));
  image.writeFile(GRUB_EFI_PROGRAM, 'EFI program');
  image.makeDirectory('/etc/cos');
  copyFileSync(join(OS, 'etc/cos/grub.cfg'), image.resolve(GRUB_MENU));
  return image;
}

test('install writes the EFI program, the menu and both blocks', () => {
  const directories = ['esp', 'state', 'oem'].map((name) => join(work, name));
  for (const directory of directories) mkdirSync(directory);
  const [espDirectory = '', stateDirectory = '', oemDirectory = ''] = directories;
  const options = { espDirectory, stateDirectory, oemDirectory, labels: { oem_label: 'MY_OEM' } };
  installGrub({ image: makeImage(), ...options, menuEntry: 'Demo 1' });
  expect(readFileSync(join(espDirectory, 'EFI/BOOT/BOOTX64.EFI'), 'utf8')).toBe('EFI program');
  expect(readFileSync(join(espDirectory, 'EFI/BOOT/grub.cfg'), 'utf8')).toBe(efiConfig(DEFAULT_LABELS));
  expect(readFileSync(join(stateDirectory, 'grub2/grub.cfg'))).toEqual(readFileSync(join(OS, 'etc/cos/grub.cfg')));
  expect(Object.fromEntries(readGrubEnvironment(join(stateDirectory, 'grub_oem_env')))).toEqual({
    default_menu_entry: 'Demo 1',
    state_label: 'COS_STATE',
    recovery_label: 'COS_RECOVERY',
    oem_label: 'MY_OEM',
    persistent_label: 'COS_PERSISTENT',
    active_label: 'COS_ACTIVE',
    passive_label: 'COS_PASSIVE',
    system_label: 'COS_SYSTEM',
  });
  expect(statSync(join(oemDirectory, 'grubenv')).size).toBe(1024);
});

test('with the distribution’s signed files shim is what firmware starts, and a font comes along', () => {
  const image = makeImage();
  image.writeFile('/usr/lib/shim/shimx64.efi.signed', 'shim');
  image.writeFile('/usr/lib/shim/mmx64.efi.signed', 'key manager');
  image.writeFile('/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed', 'signed GRUB\0/EFI/debian\0');
  image.writeFile(GRUB_FONT, 'font');
  const [espDirectory, stateDirectory] = [join(work, 'esp'), join(work, 'state')];
  for (const directory of [espDirectory, stateDirectory]) mkdirSync(directory);
  installGrub({ image, espDirectory, stateDirectory, oemDirectory: work, menuEntry: 'x' });
  const text = (path: string) => readFileSync(join(espDirectory, 'EFI', path), 'utf8');
  expect(text('BOOT/BOOTX64.EFI')).toBe('shim');
  expect(text('BOOT/grubx64.efi')).toMatch(/^signed GRUB/);
  expect(text('BOOT/mmx64.efi')).toBe('key manager');
  const config = efiConfig(DEFAULT_LABELS, { signed: true });
  expect(config).toBe(efiConfig(DEFAULT_LABELS).replace('\n', '\nrmmod tpm\n'));
  expect(text('BOOT/grub.cfg')).toBe(config);
  expect(text('debian/grub.cfg')).toBe(config);
  expect(readFileSync(join(stateDirectory, 'grub2/fonts/unicode.pf2'), 'utf8')).toBe('font');
});

test('an image without its EFI program is refused before anything is written', () => {
  const image = makeImage();
  image.remove(GRUB_EFI_PROGRAM);
  const options = { espDirectory: work, stateDirectory: work, oemDirectory: work, menuEntry: 'x' };
  expect(() => installGrub({ image, ...options })).toThrow(`the image has no ${GRUB_EFI_PROGRAM}`);
});
