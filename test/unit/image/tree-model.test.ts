// What paths may cost while a tree is worked out in memory. That the tree is right is compared with a real one elsewhere.

import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/image/digest.ts';
import type { EntryType } from '../../../src/image/tarreader.ts';
import { compareTrees } from '../../../src/image/tree-diff.ts';
import type { LayerEntry, LayerIndex, TreeIndex } from '../../../src/image/tree-index.ts';
import { treeOf } from '../../../src/image/tree-model.ts';

const NOTHING = { mode: 0o644, uid: 0, gid: 0, sizeBytes: 0, storedBytes: 0, mtime: 0, deviceMajor: 0, deviceMinor: 0 };

function entry(name: string, type: EntryType = 'file', linkName = ''): LayerEntry {
  return { header: { ...NOTHING, type, name, linkName, xattrs: new Map(), unapplied: [] } };
}

const layerOf = (entries: readonly LayerEntry[]): LayerIndex => ({ diffId: digestOf(''), entries });
const many = <T>(count: number, make: (index: number) => T | T[]): T[] =>
  Array.from({ length: count }, (_, index) => make(index)).flat() as T[];

const DEEP = 'd/'.repeat(1950);

describe('paths that were made to take long are refused', () => {
  test.each<[string, LayerEntry[]]>([
    ['files 1950 directories deep', many(20_000, (index) => entry(`${DEEP}${index}`))],
    ['directories that nobody names, 1950 deep', many(1000, (index) => entry(`${index}/${DEEP}x`))],
    [
      'links to links, each to a path of 1950 names',
      [
        entry(`${DEEP}x`),
        ...many(38, (index) => entry(`l${index}`, 'symlink', `${'l/../'.repeat(780)}l${index + 1}`)),
        entry('l', 'directory'),
        entry('l38', 'symlink', DEEP),
        ...many(5000, (index) => entry(`l0/${index}`)),
      ],
    ],
    [
      'links to links, of slashes',
      [
        ...many(39, (index) => entry(`l${index}`, 'symlink', `${'/'.repeat(4090)}l${index + 1}`)),
        entry('l39', 'directory'),
        ...many(60_000, (index) => entry(`l0/${index}`)),
      ],
    ],
    [
      'a full directory that is emptied again and again',
      [...many(20_000, (index) => entry(`d/${index}`)), ...many(20_000, () => entry('d/.wh..wh..opq'))],
    ],
    [
      'hard links 1950 deep',
      [entry(`${DEEP}x`), ...many(20_000, (index) => entry(`h${index}`, 'hardlink', `${DEEP}x`))],
    ],
  ])('%s', (_, entries) => {
    expect(() => treeOf([layerOf(entries)])).toThrow(
      expect.objectContaining({
        code: 'HF-IMAGE',
        message: expect.stringContaining('paths that take longer to follow than those of any system'),
      }),
    );
  });
});

test('deep trees of real systems are far from it, however many layers there are', () => {
  // Deeper and longer than package managers nest them: 24 directories, each through a link, with a second name.
  const path = 'usr/lib/node_modules/a-package-with-a-long-name/'.repeat(6);
  const layer = layerOf([
    entry('link', 'symlink', path),
    entry(path, 'directory'),
    ...many(5000, (index) => [
      entry(`link/${index}`),
      entry(`${path}again-${index}`, 'hardlink', `link/${index}`),
      entry(`link/.wh.gone-${index}`),
    ]),
    entry('link/.wh..wh..opq'),
  ]);
  const tree = treeOf([layer, layer, layer]);
  expect(tree.size).toBe(1 + 1 + 24 + 10_000);
  expect(tree.get(`${path}again-7`)?.inode).toBe(tree.get(`${path}7`)?.inode);
});

test('many equal files that all moved are compared one by one', () => {
  const content = { digest: digestOf('the same'), sizeBytes: 8 };
  const files = (directory: string): TreeIndex =>
    new Map(
      Array.from({ length: 50_000 }, (_, inode) => {
        const path = `${directory}/${inode}`;
        return [path, { ...NOTHING, type: 'file', path, inode, linkName: '', content, xattrs: new Map() }];
      }),
    );
  const { files: changes, writeBytes } = compareTrees(files('old'), files('new'));
  expect(writeBytes).toBe(0);
  expect(changes.filter(({ from }) => from !== undefined).length).toBe(50_000);
});
