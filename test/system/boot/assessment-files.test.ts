// The files of boot assessment on COS_STATE: what is put where, what is left alone, and that GRUB's own tools read it.

import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { placeAssessment } from '../../../src/boot/assessment-files.ts';
import { runChecked } from '../../../src/system/process.ts';

const SCRIPT = readFileSync(join(import.meta.dirname, '../../../os/usr/lib/holdfast/grub_boot_assessment'), 'utf8');
/** As cOS 0.8.10 leaves it, in its own words reduced. */
const COS_LINES = 'set bootfile="/grub_boot_assessment"\nsource "($bootfile_loc)$bootfile"\n';

let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'holdfast-state-'));
  mkdirSync(join(state, 'grub2'));
  writeFileSync(join(state, 'grub2/grub.cfg'), 'search --file --set=custom_blk /grubcustom\n');
});
afterEach(() => rmSync(state, { recursive: true }));

const read = (name: string) => readFileSync(join(state, name), 'utf8');
const inode = (name: string) => statSync(join(state, name)).ino;

test('on a new COS_STATE all three are made, and a second time nothing is', async () => {
  expect(placeAssessment(state, SCRIPT)).toEqual({ renamed: true, obstacle: undefined });
  expect(read('grub_boot_assessment')).toBe(SCRIPT);
  for (const name of ['grub_boot_assessment', 'grubcustom']) {
    await runChecked(['grub-script-check', join(state, name)]);
  }
  await runChecked(['grub-editenv', join(state, 'boot_assessment'), 'set', 'a=1']);
  expect(statSync(join(state, 'boot_assessment')).size).toBe(1024);
  const inodes = ['grub_boot_assessment', 'grubcustom', 'boot_assessment'].map(inode);
  expect(placeAssessment(state, SCRIPT)).toEqual({ renamed: false, obstacle: undefined });
  expect(['grub_boot_assessment', 'grubcustom', 'boot_assessment'].map(inode)).toEqual(inodes);
  expect(await runChecked(['grub-editenv', join(state, 'boot_assessment'), 'list'])).toBe('a=1\n');
});

test('cOS’s own lines stay the only ones, its script is replaced, its block is kept', async () => {
  writeFileSync(join(state, 'grubcustom'), `set timeout=3\n${COS_LINES}`);
  writeFileSync(join(state, 'grub_boot_assessment'), 'cOS’s\n');
  await runChecked(['grub-editenv', join(state, 'boot_assessment'), 'set', 'enable_boot_assessment=yes']);
  const block = inode('boot_assessment');
  expect(placeAssessment(state, SCRIPT).renamed).toBe(true);
  expect(read('grubcustom')).toBe(`set timeout=3\n${COS_LINES}`);
  expect(read('grub_boot_assessment')).toBe(SCRIPT);
  expect(inode('boot_assessment')).toBe(block);
  expect(read('boot_assessment')).toContain('enable_boot_assessment=yes');
});

test('an owner’s grubcustom keeps its lines and its mode, and is replaced, not written into', () => {
  writeFileSync(join(state, 'grubcustom'), 'set timeout=3', { mode: 0o600 });
  linkSync(join(state, 'grubcustom'), join(state, 'before'));
  placeAssessment(state, SCRIPT);
  expect(read('before')).toBe('set timeout=3');
  expect(read('grubcustom').startsWith('set timeout=3\n# Boot assessment')).toBe(true);
  expect(statSync(join(state, 'grubcustom')).mode & 0o777).toBe(0o600);
});

test.each<[string, (file: string) => void]>([
  ['has holes', (file) => truncateSync(file, 1024)],
  ['is no block', (file) => writeFileSync(file, 'x'.repeat(1024))],
  ['is cut off', (file) => writeFileSync(file, '# GRUB Environment Block\nenable_boot_assessment=yes\n')],
])('a block that %s is made anew, so that GRUB can write it', async (_, spoil) => {
  const file = join(state, 'boot_assessment');
  writeFileSync(file, '');
  spoil(file);
  expect(placeAssessment(state, SCRIPT).renamed).toBe(true);
  const { size, blocks } = statSync(file);
  expect(size).toBe(1024);
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
  await runChecked(['grub-editenv', file, 'set', 'a=1']);
});

test.each([
  ['a menu without grubcustom', 'menuentry "cOS" { true }\n', /reads no grubcustom/],
  ['no menu', undefined, /no boot menu was found/],
])('%s is an obstacle that is said', (_, menu, sentence) => {
  if (menu === undefined) rmSync(join(state, 'grub2'), { recursive: true });
  else writeFileSync(join(state, 'grub2/grub.cfg'), menu);
  expect(placeAssessment(state, SCRIPT).obstacle).toMatch(sentence);
});
