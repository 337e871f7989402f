// The tree that is worked out from entries is the one that unpacking makes, on a real file system.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf } from '../../../src/image/digest.ts';
import { LayerIndexer } from '../../../src/image/layer-indexer.ts';
import type { LayerIndex, TreeIndex } from '../../../src/image/tree-index.ts';
import { treeOf } from '../../../src/image/tree-model.ts';
import { temporaryDirectory, unpackMembers } from '../../unit/image/fixture.ts';
import { type Entry, snapshot } from '../../unit/image/snapshot.ts';
import { dir, file, hardlink, type Member, symlink, whiteout } from '../../unit/image/tarball.ts';
import { anyLayers } from './generated-layers.ts';

/** Unpacks layers and notes what they hold on the way; what was noted is there even when unpacking is refused. */
async function unpackAndIndex(layers: readonly (readonly Member[])[]) {
  const directory = temporaryDirectory();
  const seen: LayerIndexer[] = [];
  const unpacking = unpackMembers(directory, layers, {
    observe: (layer) => {
      const indexer = new LayerIndexer(layer);
      seen.push(indexer);
      return indexer;
    },
  });
  const error = await unpacking.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { directory, error, indexes: seen.map(({ index }) => index) };
}

/** What a snapshot of the tree would be. */
function described(tree: TreeIndex): Record<string, Entry> {
  const result: Record<string, Entry> = {};
  const first = new Map<number, string>();
  const names = new Map<number, number>();
  for (const { inode } of tree.values()) names.set(inode, (names.get(inode) ?? 0) + 1);
  for (const entry of tree.values()) {
    const path = entry.path === '' ? '.' : entry.path;
    const known = first.get(entry.inode);
    if (known === undefined) first.set(entry.inode, path);
    const isFile = entry.type === 'file';
    result[path] = {
      type: entry.type,
      mode: entry.mode.toString(8),
      owner: `${entry.uid}:${entry.gid}`,
      mtimeSeconds: Math.floor(entry.mtime ?? Number.NaN),
      ...(isFile && { size: entry.sizeBytes }),
      ...(isFile && entry.content && { hash: entry.content.digest.slice(7, 23) }),
      ...(entry.type === 'symlink' && { target: entry.linkName }),
      ...(entry.type === 'character-device' && { device: String(entry.deviceMajor * 256 + entry.deviceMinor) }),
      ...(known !== undefined && { sameAs: known }),
    };
  }
  return result;
}

/** Sparse files are known by their pieces, not by all of their bytes; the tree's own time may be nobody's. */
function comparable(tree: Record<string, Entry>, sparse: ReadonlySet<string>): Record<string, Entry> {
  return Object.fromEntries(
    Object.entries(tree)
      .filter(([path]) => path !== '.')
      .map(([path, { hash, ...entry }]) => [path, sparse.has(path) || hash === undefined ? entry : { ...entry, hash }]),
  );
}

const sparseOf = (tree: TreeIndex) =>
  new Set([...tree.values()].filter(({ content }) => content?.extents !== undefined).map(({ path }) => path));

test('for layers as they come, and refused ones are refused', async () => {
  let refused = 0;
  let unpacked = 0;
  await fc.assert(
    fc.asyncProperty(anyLayers, async (layers) => {
      const { directory, error, indexes } = await unpackAndIndex(layers);
      if (error !== undefined) {
        refused += 1;
        return;
      }
      unpacked += 1;
      const tree = treeOf(indexes.flatMap((index) => index ?? []));
      const sparse = sparseOf(tree);
      expect(comparable(described(tree), sparse)).toEqual(comparable(snapshot(directory), sparse));
    }),
    { numRuns: 100 },
  );
  // Neither side of the property is empty.
  expect(Math.min(refused, unpacked)).toBeGreaterThan(5);
});

const indexOf = (members: readonly Member[]): LayerIndex => ({
  diffId: digestOf(''),
  entries: members.map(({ name, flag = '0', linkName = '', uid = 0 }) => ({
    header: {
      type: flag === '5' ? 'directory' : flag === '2' ? 'symlink' : flag === '1' ? 'hardlink' : 'file',
      name,
      linkName,
      mode: 0o644,
      uid,
      gid: 0,
      sizeBytes: 0,
      storedBytes: 0,
      mtime: 0,
      deviceMajor: 0,
      deviceMinor: 0,
      xattrs: new Map(),
      unapplied: [],
    },
  })),
});

test.each<[string, Member[], string]>([
  ['a name that climbs', [file('../x')], 'climbs out'],
  ['a file as parent', [file('a'), file('a/b')], 'lies below something that is not a directory'],
  ['links in a circle', [symlink('a', 'b'), symlink('b', 'a'), file('a/x')], 'too many links'],
  ['a hard link to nothing', [hardlink('a', 'b')], 'which is not there'],
  ['a hard link to a directory', [dir('d'), hardlink('a', 'd')], 'is a hard link to a directory'],
  ['a hard link to what it replaces', [dir('d'), file('d/a'), hardlink('d', 'd/a')], 'which is not there'],
  ['a file in place of the tree', [file('./')], 'would replace the tree itself'],
  ['a link to nothing', [symlink('l', '')], 'is a link to something'],
  ['an owner that is nobody', [file('a', '', { uid: 4294967295 })], 'has an owner that no system has'],
  ['a whiteout of nothing', [whiteout('.wh.')], 'is a whiteout of nothing'],
])('%s is refused', (_, members, message) => {
  expect(() => treeOf([indexOf(members)])).toThrow(
    expect.objectContaining({ code: 'HF-IMAGE', message: expect.stringContaining(message) }),
  );
});
