// Proves that a directory tree is copied with everything that it is, that other disks mounted inside it stay behind and
// are named, and that a full target says so. Takes about two seconds.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTree } from '../../../src/image/tree.ts';
import { unpackImage } from '../../../src/image/unpack-image.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { unpackMembers } from '../../unit/image/fixture.ts';
import { dir, file, hardlink, symlink } from '../../unit/image/tarball.ts';
import { fullSnapshot } from './umoci.ts';

let directory: string;
let mounted: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-tree-'));
  mounted = [];
});
afterEach(async () => {
  for (const path of mounted) await unmount(path);
  rmSync(directory, { recursive: true, force: true });
});

async function mountTmpfs(path: string, size: string): Promise<void> {
  await mount('tmpfs', path, { type: 'tmpfs', options: [`size=${size}`] });
  mounted.push(path);
}

test('a tree is copied with owners, links, holes, attributes and times', async () => {
  const source = `${directory}/source`;
  mkdirSync(source);
  await unpackMembers(source, [
    [
      dir('.', { mode: 0o751, mtime: 1_400_000_000 }),
      dir('etc', { mtime: 1_400_000_001 }),
      file('etc/shadow', 'x', { mode: 0o640, gid: 42 }),
      hardlink('etc/same', 'etc/shadow'),
      dir('bin'),
      file('bin/su', 'x', { mode: 0o4755, uid: 0 }),
      file('bin/ping', 'x', {
        pax: { 'SCHILY.xattr.security.capability': Buffer.from('0100000200200000000000000000000000000000', 'hex') },
      }),
      symlink('lib', 'usr/lib', { uid: 5 }),
      dir('tmp', { mode: 0o1777 }),
      dir('dev', { mode: 0o700 }),
      { name: 'console', flag: '3', major: 5, minor: 1 },
      file('sparse', 'x', { pax: { 'GNU.sparse.map': '0,1', 'GNU.sparse.size': String(16 << 20) } }),
    ],
  ]);
  const before = fullSnapshot(source);
  writeFileSync(`${source}/tmp/left-behind`, 'x');
  mkdirSync(`${directory}/target`);
  await unpackImage(openTree(source), `${directory}/target`);
  const { tmp, ...rest } = fullSnapshot(`${directory}/target`);
  const { tmp: tmpBefore, ...restBefore } = before;
  expect(rest).toEqual(restBefore);
  expect(tmp).toMatchObject({ mode: '1777', owner: tmpBefore?.owner });
  expect(statSync(`${directory}/target/sparse`).blocks * 512).toBeLessThan(1 << 20);
});

test('other file systems inside a tree are left empty and named', async () => {
  const source = `${directory}/source`;
  mkdirSync(`${source}/etc`, { recursive: true });
  await mountTmpfs(`${source}/data`, '1m');
  await mountTmpfs(`${source}/etc/inner`, '1m');
  await mountTmpfs(`${source}/run`, '1m');
  for (const name of ['data', 'etc/inner', 'run']) writeFileSync(`${source}/${name}/file`, 'x');
  mkdirSync(`${directory}/target`);
  const { warnings } = await unpackImage(openTree(source), `${directory}/target`);
  expect(warnings).toEqual([
    `${source}/data is another file system: it was left empty`,
    `${source}/etc/inner is another file system: it was left empty`,
  ]);
  for (const name of ['data', 'etc/inner', 'run']) expect(readdirSync(`${directory}/target/${name}`)).toEqual([]);
});

test('a target without space says so', async () => {
  await mountTmpfs(`${directory}/small`, '1m');
  await expect(unpackMembers(`${directory}/small`, [[file('big', Buffer.alloc(2 << 20))]])).rejects.toMatchObject({
    code: 'HF-NO-SPACE',
    message: 'no space is left in the target for "big"',
    hint: expect.any(String),
  });
  // Nothing holds the target any more.
  execFileSync('umount', [`${directory}/small`]);
  mounted.pop();
});
