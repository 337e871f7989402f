import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inspectOutput, makeOutputDirectory, publishFile, temporaryOutput } from '../../../src/media/publish.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-publish-'));
});
afterEach(() => rmSync(directory, { recursive: true }));
const { signal } = new AbortController();

test('a medium appears whole, with a checksum that sha256sum accepts', async () => {
  const output = inspectOutput(join(directory, 'a.iso'), { force: false });
  const temporary = temporaryOutput(new UndoStack(), output);
  writeFileSync(temporary, 'content');
  const { sizeBytes } = await publishFile({ signal }, temporary, output);
  expect(sizeBytes).toBe(7);
  expect(readdirSync(directory).sort()).toEqual(['a.iso', 'a.iso.sha256']);
  expect(await runChecked(['sha256sum', '--check', 'a.iso.sha256'], { cwd: directory })).toBe('a.iso: OK\n');
});

test('what is there stays, unless it may go', async () => {
  const file = join(directory, 'a.iso');
  writeFileSync(file, 'old');
  expect(() => inspectOutput(file, { force: false })).toThrow(
    expect.objectContaining({ code: 'HF-TARGET', exitStatus: 25 }),
  );
  expect(inspectOutput(file, { force: true })).toBe(file);
  expect(readFileSync(file, 'utf8')).toBe('old');
});

test('directories and links are never overwritten', () => {
  mkdirSync(join(directory, 'd'));
  symlinkSync('/etc/passwd', join(directory, 'l'));
  for (const name of ['d', 'l'])
    expect(() => inspectOutput(join(directory, name), { force: true })).toThrow('is no file');
  expect(() => inspectOutput(join(directory, 'no/a.iso'), { force: true })).toThrow('is not a directory');
});

test('a directory that is missing is made, and goes again when nothing comes of it', async () => {
  const file = join(directory, 'new/er/a.iso');
  expect(inspectOutput(file, { force: false, directoryMayLack: true })).toBe(file);
  expect(readdirSync(directory)).toEqual([]);
  for (const [failed, left] of [
    [true, []],
    [false, ['new']],
  ] as const) {
    const undo = new UndoStack();
    makeOutputDirectory(undo, dirname(file));
    expect(existsSync(join(directory, 'new/er'))).toBe(true);
    expect(await undo.unwind(failed)).toEqual([]);
    expect(readdirSync(directory)).toEqual(left);
  }
  const undo = new UndoStack();
  makeOutputDirectory(undo, join(directory, 'new/est'));
  writeFileSync(join(directory, 'new/est/of-somebody-else'), '');
  expect(await undo.unwind(true)).toEqual([]);
  expect(readdirSync(join(directory, 'new')).sort()).toEqual(['er', 'est']);
});

test('a directory below a file is refused', () => {
  writeFileSync(join(directory, 'f'), '');
  symlinkSync('nowhere', join(directory, 'l'));
  expect(() => inspectOutput(join(directory, 'f/a.iso'), { force: false, directoryMayLack: true })).toThrow(
    expect.objectContaining({ code: 'HF-TARGET', message: `${join(directory, 'f')} is not a directory` }),
  );
  expect(() => makeOutputDirectory(new UndoStack(), join(directory, 'l'))).toThrow(
    expect.objectContaining({ code: 'HF-TARGET', message: expect.stringContaining("can't make") }),
  );
});

test('an unfinished one goes', async () => {
  const undo = new UndoStack();
  const temporary = temporaryOutput(undo, join(directory, 'a.iso'));
  writeFileSync(temporary, 'half');
  await undo.unwind(true);
  expect(existsSync(temporary)).toBe(false);
});
