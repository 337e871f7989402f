import { expect, test } from 'vitest';
import { changedPaths, figuresOfTree } from '../../../src/image/image-difference.ts';
import { openLayout } from '../../../src/image/layout.ts';
import { ReadMemory, readContents } from '../../../src/image/read-contents.ts';
import { temporaryDirectory, writeLayers } from './fixture.ts';
import { dir, file, hardlink, type Member, symlink, whiteout } from './tarball.ts';

const status = (version: string) => `Package: bash\nStatus: install ok installed\nVersion: ${version}\n`;
const base: Member[] = [
  dir('etc', { mtime: 1_400_000_000 }),
  symlink('etc/os-release', '../usr/lib/os-release'),
  file('etc/mode', 'x'),
  file('etc/content', 'old'),
  file('etc/attributes', 'x'),
  file('etc/gone', '12345'),
  symlink('etc/link', 'one'),
  file('usr/lib/os-release', 'PRETTY_NAME="One"\n'),
  file('var/lib/dpkg/status', status('1')),
  file('large', Buffer.alloc(10_000)),
  hardlink('large-again', 'large'),
];
const upper: Member[] = [
  dir('etc', { mtime: 1_500_000_000 }),
  file('etc/mode', 'x', { mode: 0o600, uid: 7 }),
  file('etc/content', 'newer'),
  file('etc/attributes', 'x', { mtime: 5, pax: { 'SCHILY.xattr.user.x': 'y' } }),
  whiteout('etc/.wh.gone'),
  symlink('etc/link', 'two'),
  file('etc/new', '123'),
  dir('large-again'),
  file('var/lib/dpkg/status', status('2')),
  file('usr/lib/os-release', 'PRETTY_NAME="Two"\n'),
];

test('two images are read once where they are the same, and compared path by path', async () => {
  const layout = `${temporaryDirectory()}/layout`;
  const { layers } = await writeLayers(layout, 'v1', [base]);
  const lowest = layers.slice(0, 1);
  const second = await writeLayers(layout, 'v2', [...lowest, upper]);
  const memory = new ReadMemory();
  const one = await readContents(await openLayout(layout, { tag: 'v1' }), { memory });
  const two = await readContents(await openLayout(layout, { tag: 'v2' }), { memory });
  expect([one.readBytes, two.readBytes]).toEqual([lowest[0]?.size, second.layers[1]?.size]);
  expect([one.osRelease, two.osRelease]).toEqual(['PRETTY_NAME="One"\n', 'PRETTY_NAME="Two"\n']);
  expect([one.packages, two.packages]).toEqual([new Map([['bash', '1']]), new Map([['bash', '2']])]);
  expect(figuresOfTree(one.tree)).toEqual({
    entries: 16,
    contentBytes: 10_000 + 1 + 3 + 1 + 5 + 18 + status('1').length,
  });
  const changes = changedPaths(one.tree, two.tree).map(
    ({ path, change, what, from, to }) => `${path} ${change} ${what.join('+')} ${from}>${to}`,
  );
  expect(changes).toEqual([
    'etc/attributes changed time+attributes 1>1',
    'etc/content changed content 3>5',
    'etc/gone removed  5>0',
    'etc/link changed link 0>0',
    'etc/mode changed mode+owner 1>1',
    'etc/new added  0>3',
    'large-again changed type+content 10000>0',
    `usr/lib/os-release changed content 18>18`,
    `var/lib/dpkg/status changed content ${status('1').length}>${status('2').length}`,
  ]);
});

test('of a system whose packages are in a database of rpm none are known', async () => {
  const layout = `${temporaryDirectory()}/layout`;
  await writeLayers(layout, 'v1', [[file('usr/lib/sysimage/rpm/rpmdb.sqlite', 'x'), file('var/lib/dpkg/status')]]);
  expect(await readContents(await openLayout(layout))).toMatchObject({ packages: undefined, osRelease: undefined });
});
