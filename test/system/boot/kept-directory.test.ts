// The directory behind a bind mounted path: what is copied at first, what a new image adds, and that neither a power cut nor
// the owner's changes are mistaken for each other.

import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fillKeptDirectory } from '../../../src/boot/kept-directory.ts';
import { run, runChecked } from '../../../src/system/process.ts';

let work = '';
let image = '';
let kept = '';

beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'holdfast-kept-'));
  image = join(work, 'image');
  kept = join(work, 'state/etc.bind');
  mkdirSync(image);
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

const OLD = new Date('2020-01-01T00:00:00Z');
const NEW = new Date('2030-01-01T00:00:00Z');

function put(directory: string, path: string, text: string, date = OLD): void {
  const at = join(directory, path);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, text);
  utimesSync(at, date, date);
}
const get = (path: string) => (existsSync(join(kept, path)) ? readFileSync(join(kept, path), 'utf8') : undefined);

test('the first copy has owners, modes, links, special files, attributes and ACLs of the image', async () => {
  put(image, 'a', 'text');
  await runChecked(['chown', '12:34', join(image, 'a')]);
  chmodSync(join(image, 'a'), 0o4711);
  await runChecked(['ln', join(image, 'a'), join(image, 'b')]);
  symlinkSync('/nowhere', join(image, 'link'));
  await runChecked(['mkfifo', join(image, 'pipe')]);
  await runChecked(['mknod', join(image, 'null'), 'c', '1', '3']);
  await runChecked(['setfattr', '-n', 'user.note', '-v', 'x', join(image, 'a')]);
  mkdirSync(join(image, 'empty'), { mode: 0o700 });
  chmodSync(image, 0o750);
  expect(await fillKeptDirectory(image, kept, 'one')).toBe(1);

  const stat = statSync(join(kept, 'a'));
  expect([stat.uid, stat.gid, stat.mode & 0o7777, stat.mtimeMs]).toEqual([12, 34, 0o4711, OLD.getTime()]);
  expect(statSync(join(kept, 'b')).ino).toBe(stat.ino);
  expect(readlinkSync(join(kept, 'link'))).toBe('/nowhere');
  expect(lstatSync(join(kept, 'pipe')).isFIFO()).toBe(true);
  expect(lstatSync(join(kept, 'null')).isCharacterDevice()).toBe(true);
  expect(await runChecked(['getfattr', '--only-values', '-n', 'user.note', join(kept, 'a')])).toBe('x');
  expect(statSync(join(kept, 'empty')).mode & 0o7777).toBe(0o700);
  expect(statSync(kept).mode & 0o7777).toBe(0o750);
  expect(readdirSync(dirname(kept)).sort()).toEqual(['etc.bind', 'etc.bind.offered']);
});

describe('another image', () => {
  beforeEach(async () => {
    for (const name of ['same', 'changed', 'removed', 'updated', 'deep/er/file']) put(image, name, 'one');
    symlinkSync('one', join(image, 'link'));
    await fillKeptDirectory(image, kept, 'one');
    put(kept, 'changed', 'mine', NEW);
    rmSync(join(kept, 'removed'));
  });

  test('adds what is missing, replaces what is older, and leaves what is the owner’s', async () => {
    put(image, 'changed', 'two', new Date('2025-01-01T00:00:00Z'));
    put(image, 'updated', 'two', new Date('2025-01-01T00:00:00Z'));
    put(image, 'added', 'two');
    put(image, 'new/tree/file', 'two');
    put(image, 'deep/er/other', 'two');
    rmSync(join(image, 'same'));
    expect(await fillKeptDirectory(image, kept, 'two')).toBe(4);
    const names = ['same', 'changed', 'removed', 'updated', 'added', 'new/tree/file', 'deep/er/file', 'deep/er/other'];
    expect(names.map(get)).toEqual(['one', 'mine', undefined, 'two', 'two', 'two', 'one', 'two']);
    expect(readdirSync(dirname(kept)).sort()).toEqual(['etc.bind', 'etc.bind.offered']);
  });

  test('and the first one again don’t bring back what the owner removed', async () => {
    rmSync(join(image, 'removed'));
    await fillKeptDirectory(image, kept, 'two');
    put(image, 'removed', 'one');
    await fillKeptDirectory(image, kept, 'one');
    expect(get('removed')).toBeUndefined();
  });

  test('never writes through the owner’s links, nor replaces one type by another', async () => {
    const outside = join(work, 'outside');
    put(work, 'outside', 'theirs');
    for (const name of ['same', 'updated', 'deep']) rmSync(join(kept, name), { recursive: true });
    symlinkSync(outside, join(kept, 'same'));
    mkdirSync(join(kept, 'updated'));
    mkdirSync(join(work, 'elsewhere'));
    symlinkSync(join(work, 'elsewhere'), join(kept, 'deep'));
    for (const name of ['same', 'updated', 'deep/er/file', 'deep/er/new']) put(image, name, 'two', NEW);
    await fillKeptDirectory(image, kept, 'two');
    expect(readFileSync(outside, 'utf8')).toBe('theirs');
    expect(readlinkSync(join(kept, 'same'))).toBe(outside);
    expect(readdirSync(join(kept, 'updated'))).toEqual([]);
    expect(readdirSync(join(work, 'elsewhere'))).toEqual([]);
  });

  test('replaces a link that is newer in it', async () => {
    rmSync(join(image, 'link'));
    symlinkSync('two', join(image, 'link'));
    await runChecked(['touch', '--no-dereference', '--date=2031-01-01', join(image, 'link')]);
    await fillKeptDirectory(image, kept, 'two');
    expect(readlinkSync(join(kept, 'link'))).toBe('two');
  });
});

test('the same image isn’t even read again; an unknown one is', async () => {
  put(image, 'a', 'one');
  await fillKeptDirectory(image, kept, 'one');
  put(image, 'b', 'two');
  expect(await fillKeptDirectory(image, kept, 'one')).toBe(0);
  expect(await fillKeptDirectory(image, kept, undefined)).toBe(1);
  expect(get('b')).toBe('two');
});

test('a directory that cOS kept gets what is missing', async () => {
  put(kept, 'mine', 'kept');
  put(kept, 'changed', 'kept', NEW);
  put(image, 'changed', 'one');
  put(image, 'added', 'one');
  expect(await fillKeptDirectory(image, kept, 'one')).toBe(1);
  expect(['mine', 'changed', 'added'].map(get)).toEqual(['kept', 'kept', 'one']);
});

test('a link or file in its place is refused', async () => {
  mkdirSync(dirname(kept));
  symlinkSync(image, kept);
  await expect(fillKeptDirectory(image, kept, 'one')).rejects.toThrow('etc.bind is a link, not a directory');
});

test('hundreds of new files are copied, whatever their names', async () => {
  put(image, 'a', 'one');
  await fillKeptDirectory(image, kept, 'one');
  const names = Array.from({ length: 300 }, (_, index) => `${index} -n $x\n'"`);
  for (const name of [...names, '--help']) put(image, name, name);
  expect(await fillKeptDirectory(image, kept, 'two')).toBe(301);
  expect(readdirSync(kept).length).toBe(302);
  expect(get(names[299] ?? '')).toBe(names[299]);
});

describe('killed', () => {
  const files = Array.from({ length: 400 }, (_, index) => `d${index % 7}/f${index}`);

  /** Runs the copy with processes of its own and kills them all at once, as a power cut does, when `when` is true. */
  async function killWhen(identity: string, when: () => boolean): Promise<void> {
    const module = join(import.meta.dirname, '../../../src/boot/kept-directory.ts');
    const script = `import { fillKeptDirectory } from ${JSON.stringify(module)};
      await fillKeptDirectory(...${JSON.stringify([image, kept, identity])});`;
    const bun = join(import.meta.dirname, '../../../node_modules/@oven/bun-linux-x64/bin/bun');
    // With the first process of a process namespace the kernel ends all of them, and unshare returns only then.
    const child = spawn('unshare', ['--pid', '--fork', bun, '-e', script], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const isRunning = () => child.exitCode === null && child.signalCode === null;
    while (isRunning() && !when()) await new Promise((resolve) => setImmediate(resolve));
    if (isRunning()) {
      const [first] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
      if (first !== undefined && first !== '') process.kill(Number(first), 'SIGKILL');
    }
    await ended;
  }

  test.each([40, 390])('in the first copy after %i files, the next boot has all of them', async (count) => {
    for (const name of files) put(image, name, `${name}\n`.repeat(2000));
    const partial = `${kept}.partial`;
    const copied = () => (existsSync(partial) ? countFiles(partial) : 0);
    await killWhen('one', () => copied() >= count);
    await fillKeptDirectory(image, kept, 'one');
    expect((await run(['diff', '--recursive', image, kept])).stdout).toBe('');
    expect(existsSync(partial)).toBe(false);
  });

  test.each([200])('in an update after %i files, the next boot has all of them', async (count) => {
    put(image, 'a', 'one');
    put(image, 'mine', 'one');
    await fillKeptDirectory(image, kept, 'one');
    put(kept, 'mine', 'mine', NEW);
    for (const name of files) put(image, name, `${name}\n`.repeat(2000));
    const partial = `${kept}.partial`;
    await killWhen('two', () => existsSync(partial) && countFiles(partial) >= count);
    await fillKeptDirectory(image, kept, 'two');
    expect((await run(['diff', '--recursive', '--brief', image, kept])).stdout).toBe(
      `Files ${join(image, 'mine')} and ${join(kept, 'mine')} differ\n`,
    );
  });

  function countFiles(directory: string): number {
    try {
      return readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
    } catch {
      // It is just being renamed.
      return 0;
    }
  }
});
