// `unpack_images` from a real registry into the root of another system: the tree that umoci makes of the image, with
// owners, devices and attributes, over what was there before. Takes about two seconds.

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LabRegistry, pushImage, startRegistry } from '../../../lab/registry/registry.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import type { Root } from '../../../src/system/root.ts';
import { writeLayers } from '../../unit/image/fixture.ts';
import { dir, file, hardlink, type Member, symlink, whiteout } from '../../unit/image/tarball.ts';
import { failuresOf, put, runSteps, temporaryRoot } from '../../unit/stages/temporary-root.ts';
import { fullSnapshot, umociTree } from '../image/umoci.ts';

const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const LAYERS: Member[][] = [
  [
    dir('bin', { mtime: 1_400_000_000 }),
    file('bin/ping', 'ping', { mode: 0o755, pax: { 'SCHILY.xattr.security.capability': CAPABILITY } }),
    file('bin/su', 'su', { mode: 0o4755, uid: 0, gid: 5 }),
    hardlink('bin/ping6', 'bin/ping'),
    dir('etc', { mode: 0o750, uid: 3, gid: 4, pax: { 'SCHILY.xattr.user.of': 'etc' } }),
    file('etc/old', 'x'),
    dir('dev'),
    { name: 'dev/null', flag: '3', mode: 0o666, major: 1, minor: 3 },
    symlink('lib', 'usr/lib'),
  ],
  [whiteout('etc/.wh.old'), file('etc/new', 'new', { uid: 1000, gid: 1000 })],
];

let registry: LabRegistry;
let root: Root;
let directory: string;

beforeAll(async () => {
  directory = join(process.env['TMPDIR'] ?? '/tmp', `holdfast-unpack-images-${process.pid}`);
  mkdirSync(directory);
  registry = await startRegistry(join(directory, 'registry'));
  await writeLayers(join(directory, 'layout'), 'v1', LAYERS);
  await pushImage(join(directory, 'layout'), 'v1', `${registry.host}/app:v1`);
});
afterAll(async () => {
  await registry?.close();
  rmSync(directory, { recursive: true, force: true });
});

const step = (target: string) => `- unpack_images: [{source: "${registry.host}/app:v1", target: ${target}}]`;

test('into an empty directory', async () => {
  root = temporaryRoot();
  expect(failuresOf(await runSteps(root, step('/opt/app')))).toEqual([]);
  const { '.': _, ...expected } = umociTree(join(directory, 'layout'), 'v1', join(directory, 'umoci'));
  const { '.': target, ...found } = fullSnapshot(root.resolve('/opt/app'));
  expect(found).toEqual(expected);
  expect(found['bin/ping']?.xattrs).toContain('security.capability');
  expect(target).toMatchObject({ mode: '755', owner: '0:0' });
  expect((await runSteps(root, step('/opt/app'))).steps[0]?.changedFiles).toEqual([]);
});

test('over the root of a system, where a partition is mounted', async () => {
  root = temporaryRoot({ 'etc/mine': 'mine', 'etc/old': 'mine too', 'usr/lib/libc': 'c' });
  root.link('/lib', 'usr/lib');
  mkdirSync(join(root.directory, 'bin'));
  await mount('tmpfs', join(root.directory, 'bin'), { type: 'tmpfs' });
  try {
    put(root.directory, 'bin/sh', 'sh');
    expect(failuresOf(await runSteps(root, step('/')))).toEqual([]);
    const tree = fullSnapshot(root.directory);
    expect(tree['etc']).toMatchObject({ mode: '750', owner: '3:4', xattrs: 'user.of=0x657463' });
    expect(tree['etc/new']).toMatchObject({ owner: '1000:1000' });
    expect([root.readText('/etc/mine'), root.readText('/etc/old'), root.readText('/lib/libc')]).toEqual([
      'mine',
      'mine too',
      'c',
    ]);
    expect(root.list('/bin')).toEqual(['ping', 'ping6', 'sh', 'su']);
    expect(tree['bin/su']).toMatchObject({ mode: '4755', owner: '0:5' });
    expect(tree['bin/ping']?.xattrs).toContain('security.capability');
    expect(root.list('/').filter((name) => name.startsWith('.'))).toEqual([]);
    expect((await runSteps(root, step('/'))).steps[0]?.changedFiles).toEqual([]);
  } finally {
    await unmount(join(root.directory, 'bin'));
  }
});
