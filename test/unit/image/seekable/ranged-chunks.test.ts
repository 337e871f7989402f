// Chunks in ranges of a blob: what a set of them costs, what is asked for, and what comes when the blob lies. Both ways
// to unpack zstd are run, whatever the runtime has built in.

import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../../../src/image/digest.ts';
import type { Descriptor } from '../../../../src/image/manifest.ts';
import type { PackedChunk } from '../../../../src/image/seekable/packed-chunk.ts';
import { RangedChunks } from '../../../../src/image/seekable/ranged-chunks.ts';
import { type FetchedRange, unpackZstdRanges } from '../../../../src/image/seekable/unpack-chunks.ts';
import { HoldfastError } from '../../../../src/system/errors.ts';
import { fetchAll, MemoryBlob } from './fixture.ts';
import { noise } from './members.ts';

const zstd = (content: Buffer) => execFileSync('zstd', ['-q', '-c'], { input: content });
/** What a built-in zstd does, with its limit. */
const unzstd = (packed: Buffer, { maxOutputLength }: { maxOutputLength: number }) => {
  const content = execFileSync('zstd', ['-q', '-d', '-c'], { input: packed });
  if (content.length > maxOutputLength) throw new RangeError('too large');
  return content;
};

/** A blob of frames with `gap` bytes of something else in front of each. */
function blobOf(contents: readonly Buffer[], pack: (content: Buffer) => Buffer, gaps: readonly number[]) {
  const parts: Buffer[] = [];
  const chunks: PackedChunk[] = [];
  let at = 0;
  for (const [index, content] of contents.entries()) {
    const gap = Buffer.alloc(gaps[index % gaps.length] ?? 0, 'gap');
    const packed = pack(content);
    parts.push(gap, packed);
    const start = at + gap.length;
    at = start + packed.length;
    chunks.push({ digest: digestOf(content), sizeBytes: content.length, start, end: at });
  }
  const bytes = Buffer.concat(parts);
  const blob: Descriptor = { mediaType: 'x', digest: digestOf(bytes), sizeBytes: bytes.length };
  return { bytes, blob, chunks };
}

function sourceOf(
  { bytes, blob, chunks }: ReturnType<typeof blobOf>,
  packing: 'zstd' | 'gzip' = 'zstd',
  pieceBytes?: number,
) {
  const repository = new MemoryBlob(bytes, pieceBytes);
  return { repository, source: new RangedChunks({ name: 'test', repository, blob, packing, chunks }) };
}

const CONTENTS = [5, 3000, 200_000, 70, 90_000, 1].map((length, seed) => noise(seed, length));

test.each([
  ['zstd', zstd],
  ['gzip', (content: Buffer) => gzipSync(content)],
] as const)('any choice of chunks comes, for the price that was named: %s', async (packing, pack) => {
  const made = blobOf(CONTENTS, pack, [0, 100, 70_000]);
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(CONTENTS.length - 1)),
      fc.integer({ min: 50, max: 300_000 }),
      async (choice, pieceBytes) => {
        const { repository, source } = sourceOf(made, packing, pieceBytes);
        const digests = new Set(choice.map((index) => digestOf(CONTENTS[index] ?? Buffer.alloc(0))));
        const cost = source.cost(digests);
        const chunks = await fetchAll(source, digests);
        expect(new Set(chunks.keys())).toEqual(digests);
        for (const [digest, bytes] of chunks) expect(digestOf(bytes)).toBe(digest);
        const asked = repository.requests.map(({ start, end }) => end - start);
        expect(cost).toEqual({ fetchBytes: asked.reduce((sum, length) => sum + length, 0), requests: asked.length });
      },
    ),
    { numRuns: 25 },
  );
});

test('neighbours come in one request, those far apart do not', () => {
  const near = sourceOf(blobOf(CONTENTS, zstd, [60_000])).source;
  const far = sourceOf(blobOf(CONTENTS, zstd, [70_000])).source;
  const all = new Set(CONTENTS.map((content) => digestOf(content)));
  expect(near.cost(all).requests).toBe(1);
  expect(far.cost(all).requests).toBe(CONTENTS.length);
  expect(far.cost(all).fetchBytes).toBeLessThan(near.cost(all).fetchBytes);
});

test('zeros cost nothing, and a chunk that is not there is an error', async () => {
  const made = blobOf([noise(1, 100)], zstd, [0]);
  const zeros = Buffer.alloc(1_000_000);
  made.chunks.push({ digest: digestOf(zeros), sizeBytes: zeros.length, start: 0, end: 0 });
  const { source, repository } = sourceOf(made);
  const digests = new Set([digestOf(zeros)]);
  expect(source.cost(digests)).toEqual({ fetchBytes: 0, requests: 0 });
  expect((await fetchAll(source, digests)).get(digestOf(zeros))?.equals(zeros)).toBe(true);
  expect(repository.requests).toEqual([]);
  const other = digestOf('other');
  expect(source.has(other)).toBe(false);
  expect(() => source.cost(new Set([other]))).toThrowError(HoldfastError);
});

const at = (start: number, end: number, sizeBytes = 10): PackedChunk => ({
  digest: digestOf(`${start} ${end}`),
  sizeBytes,
  start,
  end,
});

test.each([
  ['overlap', [at(0, 50), at(40, 60)]],
  ['begin at the same byte and end at others', [at(0, 50), at(0, 60)]],
  ['lie inside each other', [at(0, 90), at(10, 20)]],
  ['end behind the blob', [at(50, 101)]],
  ['begin before it', [at(-5, 10)]],
  ['end before they begin', [at(30, 20)]],
  ['are too large to hold', [at(0, 10, 65 << 20)]],
  ['are zeros without end', [at(0, 0, 2 ** 40)]],
])('chunks that %s are refused', (_, chunks) => {
  const blob: Descriptor = { mediaType: 'x', digest: digestOf('x'), sizeBytes: 100 };
  const repository = new MemoryBlob(Buffer.alloc(100));
  expect(() => new RangedChunks({ name: 'test', repository, blob, packing: 'zstd', chunks })).toThrowError(
    /^the index of the layer can't be used/,
  );
});

describe.each([
  ['in memory', unzstd],
  ['as one stream', undefined],
] as const)('zstd, unpacked %s', (_, unpack) => {
  async function unpackAll(packed: readonly { content: Buffer; bytes: Buffer }[]): Promise<Digest[]> {
    const ranges = (async function* (): AsyncGenerator<FetchedRange> {
      for (const { content, bytes } of packed) {
        const chunk = { digest: digestOf(content), sizeBytes: content.length, start: 0, end: bytes.length };
        yield { range: { start: 0, end: bytes.length, chunks: [chunk] }, bytes };
      }
    })();
    const digests: Digest[] = [];
    for await (const { digest } of unpackZstdRanges(ranges, unpack)) digests.push(digest);
    return digests;
  }
  const good = CONTENTS.map((content) => ({ content, bytes: zstd(content) }));
  const second = good[1] ?? { content: Buffer.alloc(0), bytes: Buffer.alloc(0) };

  test('gives every chunk', async () => {
    expect(await unpackAll(good)).toEqual(CONTENTS.map((content) => digestOf(content)));
    expect(await unpackAll([])).toEqual([]);
  });

  test('takes a chunk of two frames', async () => {
    const content = Buffer.concat([noise(1, 500), noise(2, 70_000)]);
    const bytes = Buffer.concat([zstd(content.subarray(0, 500)), zstd(content.subarray(500))]);
    expect(await unpackAll([second, { content, bytes }, second])).toEqual([
      digestOf(second.content),
      digestOf(content),
      digestOf(second.content),
    ]);
  });

  test.each([
    ['another content of the same length', zstd(noise(9, 3000))],
    ['a shorter one', zstd(noise(1, 2999))],
    ['a longer one', zstd(Buffer.concat([noise(1, 3000), Buffer.alloc(1)]))],
    ['one that unpacks to a gigabyte', zstd(Buffer.alloc(1 << 26))],
    ['half a frame', second.bytes.subarray(0, 100)],
    ['no frame', Buffer.alloc(100, 'no zstd ')],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', async (__, bytes) => {
    await expect(
      unpackAll([good[0] ?? second, { content: second.content, bytes }, ...good.slice(2)]),
    ).rejects.toMatchObject({
      code: 'HF-DIGEST',
    });
  });
});

test('a gzip member that goes on for ever is read only as far as its chunk', async () => {
  const content = noise(1, 500);
  const made = blobOf([content], () => gzipSync(Buffer.concat([content, Buffer.alloc(1 << 26)])), [0]);
  const { source } = sourceOf(made, 'gzip');
  expect((await fetchAll(source, new Set([digestOf(content)]))).size).toBe(1);
});
