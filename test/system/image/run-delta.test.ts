// From two images and a source of chunks to the new tree: what is fetched, when it isn't worth it, what a second try finds
// again, and that the result is what unpacking gives. Takes a few seconds.

import { mkdirSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Layer } from '../../../src/image/blob.ts';
import { ChunkSpool } from '../../../src/image/chunk-spool.ts';
import { type DeltaInputs, planDelta } from '../../../src/image/delta.ts';
import { type Digest, digestOf } from '../../../src/image/digest.ts';
import { LayerIndexer } from '../../../src/image/layer-indexer.ts';
import { layerType } from '../../../src/image/mediatypes.ts';
import { runDelta } from '../../../src/image/run-delta.ts';
import { TarReader } from '../../../src/image/tarreader.ts';
import type {
  Chunk,
  ChunkCost,
  ChunkSource,
  FileContent,
  LayerIndex,
  SeekableLayer,
} from '../../../src/image/tree-index.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import { runChecked } from '../../../src/system/process.ts';
import { temporaryDirectory, unpackMembers } from '../../unit/image/fixture.ts';
import { dir, file, hardlink, type Member, symlink, tarball, whiteout } from '../../unit/image/tarball.ts';
import { wholeSnapshot } from './whole-snapshot.ts';

const CHUNK_BYTES = 4096;

function indexOf(members: readonly Member[]): LayerIndex {
  const tar = tarball(members);
  const reader = new TarReader();
  const indexer = new LayerIndexer({ diffId: digestOf(tar) });
  for (const event of reader.push(tar)) indexer.handle(event);
  indexer.end();
  if (indexer.index === undefined) throw new Error('no index');
  return indexer.index;
}

function layerOf(members: readonly Member[]): Layer {
  const tar = tarball(members);
  return { mediaType: layerType('none'), digest: digestOf(tar), diffId: digestOf(tar), sizeBytes: tar.length };
}

/** Chunks of all contents of a layer, cut every 4096 bytes; a chunk costs what it has. */
class FakeSource implements ChunkSource {
  readonly name = 'fake';
  readonly chunks = new Map<Digest, Buffer>();
  readonly fetched: Digest[] = [];
  /** Fails after so many chunks. */
  breaksAfter = Number.POSITIVE_INFINITY;

  has(digest: Digest): boolean {
    return this.chunks.has(digest);
  }
  cost(digests: ReadonlySet<Digest>): ChunkCost {
    const sizes = [...digests].map((digest) => this.chunks.get(digest)?.length ?? 0);
    return { fetchBytes: sizes.reduce((sum, size) => sum + size, 0), requests: 1 };
  }
  async *fetch(digests: ReadonlySet<Digest>, { onBytes }: { onBytes?: ((count: number) => void) | undefined } = {}) {
    // The other way round than they are needed.
    for (const digest of [...digests].reverse()) {
      if (this.fetched.length >= this.breaksAfter) throw new HoldfastError('HF-NETWORK', 'the network went');
      const bytes = this.chunks.get(digest);
      if (bytes === undefined) throw new Error(`nobody has ${digest}`);
      this.fetched.push(digest);
      onBytes?.(bytes.length);
      yield { digest, bytes };
    }
  }
  async *split(bytes: AsyncIterable<Buffer>): AsyncGenerator<Chunk> {
    const pieces: Buffer[] = [];
    for await (const piece of bytes) pieces.push(piece);
    for (const { digest, length } of cut(Buffer.concat(pieces))) yield { digest, sizeBytes: length };
  }
}

function cut(bytes: Buffer) {
  const pieces = Array.from({ length: Math.ceil(bytes.length / CHUNK_BYTES) }, (_, i) =>
    bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
  );
  return pieces.map((piece) => ({ digest: digestOf(piece), length: piece.length, bytes: piece }));
}

/** A layer whose contents can be had from a source, and whose proof compares all of them. */
function seekable(members: readonly Member[], source: FakeSource, proven: string[] = []): SeekableLayer {
  const index = indexOf(members);
  const contents = new Map(members.map(({ name, content = '' }) => [name, Buffer.from(content)]));
  const entries = index.entries.map((entry) => {
    if (entry.content === undefined) return entry;
    const pieces = cut(contents.get(entry.header.name) ?? Buffer.alloc(0));
    for (const { digest, bytes } of pieces) source.chunks.set(digest, bytes);
    const chunks = pieces.map(({ digest, length }) => ({ digest, sizeBytes: length }));
    return { ...entry, content: { ...entry.content, chunks } };
  });
  const prove = async (read: (content: FileContent) => AsyncIterable<Buffer>) => {
    for (const { header, content } of entries) {
      if (content === undefined) continue;
      const pieces: Buffer[] = [];
      for await (const piece of read(content)) pieces.push(Buffer.from(piece));
      if (digestOf(Buffer.concat(pieces)) !== content.digest) throw new HoldfastError('HF-DIGEST', header.name);
      proven.push(header.name);
    }
  };
  return { ...index, entries, source, prove };
}

const noise = (seed: number, bytes: number) => {
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) buffer.writeUInt32LE(Math.imul(at + 7 * seed, 2654435761) >>> 0, at);
  return buffer;
};
const changed = Buffer.from(noise(1, 200_000));
changed.write('new', 100_000);

const OLD: Member[] = [
  dir('usr'),
  file('usr/large', noise(1, 200_000)),
  file('usr/moves', noise(2, 50_000)),
  hardlink('usr/also', 'usr/moves'),
  file('usr/goes', 'gone'),
  symlink('link', 'usr'),
];
const NEW: Member[] = [
  dir('usr', { mode: 0o700 }),
  file('usr/large', changed),
  dir('var'),
  file('var/moved', noise(2, 50_000), { uid: 7 }),
  file('usr/comes', noise(3, 10_000)),
  symlink('link', 'var'),
];

let source: FakeSource;
let proven: string[];
let pristine: string;
let copy: string;

beforeEach(() => {
  source = new FakeSource();
  proven = [];
  const work = temporaryDirectory();
  [pristine, copy] = [`${work}/pristine`, `${work}/copy`];
});

async function inputs(
  old: readonly Member[][],
  wanted: readonly Member[][],
  known: readonly Member[][],
): Promise<DeltaInputs> {
  mkdirSync(pristine);
  await unpackMembers(pristine, old);
  await runChecked(['cp', '-a', pristine, copy]);
  const layers = known.map((members) => seekable(members, source, proven));
  return {
    image: { layers: wanted.map(layerOf) },
    base: { layers: old.map(indexOf), directory: pristine },
    seekable: new Map(layers.map((layer) => [layer.diffId, layer])),
    spooled: new Set(),
  };
}

async function expectUnpacked(layers: readonly Member[][]): Promise<void> {
  const unpacked = temporaryDirectory();
  await unpackMembers(unpacked, layers);
  const { '.': _, ...got } = await wholeSnapshot(copy);
  const { '.': __, ...expected } = await wholeSnapshot(unpacked);
  expect(got).toEqual(expected);
}

const run = (delta: Parameters<typeof runDelta>[0], spool: ChunkSpool) =>
  runDelta(delta, { directory: copy, pristineDirectory: pristine, spool });

test('chunks that no old file has are fetched, and all of it is proven', async () => {
  const delta = await planDelta(await inputs([OLD], [NEW], [NEW]));
  // One piece of the large file and the new one.
  expect(delta?.cost).toEqual({
    fetchBytes: CHUNK_BYTES + 10_000,
    requests: 1,
    fullBytes: tarball(NEW).length,
    writeBytes: 210_000,
  });
  if (delta === undefined) return;
  const spool = ChunkSpool.open(`${temporaryDirectory()}/chunks`);
  const moved = await run(delta, spool);
  expect(moved.fetchedBytes).toBe(CHUNK_BYTES + 10_000);
  expect(moved.writtenBytes).toBeLessThanOrEqual(CHUNK_BYTES + 10_000);
  expect(proven.sort()).toEqual(['usr/comes', 'usr/large', 'var/moved']);
  await expectUnpacked([NEW]);
});

test('a second try fetches only what the first one did not, wherever that ended', async () => {
  const given = await inputs([OLD], [NEW], [NEW]);
  const path = `${temporaryDirectory()}/chunks`;
  for (let tries = 1; ; tries++) {
    const delta = await planDelta({ ...given, spooled: ChunkSpool.look(path) });
    if (delta === undefined) throw new Error('no delta');
    source.breaksAfter = tries;
    const spool = ChunkSpool.open(path);
    try {
      await run(delta, spool);
      break;
    } catch (error) {
      expect(error).toMatchObject({ code: 'HF-NETWORK' });
    } finally {
      spool.close();
    }
  }
  expect(new Set(source.fetched).size).toBe(source.fetched.length);
  await expectUnpacked([NEW]);
});

test('chunks that were there when it was planned, and are gone, are fetched', async () => {
  const given = await inputs([OLD], [NEW], [NEW]);
  const path = `${temporaryDirectory()}/chunks`;
  const all = new Set(source.chunks.keys());
  const delta = await planDelta({ ...given, spooled: all });
  expect(delta?.requests).toEqual([]);
  if (delta === undefined) return;
  await expect(run(delta, ChunkSpool.open(path))).rejects.toThrow('no source does not have');
  await runChecked(['rm', '-r', copy]);
  await runChecked(['cp', '-a', pristine, copy]);
  const spool = ChunkSpool.open(path);
  const moved = await runDelta(delta, { directory: copy, pristineDirectory: pristine, spool, sources: [source] });
  expect(moved.fetchedBytes).toBe(CHUNK_BYTES + 10_000);
  await expectUnpacked([NEW]);
});

test('nothing is fetched where what comes would not fit, and what is longer than it should be is refused', async () => {
  const delta = await planDelta(await inputs([OLD], [NEW], [NEW]));
  if (delta === undefined) throw new Error('no delta');
  const spool = ChunkSpool.open(`${temporaryDirectory()}/chunks`);
  const options = { directory: copy, pristineDirectory: pristine, spool };
  await expect(runDelta(delta, { ...options, reserveBytes: 2 ** 60 })).rejects.toMatchObject({ code: 'HF-NO-SPACE' });
  expect(source.fetched).toEqual([]);
  const short = [...delta.pieces].map(
    ([key, chunks]) => [key, chunks.map((chunk) => ({ ...chunk, sizeBytes: 1 }))] as const,
  );
  await expect(runDelta({ ...delta, pieces: new Map(short) }, options)).rejects.toMatchObject({ code: 'HF-IMAGE' });
});

describe('which way is taken', () => {
  const base = [dir('usr'), file('usr/base', noise(4, 100_000)), file('usr/kept', 'kept')];
  const upper = [file('usr/upper', noise(5, 20_000))];
  const overwriting = [file('usr/base', noise(6, 20_000))];

  test.each<[string, Member[][], Member[][], Member[][], { layers: number; fetchBytes: number } | undefined]>([
    ['nothing changed', [OLD], [OLD], [], { layers: 1, fetchBytes: 0 }],
    [
      'an upper layer is replaced',
      [base, upper],
      [base, [file('usr/other', noise(7, 30_000))]],
      [],
      { layers: 1, fetchBytes: layerOf([file('usr/other', noise(7, 30_000))]).sizeBytes },
    ],
    ['an upper layer is left out', [base, upper], [base], [], { layers: 1, fetchBytes: 0 }],
    ['a layer is taken away in the middle', [base, [whiteout('usr/.wh.kept')], upper], [base, upper], [], undefined],
    ['what an upper layer hides is nowhere', [base, overwriting], [base, upper], [], undefined],
    [
      'what an upper layer hides can be had',
      [base, overwriting],
      [base, upper],
      [base],
      { layers: 1, fetchBytes: 100_000 + layerOf(upper).sizeBytes },
    ],
    ['nothing is known of the new layer', [OLD], [NEW], [], undefined],
  ])('%s', async (_, old, wanted, known, expected) => {
    const delta = await planDelta(await inputs(old, wanted, known));
    expect(delta && { layers: delta.layers, fetchBytes: delta.cost.fetchBytes }).toEqual(expected);
    if (delta === undefined) return;
    await run(delta, ChunkSpool.open(`${temporaryDirectory()}/chunks`));
    await expectUnpacked(wanted.slice(0, delta.layers));
  });

  test('chunks that cost more than the layer, by their bytes or by requests', async () => {
    const given = await inputs([OLD], [NEW], [NEW]);
    for (const cost of [
      { fetchBytes: 2 * tarball(NEW).length, requests: 1 },
      { fetchBytes: 1, requests: 100 },
    ]) {
      source.cost = () => cost;
      expect(await planDelta(given)).toBeUndefined();
    }
  });

  test('a chunk that the source does not have, and nobody else', async () => {
    const given = await inputs([OLD], [NEW], [NEW]);
    source.chunks.delete(digestOf(noise(3, 10_000).subarray(0, CHUNK_BYTES)));
    expect(await planDelta(given)).toBeUndefined();
  });
});

test('an old file that is not what it was is found out', async () => {
  const given = await inputs([OLD], [NEW], [NEW]);
  const delta = await planDelta(given);
  await runChecked(['cp', '/dev/null', `${pristine}/usr/large`]);
  if (delta === undefined) throw new Error('no delta');
  await expect(run(delta, ChunkSpool.open(`${temporaryDirectory()}/chunks`))).rejects.toMatchObject({
    code: 'HF-DIGEST',
  });
});

test('a file of the copy that is not what it was is found out by the proof', async () => {
  const delta = await planDelta(await inputs([OLD], [NEW], [NEW]));
  // It moves, so nobody writes it.
  await runChecked(['sh', '-c', `printf x | dd of=${copy}/usr/moves conv=notrunc status=none`]);
  if (delta === undefined) throw new Error('no delta');
  await expect(run(delta, ChunkSpool.open(`${temporaryDirectory()}/chunks`))).rejects.toMatchObject({
    code: 'HF-DIGEST',
    message: 'var/moved',
  });
});
