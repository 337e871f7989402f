// Sparse files in layers that are proven: made by GNU tar in each of its formats, moved, changed and hidden, from a published
// index to the new tree. What a proof asks for is known on the disk by its pieces and their places. Takes two seconds.

import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { ChunkSpool } from '../../../src/image/chunk-spool.ts';
import { planDelta } from '../../../src/image/delta.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { MANIFEST_TYPE } from '../../../src/image/mediatypes.ts';
import { runDelta } from '../../../src/image/run-delta.ts';
import { makeIndex, type ReadableImage } from '../../../src/image/seekable/make-index.ts';
import { layersOfIndex, readIndexedLayer } from '../../../src/image/seekable/published-index.ts';
import { runChecked } from '../../../src/system/process.ts';
import { memoryLayer, temporaryDirectory, unpackMembers } from '../../unit/image/fixture.ts';
import { indexOfTar, MemoryBlob } from '../../unit/image/seekable/fixture.ts';
import { noise } from '../../unit/image/seekable/members.ts';
import { file, type Member, tarball } from '../../unit/image/tarball.ts';
import { wholeSnapshot } from './whole-snapshot.ts';

const FORMATS = [
  [['--format=gnu']],
  [['--format=posix', '--sparse-version=0.0']],
  [['--format=posix', '--sparse-version=0.1']],
  [['--format=posix', '--sparse-version=1.0']],
];

let work: string;
beforeEach(() => {
  work = temporaryDirectory();
});

/** Files with 64 KiB of data at each of some places, and a hole behind the last one. */
type Sparse = Readonly<Record<string, readonly { at: number; seed: number }[]>>;

async function tarOf(files: Sparse, options: readonly string[]): Promise<Buffer> {
  const directory = `${work}/packed`;
  await runChecked(['rm', '-rf', directory]);
  mkdirSync(directory);
  for (const [name, runs] of Object.entries(files)) {
    const fd = openSync(`${directory}/${name}`, 'w');
    for (const { at, seed } of runs) writeSync(fd, noise(seed, 65536), 0, 65536, at);
    ftruncateSync(fd, 4 << 20);
    closeSync(fd);
  }
  await runChecked(['tar', '-cSf', `${work}/tar`, ...options, '-C', directory, ...Object.keys(files)]);
  return readFileSync(`${work}/tar`);
}

function imageOf(tars: readonly Buffer[]): ReadableImage {
  const made = tars.map(memoryLayer);
  return {
    digest: digestOf(Buffer.concat([...tars])),
    // So large that it is never cheaper to fetch it.
    layers: made.map((one) => ({ ...one.layer, sizeBytes: 1e12 })),
    readLayer: async function* (wanted) {
      yield made.find((one) => one.layer.diffId === wanted.diffId)?.tar ?? Buffer.alloc(0);
    },
  };
}

/** Upgrades with an index that was made for it, and holds the result against unpacking; what it costs to fetch. */
async function upgrade(oldTars: readonly Buffer[], newTars: readonly Buffer[]): Promise<number> {
  const [pristine, copy, expected] = [`${work}/pristine`, `${work}/copy`, `${work}/expected`];
  for (const directory of [pristine, expected, `${work}/pack`]) mkdirSync(directory);
  await unpackMembers(pristine, oldTars);
  await unpackMembers(expected, newTars);
  await runChecked(['cp', '-a', '--sparse=always', pristine, copy]);
  const [old, image] = [imageOf(oldTars), imageOf(newTars)];
  const manifest = { mediaType: MANIFEST_TYPE, digest: image.digest, sizeBytes: 1, bytes: Buffer.from('m') };
  const made = await makeIndex({ image: { ...image, manifest }, since: [old], directory: `${work}/pack` });
  const pack = new MemoryBlob(readFileSync(made.packFile));
  const repository = {
    ranges: pack.ranges.bind(pack),
    document: async (wanted: { digest: string }) =>
      [...made.documents.values()].find((bytes) => digestOf(bytes) === wanted.digest) ?? Buffer.alloc(0),
  };
  const indexed = [];
  for (const { diffId } of image.layers) indexed.push(await readIndexedLayer(made.artifact, diffId, repository));
  const layers = layersOfIndex(made.artifact, indexed, repository);
  const base = { layers: await Promise.all(oldTars.map((tar) => indexOfTar(tar))), directory: pristine };
  const seekable = new Map(layers.map((layer) => [layer.diffId, layer]));
  const delta = await planDelta({ image, base, seekable, spooled: new Set() });
  if (delta === undefined) throw new Error('no delta');
  expect(delta.proofs).toHaveLength(newTars.length);
  const spool = ChunkSpool.open(`${work}/chunks`);
  await runDelta(delta, { directory: copy, pristineDirectory: pristine, spool });
  spool.close();
  const { '.': _, ...got } = await wholeSnapshot(copy);
  const { '.': __, ...wanted } = await wholeSnapshot(expected);
  expect(got).toEqual(wanted);
  return delta.cost.fetchBytes;
}

test.each(FORMATS)('sparse files that stay, move, change and are hidden: %j', async (options) => {
  const old = await tarOf(
    {
      stays: [
        { at: 65536, seed: 1 },
        { at: 1 << 20, seed: 2 },
      ],
      goes: [{ at: 1 << 20, seed: 3 }],
      changes: [{ at: 1 << 20, seed: 4 }],
      shifts: [{ at: 1 << 20, seed: 5 }],
    },
    options,
  );
  const lower = await tarOf(
    {
      stays: [
        { at: 65536, seed: 1 },
        { at: 1 << 20, seed: 2 },
      ],
      comes: [{ at: 1 << 20, seed: 3 }],
      changes: [{ at: 1 << 20, seed: 14 }],
      // The same bytes at another place.
      shifts: [{ at: 2 << 20, seed: 5 }],
      hidden: [{ at: 3 << 20, seed: 6 }],
    },
    options,
  );
  const upper = await tarOf({ hidden: [{ at: 1 << 20, seed: 7 }] }, options);
  const fetchBytes = await upgrade([old], [lower, upper]);
  // What changed, what is hidden and what hides it; what shifted, since a whole content is known by its places.
  expect(fetchBytes).toBeGreaterThan(3 * 65536);
  expect(fetchBytes).toBeLessThan(4.1 * 65536);
});

test('the same bytes in a file without holes are another content, to the pack as to the machine', async () => {
  const plain: Member[] = [file('plain', noise(5, 65536))];
  const sparse = await tarOf({ sparse: [{ at: 1 << 20, seed: 5 }] }, ['--format=gnu']);
  await upgrade([tarball(plain)], [sparse]);
});
