import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layOver, overlayDirectory } from '../../../src/media/overlay-directory.ts';
import { Root } from '../../../src/system/root.ts';

let work: string;
let tree: string;
let overlay: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'holdfast-overlay-'));
  [tree, overlay] = [join(work, 'tree'), join(work, 'overlay')];
  mkdirSync(tree);
  mkdirSync(overlay);
});
afterEach(() => rmSync(work, { recursive: true }));

function put(top: string, path: string, text: string): void {
  mkdirSync(dirname(join(top, path)), { recursive: true });
  writeFileSync(join(top, path), text);
}

test('files join and replace, with their modes', async () => {
  put(tree, 'etc/motd', 'old');
  put(tree, 'etc/hosts', 'kept');
  put(overlay, 'etc/motd', 'new');
  put(overlay, 'etc/more/deep', 'added');
  put(overlay, '.hidden', 'too');
  chmodSync(join(overlay, 'etc/motd'), 0o640);
  symlinkSync('motd', join(overlay, 'etc/link'));
  await layOver(overlay, new Root(tree));
  const read = (path: string) => readFileSync(join(tree, path), 'utf8');
  expect(['etc/motd', 'etc/hosts', 'etc/more/deep', '.hidden'].map(read)).toEqual(['new', 'kept', 'added', 'too']);
  expect(statSync(join(tree, 'etc/motd')).mode & 0o777).toBe(0o640);
  expect(readlinkSync(join(tree, 'etc/link'))).toBe('motd');
});

test('directories of the image that are links are followed inside the image', async () => {
  mkdirSync(join(tree, 'usr/lib'), { recursive: true });
  symlinkSync('/usr/lib', join(tree, 'lib'));
  put(overlay, 'lib/firmware/a.bin', 'f');
  await layOver(overlay, new Root(tree));
  expect(readFileSync(join(tree, 'usr/lib/firmware/a.bin'), 'utf8')).toBe('f');
  expect(lstatSync(join(tree, 'lib')).isSymbolicLink()).toBe(true);
});

test('nothing is written through a link that leads out of the image', async () => {
  const outside = join(work, 'outside');
  mkdirSync(outside);
  put(work, 'outside/file', 'mine');
  symlinkSync(join(outside, 'file'), join(tree, 'file'));
  symlinkSync(`../../../../../../../../${outside}`, join(tree, 'up'));
  put(overlay, 'file', 'theirs');
  put(overlay, 'up/file', 'theirs');
  await expect(layOver(overlay, new Root(tree))).rejects.toMatchObject({ code: 'HF-TARGET' });
  rmSync(join(overlay, 'up'), { recursive: true });
  await layOver(overlay, new Root(tree));
  expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('mine');
  expect(readFileSync(join(tree, 'file'), 'utf8')).toBe('theirs');
});

test.each([
  ['a directory over a file', 'a/b', 'a'],
  ['a file over a directory', 'a', 'a/b'],
])('%s is refused', async (_, over, under) => {
  put(overlay, over, '');
  put(tree, under, '');
  await expect(layOver(overlay, new Root(tree))).rejects.toThrow(
    /can’t be laid over the image’s \/a: only one is a directory/,
  );
});

test('an overlay has to be a directory', () => {
  put(work, 'file', '');
  expect(() => overlayDirectory(join(work, 'file'), '--overlay-iso')).toThrow(/--overlay-iso .*no such directory/);
  expect(existsSync(overlayDirectory(overlay, '--overlay-iso'))).toBe(true);
});
