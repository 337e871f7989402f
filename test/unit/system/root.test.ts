// A root's paths: nothing that a tree contains may lead out of it.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Root } from '../../../src/system/root.ts';

let directory: string;
let root: Root;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-root-'));
  root = new Root(join(directory, 'tree'));
  mkdirSync(join(root.directory, 'usr/lib'), { recursive: true });
  mkdirSync(join(root.directory, 'etc'));
  writeFileSync(join(directory, 'outside'), 'outside');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const link = (target: string, at: string) => symlinkSync(target, join(root.directory, at));

test.each([
  ['/etc/hostname', 'etc/hostname'],
  ['etc/../../../outside', 'outside'],
  ['//usr//./lib/', 'usr/lib'],
  ['/', ''],
])('%s is inside the tree', (path, expected) => {
  expect(root.resolve(path)).toBe(join(root.directory, expected));
});

test('an absolute link starts at the root again', () => {
  link('/usr/lib', 'lib');
  expect(root.resolve('/lib/os-release')).toBe(join(root.directory, 'usr/lib/os-release'));
});

test('a relative link that climbs stops at the root', () => {
  link('../../../../outside', 'etc/climb');
  expect(root.resolve('/etc/climb')).toBe(join(root.directory, 'outside'));
  expect(root.readTextIfThere('/etc/climb')).toBeUndefined();
});

test('a link in the middle of a path is followed, one at the end only when asked', () => {
  link('usr', 'alias');
  link('/etc', 'usr/last');
  expect(root.resolve('/alias/last', { followLast: false })).toBe(join(root.directory, 'usr/last'));
  expect(root.resolve('/alias/last')).toBe(join(root.directory, 'etc'));
});

test('links in a circle end with an error', () => {
  link('b', 'a');
  link('a', 'b');
  expect(() => root.resolve('/a')).toThrow('too many symbolic links');
});

test('writing through a climbing link stays inside and replaces the file as a whole', () => {
  link('/../../outside', 'etc/conf');
  root.writeFile('/etc/conf', 'new\n', { mode: 0o600 });
  expect(root.readText('/outside')).toBe('new\n');
  expect(root.stat('/outside')?.mode).toBe(0o100600);
  expect(new Root(directory).readText('/outside')).toBe('outside');
});

test('no path of any shape resolves to outside of the tree', () => {
  link('../..', 'etc/up');
  link('/', 'usr/top');
  link('up/../../usr/top/etc/up', 'etc/maze');
  const part = fc.constantFrom('..', '.', '', 'etc', 'usr', 'up', 'top', 'maze', 'lib', 'x', 'outside');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const resolved = root.resolve(parts.join('/'));
      expect(resolved === root.directory || resolved.startsWith(`${root.directory}/`)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('a relative directory is refused as a root', () => {
  expect(() => new Root('tree')).toThrow('absolute');
});

test('a pipe is no file to read: it would be waited for', () => {
  spawnSync('mkfifo', [join(root.directory, 'etc/pipe')]);
  expect(() => root.readText('/etc/pipe')).toThrow('/etc/pipe is a pipe or socket, not a file');
  expect(() => root.readTextIfThere('/etc/pipe')).toThrow('/etc/pipe is a pipe or socket, not a file');
});
