// A container's root is copied as the image that it was made from: layers on several disks, and what its runtime leaves to
// mount something on.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { copyTree, openTree } from '../../../src/image/tree.ts';
import { mountAt, unmount } from '../../../src/system/mounts.ts';

let directory: string;
const at = (...names: string[]) => join(directory, ...names);
const mount = (...words: string[]) => execFileSync('mount', words, { stdio: 'pipe' });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-container-tree-'));
  for (const name of ['root', 'target', 'outside', 'disk']) mkdirSync(at(name));
});
afterEach(async () => {
  for (const name of ['root', 'disk']) if (mountAt(at(name)) !== undefined) await unmount(at(name));
  rmSync(directory, { recursive: true });
});

test('layers on another disk are part of the tree, links and files beside the directories too', async () => {
  mkdirSync(at('lower/usr/bin'), { recursive: true });
  writeFileSync(at('lower/usr/bin/tool'), 'tool');
  symlinkSync('usr/bin', at('lower/bin'));
  mount('-t', 'tmpfs', 'tmpfs', at('disk'));
  for (const name of ['upper', 'work']) mkdirSync(at('disk', name));
  mount(
    '-t',
    'overlay',
    'overlay',
    '-o',
    `lowerdir=${at('lower')},upperdir=${at('disk/upper')},workdir=${at('disk/work')}`,
    at('root'),
  );
  writeFileSync(at('root/init'), 'init');
  await copyTree(openTree(at('root')), at('target'));
  expect(readlinkSync(at('target/bin'))).toBe('usr/bin');
  expect(readFileSync(at('target/usr/bin/tool'), 'utf8')).toBe('tool');
  expect(readFileSync(at('target/init'), 'utf8')).toBe('init');
});

test('empty places that are named are left out, what is not empty stays, and no link is followed', async () => {
  for (const name of ['etc', 'opt/secret', 'opt/full']) mkdirSync(at('root', name), { recursive: true });
  writeFileSync(at('root/etc/hosts'), '');
  writeFileSync(at('root/etc/hostname'), 'of-the-image\n');
  writeFileSync(at('root/opt/full/file'), '');
  writeFileSync(at('outside/victim'), '');
  symlinkSync(at('outside'), at('root/link'));
  const leftOut = ['etc/hosts', 'etc/hostname', 'opt/secret', 'opt/full', 'link/victim', 'etc/none'];
  await copyTree({ ...openTree(at('root')), leftOut }, at('target'));
  expect(existsSync(at('target/etc/hosts'))).toBe(false);
  expect(existsSync(at('target/opt/secret'))).toBe(false);
  expect(readFileSync(at('target/etc/hostname'), 'utf8')).toBe('of-the-image\n');
  expect(existsSync(at('target/opt/full/file'))).toBe(true);
  expect(existsSync(at('outside/victim'))).toBe(true);
  // Nothing of the container itself is touched.
  expect(existsSync(at('root/etc/hosts'))).toBe(true);
});
