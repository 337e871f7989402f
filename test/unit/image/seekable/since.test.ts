// What `--since` leaves out, a machine with the older image finds: for generated pairs of images there is always a way to
// make the new one from the old one and the pack. Here the two halves meet that decide about it on different machines.

import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planDelta } from '../../../../src/image/delta.ts';
import { digestOf } from '../../../../src/image/digest.ts';
import { MANIFEST_TYPE } from '../../../../src/image/mediatypes.ts';
import { makeIndex, type ReadableImage } from '../../../../src/image/seekable/make-index.ts';
import { layersOfIndex, readIndexedLayer } from '../../../../src/image/seekable/published-index.ts';
import { memoryLayer, temporaryDirectory, unpackMembers } from '../fixture.ts';
import { dir, file, hardlink, type Member, symlink, tarball, whiteout } from '../tarball.ts';
import { indexOfTar, MemoryBlob } from './fixture.ts';
import { noise } from './members.ts';

/** Few seeds and names, so that images share much: contents at other names, old ones with an insertion, halves. */
const content = fc
  .tuple(
    fc.integer({ min: 0, max: 2 }),
    fc.constantFrom(40, 5000, 50_000, 90_000, 400_000),
    fc.constantFrom('as it is', 'inserted', 'half'),
  )
  .map(([seed, length, how]) => {
    const bytes = noise(seed, length);
    if (how === 'as it is') return bytes;
    if (how === 'half') return bytes.subarray(0, length / 2);
    return Buffer.concat([bytes.subarray(0, length / 4), Buffer.from('inserted'), bytes.subarray(length / 4)]);
  });
const name = fc.constantFrom('a', 'b', 'd/a', 'lib/c', 'usr/lib/c');
const layer: fc.Arbitrary<Member[]> = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.tuple(name, content).map(([path, bytes]) => [file(path, bytes)]) },
      name.map((path) => [whiteout(path.replace(/([^/]+)$/, '.wh.$1'))]),
      fc.tuple(name, content).map(([path, bytes]) => [file(path, bytes), hardlink(`${path}2`, path)]),
    ),
    { minLength: 1, maxLength: 6 },
  )
  // The same file by two names, as on systems with a merged /usr.
  .map((members) => [dir('usr'), dir('usr/lib'), symlink('lib', 'usr/lib'), ...members.flat()]);
const layers = fc.array(layer, { minLength: 1, maxLength: 3 });

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

test('what a pack leaves out is found in the older image', async () => {
  await fc.assert(
    fc.asyncProperty(layers, layers, async (older, newer) => {
      const directory = temporaryDirectory();
      mkdirSync(join(directory, 'pack'));
      mkdirSync(join(directory, 'tree'));
      const [oldTars, newTars] = [older.map(tarball), newer.map(tarball)];
      const [old, image] = [imageOf(oldTars), imageOf(newTars)];
      const manifest = { mediaType: MANIFEST_TYPE, digest: image.digest, sizeBytes: 1, bytes: Buffer.from('m') };
      const made = await makeIndex({ image: { ...image, manifest }, since: [old], directory: join(directory, 'pack') });
      await unpackMembers(join(directory, 'tree'), older);

      const pack = new MemoryBlob(readFileSync(made.packFile));
      const repository = {
        ranges: pack.ranges.bind(pack),
        document: async (wanted: { digest: string }) =>
          [...made.documents.values()].find((bytes) => digestOf(bytes) === wanted.digest) ?? Buffer.alloc(0),
      };
      const indexed = [];
      for (const { diffId } of image.layers) indexed.push(await readIndexedLayer(made.artifact, diffId, repository));
      const layersOfPack = layersOfIndex(made.artifact, indexed, repository);
      const seekable = new Map(layersOfPack.map((one) => [one.diffId, one]));
      const base = {
        layers: await Promise.all(oldTars.map((tar) => indexOfTar(tar))),
        directory: join(directory, 'tree'),
      };
      const delta = await planDelta({ image, base, seekable, spooled: new Set() });
      expect(delta?.layers).toBe(image.layers.length);
      expect(delta?.cost.fetchBytes).toBeLessThanOrEqual(made.figures.packBytes);
    }),
    { numRuns: 10 },
  );
}, 60_000);
