// Joining trees where it takes more than renames: extended attributes of directories, and other file systems that are
// mounted inside the target.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mergeTree } from '../../../src/image/merge.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { temporaryDirectory, unpackMembers } from '../../unit/image/fixture.ts';
import { dir, file } from '../../unit/image/tarball.ts';

test('extended attributes of joined directories come along', async () => {
  const directory = temporaryDirectory();
  const target = join(directory, 'target');
  mkdirSync(join(target, 'ä b/c'), { recursive: true });
  execFileSync('setfattr', ['-n', 'user.old', '-v', '1', join(target, 'ä b')]);
  const work = join(target, '.work');
  mkdirSync(work);
  const pax = (value: string) => ({ pax: { 'SCHILY.xattr.user.new': value } });
  const name = Buffer.from('ä b').toString('latin1');
  const unpacked = await unpackMembers(work, [[dir(name, pax('2')), dir(`${name}/c`, pax('a\n"b"')), file('x')]]);
  await mergeTree(work, target, unpacked);
  const value = (path: string, attribute: string) =>
    execFileSync('getfattr', ['--absolute-names', '--only-values', '-n', attribute, join(target, path)], {
      encoding: 'utf8',
    });
  expect([value('ä b', 'user.old'), value('ä b', 'user.new'), value('ä b/c', 'user.new')]).toEqual([
    '1',
    '2',
    'a\n"b"',
  ]);
});

test('what lies on another file system is copied there, and what is mounted is never removed', async () => {
  const target = join(temporaryDirectory(), 'target');
  const mounted = join(target, 'd/mounted');
  mkdirSync(mounted, { recursive: true });
  await mount('tmpfs', mounted, { type: 'tmpfs' });
  try {
    writeFileSync(join(mounted, 'kept'), 'kept');
    const work = join(target, '.work');
    mkdirSync(work);
    const members = [
      dir('d'),
      file('d/mounted/a', 'a', { mode: 0o4755, uid: 1000 }),
      dir('d/mounted/sub', { mode: 0o700 }),
      file('d/mounted/sub/b', 'b'),
      file('d/mounted/kept', 'new'),
    ];
    await mergeTree(work, target, await unpackMembers(work, [members]));
    expect(statSync(join(mounted, 'a'))).toMatchObject({ mode: 0o104755, uid: 1000, dev: statSync(mounted).dev });
    expect(statSync(join(mounted, 'sub')).mode).toBe(0o40700);
    expect(readFileSync(join(mounted, 'sub/b'), 'utf8')).toBe('b');
    expect(readFileSync(join(mounted, 'kept'), 'utf8')).toBe('new');
    expect(existsSync(work)).toBe(false);

    mkdirSync(work);
    await expect(
      mergeTree(work, target, await unpackMembers(work, [[file('d', 'no directory')]])),
    ).rejects.toMatchObject({
      code: 'HF-MOUNT',
      message: `${join(target, 'd')} can't be replaced: ${mounted} is mounted there`,
    });
    expect(readFileSync(join(mounted, 'kept'), 'utf8')).toBe('new');
    rmSync(work, { recursive: true });
  } finally {
    await unmount(mounted);
  }
});
