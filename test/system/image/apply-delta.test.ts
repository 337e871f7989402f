// Turning a copy of an old tree into a new one gives the tree that unpacking the new image gives, attribute for
// attribute, for generated pairs of images on a real file system. Takes about ten seconds.

import { createReadStream, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyDelta } from '../../../src/image/apply-delta.ts';
import { LayerIndexer } from '../../../src/image/layer-indexer.ts';
import { compareTrees } from '../../../src/image/tree-diff.ts';
import type { FileContent, TreeIndex } from '../../../src/image/tree-index.ts';
import { contentKey } from '../../../src/image/tree-index.ts';
import { treeOf } from '../../../src/image/tree-model.ts';
import { runChecked } from '../../../src/system/process.ts';
import { temporaryDirectory, unpackMembers } from '../../unit/image/fixture.ts';
import { dir, file, hardlink, type Member, symlink } from '../../unit/image/tarball.ts';
import { acceptable, anyLayer, anyLayers } from './generated-layers.ts';
import { wholeSnapshot } from './whole-snapshot.ts';

interface Unpacked {
  directory: string;
  tree: TreeIndex;
}

async function unpack(layers: readonly (readonly Member[])[]): Promise<Unpacked> {
  const directory = `${temporaryDirectory()}/tree`;
  mkdirSync(directory);
  const seen: LayerIndexer[] = [];
  await unpackMembers(directory, layers, {
    observe: (layer) => {
      const indexer = new LayerIndexer(layer);
      seen.push(indexer);
      return indexer;
    },
  });
  return { directory, tree: treeOf(seen.flatMap(({ index }) => index ?? [])) };
}

/** Reads contents out of an unpacked tree, in pieces of an odd size. */
function reader({ directory, tree }: Unpacked) {
  const paths = new Map(
    [...tree.values()].flatMap(({ path, content }) => (content ? [[contentKey(content), path]] : [])),
  );
  return async function* (content: FileContent): AsyncGenerator<Buffer> {
    const path = paths.get(contentKey(content));
    if (path === undefined) throw new Error(`nobody has ${content.digest}`);
    const bytes = readFileSync(Buffer.from(`${directory}/${path}`, 'latin1'));
    const pieces = content.extents ?? [{ offset: 0, length: content.sizeBytes }];
    const stored = Buffer.concat(pieces.map(({ offset, length }) => bytes.subarray(offset, offset + length)));
    for (let at = 0; at < stored.length; at += 4999) yield stored.subarray(at, at + 4999);
  };
}

async function turn(old: Unpacked, wanted: Unpacked): Promise<{ directory: string; writtenBytes: number }> {
  const directory = `${dirname(old.directory)}/copy`;
  await runChecked(['rm', '-rf', directory]);
  await runChecked(['cp', '-a', old.directory, directory]);
  const difference = compareTrees(old.tree, wanted.tree);
  const { writtenBytes } = await applyDelta(directory, { old: old.tree, difference, read: reader(wanted) });
  expect(writtenBytes).toBeLessThanOrEqual(difference.writeBytes);
  return { directory, writtenBytes };
}

/** The tree's own time is nobody's where no layer speaks of the tree. */
async function compared(directory: string, { tree }: Unpacked) {
  const { '.': root, ...entries } = await wholeSnapshot(directory);
  return tree.get('')?.mtime === undefined
    ? { ...entries, '.': { ...root, mtimeSeconds: 0, mtimeMicroseconds: '' } }
    : { ...entries, '.': root };
}

test('for images as they come', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyLayers,
      anyLayer,
      anyLayers,
      fc.integer({ min: 0, max: 2 }),
      async (layers, base, others, shared) => {
        const [old, wanted] = await Promise.all([
          unpack(acceptable([base, ...layers])),
          unpack(acceptable([base, ...layers.slice(0, shared), ...others])),
        ]);
        const { directory } = await turn(old, wanted);
        expect(await compared(directory, wanted)).toEqual(await compared(wanted.directory, wanted));
      },
    ),
    { numRuns: 30 },
  );
});

const large = (seed: number) => {
  const bytes = Buffer.alloc(1 << 20);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE((at * 2654435761 + seed) >>> 0, at);
  return bytes;
};
const patched = large(1);
patched.write('changed here', 500_000);
const attributes = { uid: 5, gid: 6, mode: 0o640, mtime: 1_500_000_000 };

test.each<[string, Member[], Member[], number]>([
  ['nothing changed', [dir('d'), file('d/a', large(1))], [dir('d'), file('d/a', large(1))], 0],
  ['a file got other attributes', [file('a', large(1))], [file('a', large(1), attributes)], 0],
  ['a file moved', [dir('d'), file('d/a', large(1))], [dir('e'), file('e/b', large(1), attributes)], 0],
  [
    'a directory moved',
    [dir('d'), file('d/a', large(1)), file('d/b', large(2))],
    [dir('e'), file('e/a', large(1)), file('e/b', large(2))],
    0,
  ],
  [
    'two files changed places',
    [file('a', large(1)), file('b', large(2))],
    [file('a', large(2)), file('b', large(1))],
    0,
  ],
  ['a block changed', [file('a', large(1))], [file('a', patched)], 4096],
  ['a file grew', [file('a', large(1))], [file('a', Buffer.concat([large(1), large(2)]))], 1 << 20],
  ['a file shrank', [file('a', large(1))], [file('a', large(1).subarray(0, 10_000))], 0],
  ['a second name', [file('a', large(1))], [file('a', large(1)), hardlink('b', 'a')], 0],
  ['names of a file part', [file('a', large(1)), hardlink('b', 'a')], [file('a', large(1)), file('b', 'small')], 5],
  [
    'one name of a file changes',
    [file('a', large(1)), hardlink('b', 'a'), hardlink('c', 'a')],
    [file('c', large(1)), file('a', large(1), attributes)],
    1 << 20,
  ],
  ['a file becomes a directory with the file in it', [file('a', large(1))], [dir('a'), file('a/a', large(1))], 0],
  ['a directory becomes the file that was in it', [dir('a'), file('a/a', large(1))], [file('a', large(1))], 0],
  ['a link leads elsewhere', [symlink('l', 'a'), file('a', large(1))], [symlink('l', 'b'), file('b', large(1))], 0],
])('%s: no more is written than that', async (_, before, after, expected) => {
  const [old, wanted] = await Promise.all([unpack([before]), unpack([after])]);
  const { directory, writtenBytes } = await turn(old, wanted);
  expect(await compared(directory, wanted)).toEqual(await compared(wanted.directory, wanted));
  // Of a block that differs, a part may do.
  expect(writtenBytes).toBeLessThanOrEqual(expected);
  expect(writtenBytes).toBeGreaterThanOrEqual(0.9 * expected);
});

test('a content that is not what it should be is not taken', async () => {
  const [old, wanted] = await Promise.all([unpack([[file('a', 'one')]]), unpack([[file('b', 'two')]])]);
  const difference = compareTrees(old.tree, wanted.tree);
  const read = () => createReadStream('/dev/zero', { end: 2 });
  await expect(applyDelta(old.directory, { old: old.tree, difference, read })).rejects.toMatchObject({
    code: 'HF-DIGEST',
    message: expect.stringContaining('the new content of "b" has the digest'),
  });
});

test('a directory that does not hold the old tree is not taken', async () => {
  const [old, wanted] = await Promise.all([unpack([[dir('d'), file('d/a', 'one')]]), unpack([[file('b', 'one')]])]);
  await runChecked(['rm', '-r', `${old.directory}/d`]);
  const difference = compareTrees(old.tree, wanted.tree);
  await expect(applyDelta(old.directory, { old: old.tree, difference, read: reader(wanted) })).rejects.toMatchObject({
    code: 'HF-STATE',
    message: expect.stringContaining('is not what its index says'),
  });
});
