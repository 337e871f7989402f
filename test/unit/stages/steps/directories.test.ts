// `directories`: exactly the mode that is written, at the first run and at each later one.

import { mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Root } from '../../../../src/system/root.ts';
import { failuresOf, runSteps, self, temporaryRoot } from '../temporary-root.ts';

const make = (root: Root, entry: string) =>
  runSteps(root, `- directories: [{owner: ${self.uid}, group: ${self.gid}, ${entry}}]`);
const modeOf = (root: Root, path: string) => (statSync(root.resolve(path)).mode & 0o7777).toString(8);

it.each([
  ['permissions: 0700', '700'],
  ['permissions: 0777', '777'],
  ['permissions: 01777', '1777'],
  ['permissions: "2755"', '2755'],
  ['', '755'],
])('%s makes %s whatever the umask, parents are 0755', async (entry, mode) => {
  const root = temporaryRoot();
  const first = await make(root, `path: /a/b/, ${entry}`);
  expect(failuresOf(first)).toEqual([]);
  expect([modeOf(root, '/a/b'), modeOf(root, '/a')]).toEqual([mode, '755']);
  expect(first.steps[0]?.changedFiles).toEqual(['/a', '/a/b']);
  const second = await make(root, `path: /a/b, ${entry}`);
  expect(second.steps[0]?.changedFiles).toEqual([]);
});

it('an existing directory gets the mode, its content is left alone', async () => {
  const root = temporaryRoot({ 'd/f': 'x' });
  const before = modeOf(root, '/d/f');
  expect((await make(root, 'path: /d, permissions: 0700')).steps[0]?.changedFiles).toEqual(['/d']);
  expect([modeOf(root, '/d'), modeOf(root, '/d/f')]).toEqual(['700', before]);
});

it('a link to a directory is that directory, inside of the root', async () => {
  const root = temporaryRoot();
  mkdirSync(join(root.directory, 'real'));
  symlinkSync('/real', join(root.directory, 'link'));
  expect(failuresOf(await make(root, 'path: /link/sub, permissions: 0700'))).toEqual([]);
  expect(modeOf(root, '/real/sub')).toBe('700');
});

it('a file in the way is an error, and the other directories are made', async () => {
  const root = temporaryRoot({ f: '' });
  const mine = `owner: ${self.uid}, group: ${self.gid}, permissions: 0700`;
  const result = await runSteps(root, `- directories: [{path: /f, ${mine}}, {${mine}}, {path: /d, ${mine}}]`);
  expect(failuresOf(result)).toEqual([
    'directories: /f is there and is no directory; a directory without a path (add "path: /…")',
  ]);
  expect(root.exists('/d')).toBe(true);
});
