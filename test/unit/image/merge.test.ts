// Joining two trees: what comes replaces what is there, directories keep the rest of what they have, and no link of the
// target leads anywhere else.

import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeTree } from '../../../src/image/merge.ts';
import { temporaryDirectory, unpackMembers } from './fixture.ts';
import { names, snapshot } from './snapshot.ts';
import { dir, file, hardlink, type Member, symlink } from './tarball.ts';

/** Unpacks members beside a target with these files (a text, a link with `-> `, a directory with `/`) and joins them. */
async function merge(target: Record<string, string>, members: Member[]): Promise<string> {
  const directory = temporaryDirectory();
  const at = join(directory, 'target');
  mkdirSync(at);
  for (const [path, content] of Object.entries(target)) {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    if (path.endsWith('/')) mkdirSync(join(at, path), { recursive: true });
    else if (content.startsWith('-> ')) symlinkSync(content.slice(3).replace('$', directory), join(at, path));
    else writeFileSync(join(at, path), content);
  }
  const work = join(at, '.work');
  mkdirSync(work);
  const unpacked = await unpackMembers(work, [members]);
  await mergeTree(work, at, unpacked);
  return at;
}

describe('what is there after it', () => {
  test.each<[string, Record<string, string>, Member[], string[]]>([
    ['files beside each other', { a: '1' }, [file('b')], ['a', 'b']],
    ['a file for a file', { a: 'old' }, [file('a', 'new')], ['a']],
    ['directories are joined', { 'd/a': '1' }, [dir('d'), file('d/b')], ['d/', 'd/a', 'd/b']],
    ['implied directories too', { 'd/e/a': '1' }, [file('d/e/b')], ['d/', 'd/e/', 'd/e/a', 'd/e/b']],
    ['a file for a directory', { 'd/a': '1' }, [file('d')], ['d']],
    ['a directory for a file', { d: '1' }, [dir('d'), file('d/a')], ['d/', 'd/a']],
    ['a link for a directory', { 'd/a': '1' }, [symlink('d', 'x')], ['d@']],
    ['a file for a link', { x: '1', a: '-> x' }, [file('a', 'new')], ['a', 'x']],
    ['a directory for a link to a file', { x: '1', d: '-> x' }, [dir('d'), file('d/a')], ['d/', 'd/a', 'x']],
    ['a directory for a link to nothing', { d: '-> x' }, [file('d/a')], ['d/', 'd/a']],
    [
      'a link to a directory is followed, as /lib is',
      { 'usr/lib/a': '1', lib: '-> usr/lib' },
      [dir('lib'), file('lib/b')],
      ['lib@', 'usr/', 'usr/lib/', 'usr/lib/a', 'usr/lib/b'],
    ],
    [
      'an absolute one begins at the target',
      { 'usr/lib/a': '1', lib: '-> /usr/lib' },
      [file('lib/b')],
      ['lib@', 'usr/', 'usr/lib/', 'usr/lib/a', 'usr/lib/b'],
    ],
    ['links in circles are replaced', { a: '-> b', b: '-> a' }, [file('c')], ['a@', 'b@', 'c']],
    ['nothing at all', { a: '1' }, [], ['a']],
  ])('%s', async (_, target, members, expected) => {
    expect(names(await merge(target, members))).toEqual(expected);
  });

  test('a link out of the target is replaced, and what it led to is as it was', async () => {
    const outside = temporaryDirectory();
    writeFileSync(join(outside, 'a'), 'old');
    const at = await merge({ out: `-> ${outside}`, up: '-> ../../../../../..' }, [file('out/a', 'new'), file('up/b')]);
    expect(readFileSync(join(outside, 'a'), 'utf8')).toBe('old');
    expect(lstatSync(join(at, 'out')).isDirectory()).toBe(true);
    // After a chroot, too many steps up end at the top.
    expect(names(at)).toEqual(['b', 'out/', 'out/a', 'up@']);
  });
});

test('attributes: those of the image, but of implied directories and the target itself those that were there', async () => {
  const directory = temporaryDirectory();
  for (const name of ['target', 'target/explicit', 'target/implied', 'target/new']) {
    mkdirSync(join(directory, name), { mode: 0o700 });
  }
  for (const name of ['target/explicit', 'target/implied', 'target']) utimesSync(join(directory, name), 1000, 1000);
  const work = join(directory, 'target/.work');
  mkdirSync(work);
  const unpacked = await unpackMembers(work, [
    [
      dir('.', { mode: 0o711 }),
      dir('explicit', { mode: 0o1777, mtime: 1_500_000_000 }),
      file('explicit/a', 'a', { mode: 0o4711 }),
      hardlink('explicit/b', 'explicit/a'),
      file('implied/a'),
      dir('new', { mode: 0o750, mtime: 1_500_000_001 }),
    ],
  ]);
  await mergeTree(work, join(directory, 'target'), unpacked);
  const tree = snapshot(join(directory, 'target'));
  expect(tree['.']).toMatchObject({ mode: '700' });
  expect(tree['explicit']).toMatchObject({ mode: '1777', mtimeSeconds: 1_500_000_000 });
  expect(tree['explicit/a']).toMatchObject({ mode: '4711', mtimeSeconds: 1_600_000_000 });
  expect(tree['explicit/b']).toMatchObject({ sameAs: 'explicit/a' });
  expect(tree['implied']).toMatchObject({ mode: '700', mtimeSeconds: 1000 });
  expect(tree['new']).toMatchObject({ mode: '750', mtimeSeconds: 1_500_000_001 });
  expect(existsSync(work)).toBe(false);
});

test('names may be any bytes', async () => {
  const at = await merge({}, [dir('d\xff'), file('d\xff/\xe9'), file('new\nline')]);
  expect(names(at)).toEqual(['d\xff/', 'd\xff/\xe9', 'new\nline']);
  const work = join(at, '.work');
  mkdirSync(work);
  await mergeTree(work, at, await unpackMembers(work, [[file('d\xff/\xe8')]]));
  expect(names(at)).toEqual(['d\xff/', 'd\xff/\xe8', 'd\xff/\xe9', 'new\nline']);
});

test('joining is the same as unpacking over it, where nothing has to make room', async () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
  /** A tree as its files; what would lie below another file is left out. */
  const tree = fc
    .uniqueArray(path, { maxLength: 8 })
    .map((paths) => paths.filter((one) => !paths.some((other) => one.startsWith(`${other}/`))));
  await fc.assert(
    fc.asyncProperty(tree, tree, async (before, after) => {
      fc.pre(
        before.every((one) => after.every((other) => !one.startsWith(`${other}/`) && !other.startsWith(`${one}/`))),
      );
      const at = await merge(
        Object.fromEntries(before.map((one) => [one, 'old'])),
        after.map((one) => file(one, 'new')),
      );
      const found = Object.entries(snapshot(at)).filter(([, { type }]) => type === 'file');
      const expected = [...new Set([...before, ...after])].sort();
      expect(found.map(([one]) => one).sort()).toEqual(expected);
      for (const one of expected) {
        expect(readFileSync(join(at, one), 'utf8')).toBe(after.includes(one) ? 'new' : 'old');
      }
    }),
    { numRuns: 100 },
  );
});
