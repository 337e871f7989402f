// An index made for an image, stored in a layout and found again: a machine with the older image gets all that it lacks,
// and no index, however wrong, makes another layer than the image names.

import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../../../src/image/digest.ts';
import { openLayout } from '../../../../src/image/layout.ts';
import type { OciImage } from '../../../../src/image/oci-image.ts';
import { packDocument, unpackDocument } from '../../../../src/image/seekable/document-packing.ts';
import { parseArtifact, writeArtifact } from '../../../../src/image/seekable/index-artifact.ts';
import { decodeIndexDocument, encodeIndexDocument } from '../../../../src/image/seekable/index-document.ts';
import { openSeekableLayers } from '../../../../src/image/seekable/open-seekable.ts';
import { PackWriter } from '../../../../src/image/seekable/pack-writer.ts';
import { type IndexState, indexPerformers, planIndex } from '../../../../src/image/seekable/publish-index.ts';
import { silent } from '../../../../src/system/events.ts';
import { apply } from '../../../../src/system/plan.ts';
import { temporaryDirectory, writeLayers } from '../fixture.ts';
import { dir, file, hardlink, type Member, whiteout } from '../tarball.ts';
import { allChunks, fetchAll, joined } from './fixture.ts';
import { noise } from './members.ts';

const LARGE = noise(1, 1_500_000);
const CHANGED = Buffer.concat([LARGE.subarray(0, 700_000), Buffer.from('something new'), LARGE.subarray(700_000)]);

const OLD: Member[][] = [
  [
    dir('usr'),
    file('usr/large', LARGE),
    file('usr/same', noise(2, 5000)),
    file('usr/hidden', noise(3, 4000)),
    file('usr/gone', noise(9, 900)),
  ],
  [whiteout('usr/.wh.hidden')],
];
const NEW: Member[][] = [
  [
    dir('usr'),
    file('usr/large', CHANGED),
    file('usr/moved', noise(2, 5000)),
    file('usr/hidden', noise(3, 4000)),
    file('usr/new', noise(4, 6000)),
    hardlink('usr/new2', 'usr/new'),
    file('usr/small', 'small'),
  ],
  [file('usr/new', noise(4, 6000))],
];

async function layout(): Promise<{ old: OciImage; image: OciImage; directory: string }> {
  const directory = join(temporaryDirectory(), 'layout');
  await writeLayers(directory, 'v1', OLD);
  await writeLayers(directory, 'v2', NEW);
  return {
    old: await openLayout(directory, { tag: 'v1' }),
    image: await openLayout(directory, { tag: 'v2' }),
    directory,
  };
}

async function publish(image: OciImage, since: OciImage[] = []): Promise<IndexState> {
  const state: IndexState = { image, since, directory: temporaryDirectory() };
  await apply(planIndex(state), indexPerformers, { state, events: silent });
  return state;
}

/** All chunks that somebody holds whose files are these. */
async function proveAll(image: OciImage, base: OciImage | undefined, held: readonly Buffer[]): Promise<Set<Digest>> {
  const found = await openSeekableLayers(image, { base, notice: (text) => expect.unreachable(text) });
  expect([...found.keys()]).toEqual(image.layers.map(({ diffId }) => diffId));
  const missing = new Set<Digest>();
  for (const layer of found.values()) {
    const chunks = new Map<Digest, Buffer>();
    for (const content of held) {
      if (layer.source.split === undefined) throw new Error('no split');
      let at = 0;
      for await (const { digest, sizeBytes } of layer.source.split(stream(content))) {
        chunks.set(digest, content.subarray(at, at + sizeBytes));
        at += sizeBytes;
      }
    }
    const wanted = new Set([...allChunks(layer)].filter((digest) => !chunks.has(digest)));
    for (const digest of wanted) {
      if (layer.source.cost(new Set([digest])).fetchBytes > 0) missing.add(digest);
    }
    for (const [digest, bytes] of await fetchAll(layer.source, wanted)) chunks.set(digest, bytes);
    await layer.prove?.(joined(chunks));
  }
  return missing;
}

async function* stream(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

describe('an index', () => {
  test('gives all contents to a machine that has none', async () => {
    const { image } = await layout();
    const { made } = await publish(image);
    expect(made?.figures).toMatchObject({ layers: 2, files: 5 });
    expect(made?.figures.packedChunks).toBe(made?.figures.chunks);
    expect((await proveAll(image, undefined, [])).size).toBe(made?.figures.chunks);
  });

  test('made since an older image leaves out what that one has, and no more', async () => {
    const { image, old } = await layout();
    const { made } = await publish(image, [old]);
    const missing = await proveAll(image, old, [LARGE, noise(2, 5000)]);
    // The two pieces around the change at most, the new file, and the one that the old image hides.
    expect(missing.size).toBeGreaterThanOrEqual(3);
    expect(missing.size).toBeLessThanOrEqual(5);
    expect(made?.figures.packedChunks).toBe(missing.size);
    expect(missing).toContain(digestOf(noise(3, 4000)));
  });

  test('made since two images leaves out what both have', async () => {
    const { image, old, directory } = await layout();
    await writeLayers(directory, 'v0', [[dir('usr'), file('usr/same', noise(2, 5000))]]);
    const oldest = await openLayout(directory, { tag: 'v0' });
    const packedSince = async (...since: OciImage[]) => (await publish(image, since)).made?.figures.packedChunks ?? 0;
    const all = await packedSince();
    const both = await packedSince(old, oldest);
    expect(both).toBe(all - 1);
    expect(await packedSince(old)).toBeLessThan(both);
    await proveAll(image, oldest, [noise(2, 5000)]);
  });

  test('that was made for a machine is preferred, and one for others is not used', async () => {
    const { image, old, directory } = await layout();
    await publish(image, [old]);
    expect(await openSeekableLayers(image, {})).toEqual(new Map());
    await publish(image);
    await proveAll(image, undefined, []);
    const [layer] = (await openSeekableLayers(image, { base: old })).values();
    expect(layer?.source.has(digestOf(noise(2, 5000)))).toBe(false);
    // Two indexes, two images, and the tag that lists the indexes.
    expect((await openLayout(directory, { tag: 'v1' })).digest).toBe(old.digest);
    expect(await image.repository.referrers(image.digest)).toHaveLength(2);
  });

  test('made again is the same', async () => {
    const { image, old } = await layout();
    const first = await publish(image, [old]);
    expect((await publish(image, [old])).published?.digest).toBe(first.published?.digest);
    expect(await image.repository.referrers(image.digest)).toHaveLength(1);
  });
});

describe('an index that lies', () => {
  /** Publishes one whose document says what `change` makes of it. */
  async function publishChanged(change: (document: Buffer) => Buffer) {
    const { image } = await layout();
    const { made } = await publish(image);
    const [diffId] = image.layers.map((layer) => layer.diffId);
    const bytes = diffId === undefined ? undefined : made?.documents.get(diffId);
    if (made === undefined || diffId === undefined || bytes === undefined) throw new Error('nothing was made');
    const packed = await packDocument(change(await unpackDocument(bytes)));
    const descriptor = {
      mediaType: 'application/vnd.holdfast.index.layer.v1+zstd',
      digest: digestOf(packed),
      sizeBytes: packed.length,
    };
    await image.repository.putBlob(descriptor, packed);
    // Only one since nobody; what is listed first is taken.
    const documents = new Map(made.artifact.documents).set(diffId, descriptor);
    const lying = { ...image, repository: onlyReferrer(image, writeArtifact({ ...made.artifact, documents })) };
    return { image: lying, diffId };
  }

  test('about its layer is refused', async () => {
    const { image, diffId } = await publishChanged((bytes) => {
      const { recipe, packed } = decodeIndexDocument(bytes, 1 << 30);
      return encodeIndexDocument(
        { ...recipe, diffId: digestOf('other') },
        new Map(packed.map((chunk) => [chunk.digest, chunk])),
      );
    });
    const notices: string[] = [];
    const found = await openSeekableLayers(image, { notice: (text) => notices.push(text) });
    expect(found.has(diffId)).toBe(false);
    expect(found.size).toBe(1);
    expect(notices).toEqual([expect.stringContaining('it has another layer than it says')]);
  });

  test('and grows to tens of megabytes in each layer is left out where the image has had its share', async () => {
    const { image } = await layout();
    const { made } = await publish(image);
    if (made === undefined) throw new Error('nothing was made');
    const documents = new Map(made.artifact.documents);
    for (const [diffId, bytes] of made.documents) {
      const { recipe } = decodeIndexDocument(await unpackDocument(bytes), 1 << 30);
      // What follows the end of a tar stream doesn't matter to its reader.
      const large = { ...recipe, pieces: [...recipe.pieces, Buffer.alloc(40 << 20)] };
      const packed = await packDocument(encodeIndexDocument(large, new Map()));
      const descriptor = {
        mediaType: 'application/vnd.holdfast.index.layer.v1+zstd',
        digest: digestOf(packed),
        sizeBytes: packed.length,
      };
      expect(descriptor.sizeBytes).toBeLessThan(10_000);
      await image.repository.putBlob(descriptor, packed);
      documents.set(diffId, descriptor);
    }
    const lying = { ...image, repository: onlyReferrer(image, writeArtifact({ ...made.artifact, documents })) };
    const notices: string[] = [];
    const found = await openSeekableLayers(lying, { notice: (text) => notices.push(text) });
    expect([...found.keys()]).toEqual([image.layers[0]?.diffId]);
    expect(notices).toEqual([expect.stringMatching(/its documents are longer than the \d+ bytes/)]);
  });

  test('about a header makes no layer', async () => {
    const { image, diffId } = await publishChanged((bytes) => {
      const { recipe, packed } = decodeIndexDocument(bytes, 1 << 30);
      // A mode with the set-user-id bit, and a checksum that fits.
      const pieces = recipe.pieces.map((piece) => (Buffer.isBuffer(piece) ? setUserId(piece) : piece));
      return encodeIndexDocument({ ...recipe, pieces }, new Map(packed.map((chunk) => [chunk.digest, chunk])));
    });
    const layer = (await openSeekableLayers(image)).get(diffId);
    if (layer === undefined) throw new Error('it was refused too early to show anything');
    expect(layer.entries.find(({ header }) => header.name === 'usr/small')?.header.mode).toBe(0o4644);
    const chunks = await fetchAll(layer.source, allChunks(layer));
    await expect(layer.prove?.(joined(chunks))).rejects.toMatchObject({ code: 'HF-DIGEST' });
  });

  test.each([
    ['is no JSON', () => Buffer.from('{'), 'its manifest is not JSON'],
    [
      'belongs to another image',
      (bytes) =>
        replace(bytes, /"subject":\{[^}]*\}/, `"subject":{"mediaType":"x","digest":"${digestOf('x')}","size":1}`),
      'it belongs to another image',
    ],
    ['has no pack', (bytes) => replace(bytes, /index\.pack\.v1/, 'index.other'), 'it has no pack'],
    ['has another type', (bytes) => replace(bytes, /holdfast\.index\.v1"/, 'holdfast.other"'), 'wrong at artifactType'],
    [
      'has a digest that is none',
      (bytes) =>
        replace(
          bytes,
          /"digest":"sha256:[0-9a-f]{64}","size":\d+,"annotations/,
          '"digest":"sha256:1","size":1,"annotations',
        ),
      'a digest that is none',
    ],
  ] satisfies [string, (bytes: Buffer) => Buffer, string][])('its manifest %s', async (_, change, why) => {
    const { image } = await layout();
    const { made } = await publish(image);
    if (made === undefined) throw new Error('nothing was made');
    const good = writeArtifact(made.artifact);
    expect(parseArtifact(good, image.digest)).toEqual(made.artifact);
    const notices: string[] = [];
    const lying = { ...image, repository: onlyReferrer(image, change(good)) };
    expect((await openSeekableLayers(lying, { notice: (text) => notices.push(text) })).size).toBe(0);
    expect(notices).toEqual([expect.stringContaining(why)]);
  });
});

describe.each([
  ['in memory', (bytes: Buffer) => Buffer.concat([Buffer.from('packed'), bytes])],
  ['by zstd(1)', undefined],
] as const)('a pack that is written %s', (_, pack) => {
  test('has each chunk once, without what was taken back', async () => {
    const directory = join(temporaryDirectory(), 'pack');
    mkdirSync(directory);
    const writer = await PackWriter.create(directory, pack ?? null);
    const chunks = Array.from({ length: 40 }, (__, seed) => noise(seed, 600_000));
    const add = (from: number, to: number) =>
      chunks.slice(from, to).reduce<Promise<void>>(async (before, bytes) => {
        await before;
        await writer.add({ digest: digestOf(bytes), sizeBytes: bytes.length }, bytes);
      }, Promise.resolve());
    await add(0, 3);
    const mark = writer.mark;
    await add(1, 30);
    writer.rollback(mark);
    await add(28, 33);
    const { descriptor, packed } = await writer.finish();
    const wanted = [0, 1, 2, 28, 29, 30, 31, 32].map((index) => digestOf(chunks[index] ?? Buffer.alloc(0)));
    expect([...packed.keys()]).toEqual(wanted);
    let end = 0;
    for (const place of packed.values()) {
      expect(place.start).toBe(end);
      end = place.end;
    }
    expect(descriptor.sizeBytes).toBe(end);
    expect(statSync(writer.path).size).toBe(end);
  });
});

/** The repository of an image, with this as the only thing that refers to it. */
function onlyReferrer({ repository }: OciImage, bytes: Buffer): OciImage['repository'] {
  const descriptor = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOf(bytes),
    sizeBytes: bytes.length,
  };
  return {
    name: repository.name,
    manifest: async (reference) => (reference === descriptor.digest ? { ...descriptor, bytes } : undefined),
    document: (...given) => repository.document(...given),
    blob: (...given) => repository.blob(...given),
    ranges: (...given) => repository.ranges(...given),
    referrers: async () => [descriptor],
    putBlob: (...given) => repository.putBlob(...given),
    putManifest: (...given) => repository.putManifest(...given),
  };
}

/** Makes the file usr/small, where this holds its header, one that runs as its owner. */
function setUserId(piece: Buffer): Buffer {
  const at = piece.indexOf('usr/small\0');
  if (at === -1) return piece;
  const changed = Buffer.from(piece);
  changed.write('0004644', at + 100, 'latin1');
  changed.fill(' ', at + 148, at + 156);
  const sum = changed.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  return changed;
}

function replace(bytes: Buffer, pattern: RegExp, by: string): Buffer {
  const text = bytes.toString().replace(pattern, by);
  if (text === bytes.toString()) throw new Error(`nothing to replace: ${pattern}`);
  return Buffer.from(text);
}
