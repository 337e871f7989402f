import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chooseWorkParent, isInMemory, openWorkPlace } from '../../../src/media/work-place.ts';
import { parseMountInfo } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';

const mounts = (...lines: string[]) =>
  parseMountInfo(lines.map((line, index) => `${index} 1 0:${index} / ${line} x rw`).join('\n'));
const usual = mounts('/ rw - ext4', '/tmp rw - tmpfs');

test('large things go to /var/tmp', () => {
  expect(chooseWorkParent({ near: '/srv/out.iso', environment: {} }, usual)).toBe('/var/tmp');
});

test('where that is in memory, beside the medium', () => {
  const inMemory = mounts('/ rw - ext4', '/var rw - tmpfs');
  expect(chooseWorkParent({ near: '/srv/out.iso', environment: {} }, inMemory)).toBe('/srv');
});

test('TMPDIR is taken as it is', () => {
  expect(chooseWorkParent({ near: '/srv/out.iso', environment: { TMPDIR: tmpdir() } }, usual)).toBe(tmpdir());
});

test('TMPDIR that isn’t there is said, not worked around', () => {
  expect(() => chooseWorkParent({ near: '/x', environment: { TMPDIR: '/nowhere/at/all' } }, usual)).toThrow(
    'TMPDIR names /nowhere/at/all',
  );
});

test.each([
  ['/tmp', true],
  ['/tmp/sub', true],
  ['/tmpfoo', false],
  ['/var/tmp', false],
])('%s is in memory: %s', (directory, expected) => {
  expect(isInMemory(directory, usual)).toBe(expected);
});

test('of two file systems at one place the upper one counts', () => {
  expect(isInMemory('/tmp', mounts('/ rw - ext4', '/tmp rw - tmpfs', '/tmp rw - ext4'))).toBe(false);
});

test('nobody else may look into it, and it goes with everything in it', async () => {
  const near = mkdtempSync(join(tmpdir(), 'holdfast-work-'));
  const undo = new UndoStack();
  const directory = openWorkPlace(undo, { near, needBytes: 1, purpose: 'a test', environment: { TMPDIR: near } });
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(await undo.unwind(false)).toEqual([]);
  expect(existsSync(directory)).toBe(false);
  rmSync(near, { recursive: true });
});

test('without room nothing is made, and the figures are told', () => {
  const near = mkdtempSync(join(tmpdir(), 'holdfast-work-'));
  const options = { near, needBytes: 2 ** 60, purpose: 'the unpacked system', environment: { TMPDIR: near } };
  expect(() => openWorkPlace(new UndoStack(), options)).toThrow(/not enough space in .* for the unpacked system/);
  rmSync(near, { recursive: true });
});
