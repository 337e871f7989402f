// The COW format, read: what the kernel's rules say of valid files, and that no file, however made, is read outside of
// itself or crashes the reader.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHUNK_BYTES, chunksOf } from '../../../src/overlay/cow-geometry.ts';
import { readCowStart, serialiseCowHeader } from '../../../src/overlay/cow-header.ts';
import { fillLevel, readAreas } from '../../../src/overlay/cow-read.ts';

const E = 256;

type Entry = readonly [oldChunk: number | bigint, newChunk: number | bigint];

/** A COW of so many chunks with these entries, one after another, areas as the kernel lays them out. */
function cow(chunks: number, entries: readonly Entry[]): Buffer {
  const file = Buffer.alloc(chunks * CHUNK_BYTES);
  serialiseCowHeader().copy(file);
  for (const [index, [oldChunk, newChunk]] of entries.entries()) {
    const at = (1 + Math.floor(index / E) * (E + 1)) * CHUNK_BYTES + (index % E) * 16;
    file.writeBigUInt64LE(BigInt(oldChunk), at);
    file.writeBigUInt64LE(BigInt(newChunk), at + 8);
  }
  return file;
}

/** The entries that the kernel makes for `count` changes in order. */
function inOrder(count: number): Entry[] {
  return Array.from({ length: count }, (_, index) => [index, 2 + index + Math.floor(index / E)] as const);
}

function read(file: Buffer, baseBytes?: number, salvage = false) {
  const reads: [number, number][] = [];
  const content = readAreas(
    readCowStart(file.subarray(0, 68 * 1024)),
    file.length,
    (buffer, position) => {
      reads.push([position, buffer.length]);
      return file.copy(buffer, 0, position);
    },
    { ...(baseBytes === undefined ? {} : { baseBytes }), salvage },
  );
  return { content, reads };
}

const problem = (file: Buffer, baseBytes?: number) => {
  const { content } = read(file, baseBytes);
  return 'problem' in content ? content.problem : undefined;
};

describe('valid files', () => {
  // Allocated and metadata sectors as dmsetup status has them: dm-snap-persistent.c, persistent_usage.
  test.each([
    [0, 2 * 8, 2 * 8],
    [1, 3 * 8, 2 * 8],
    [E - 1, (2 + 255) * 8, 2 * 8],
    [E, (2 + 256 + 1) * 8, 3 * 8],
    [E + 1, (2 + 257 + 1) * 8, 3 * 8],
    [2 * E, (2 + 512 + 2) * 8, 4 * 8],
  ])('%i exceptions', (count, allocatedSectors, metadataSectors) => {
    const { content } = read(cow(1000, inOrder(count)), 1000 * CHUNK_BYTES);
    if ('problem' in content) throw new Error(content.problem.message);
    expect(content).toMatchObject({ blank: false, valid: true, chunks: 1000, count });
    expect([...content.oldChunks]).toEqual(inOrder(count).map(([oldChunk]) => oldChunk));
    expect(fillLevel(content)).toMatchObject({ allocatedSectors, metadataSectors, totalSectors: 8000 });
  });

  test('the end is the first entry without a new chunk; what lies behind is stale', () => {
    const file = cow(600, [...inOrder(3), [0, 0], [7, 999_999]]);
    expect(read(file).content).toMatchObject({ count: 3 });
  });

  test('entries out of order and holes between them keep their stored numbers', () => {
    const { content } = read(
      cow(600, [
        [9, 40],
        [0, 3],
        [4, 17],
      ]),
      10 * CHUNK_BYTES,
    );
    expect(content).toMatchObject({
      oldChunks: new Float64Array([9, 0, 4]),
      newChunks: new Float64Array([40, 3, 17]),
    });
    expect('problem' in content || fillLevel(content).allocatedSectors).toBe(41 * 8);
  });

  test('zeros are a blank COW, and only that', () => {
    expect(read(Buffer.alloc(300 * CHUNK_BYTES)).content).toMatchObject({ blank: true, count: 0 });
  });

  test('a COW that the kernel has given up is read all the same', () => {
    const file = cow(600, inOrder(2));
    file.writeUInt32LE(0, 4);
    expect(read(file).content).toMatchObject({ valid: false, count: 2 });
  });

  test('the chunk size of the header counts', () => {
    const file = Buffer.alloc(64 * 16384);
    serialiseCowHeader(32).copy(file);
    file.writeUInt32LE(5, 16384);
    file.writeUInt32LE(2, 16384 + 8);
    expect(read(file, 6 * 16384).content).toMatchObject({ chunkBytes: 16384, chunks: 64, count: 1 });
  });

  test('a base’s short last chunk may be replaced', () => {
    expect(read(cow(600, [[3, 2]]), 3 * CHUNK_BYTES + 512).content).toMatchObject({ count: 1 });
  });
});

describe('damaged files', () => {
  const base = 100 * CHUNK_BYTES;
  test.each<[string, Buffer, string, string]>([
    ['data in the header', cow(600, [[0, 1]]), 'corrupt', 'chunk 1, which is a list'],
    ['data in the second area', cow(600, [[0, 258]]), 'corrupt', 'chunk 258, which is a list'],
    ['data behind the end', cow(600, [[0, 600]]), 'truncated', 'chunk 600, and the file has 600'],
    ['data far away', cow(600, [[0, 2n ** 63n]]), 'truncated', 'and the file has 600 chunks'],
    ['a chunk that the base lacks', cow(600, [[100, 2]]), 'corrupt', 'chunk 100 of a base that has 100'],
    ['a chunk that no base has', cow(600, [[2n ** 64n - 1n, 2]]), 'corrupt', 'of a base that has 100'],
    [
      'the same new chunk twice',
      cow(600, [
        [0, 2],
        [1, 2],
      ]),
      'corrupt',
      'uses chunk 2 a second time',
    ],
    [
      'the same old chunk twice',
      cow(600, [
        [5, 2],
        [5, 3],
      ]),
      'corrupt',
      'replaces chunk 5 of the base a second time',
    ],
    [
      'data behind a file that was cut',
      cow(257, inOrder(90)).subarray(0, 50 * CHUNK_BYTES),
      'truncated',
      'has 50 chunks',
    ],
    ['no first list', cow(1, []), 'truncated', 'goes on in chunk 1'],
    ['nothing', Buffer.alloc(0), 'not-a-cow', 'too short'],
    ['an ext file system', extLike(), 'not-a-cow', 'an ext file system'],
    ['text', Buffer.from('hello, this is a letter'.repeat(10)), 'not-a-cow', 'something that is no COW'],
    ['version 2', patched(8, 2), 'not-a-cow', 'version 2'],
    ['chunks of 4 sectors', patched(12, 4), 'not-a-cow', 'chunks of 4 sectors'],
    ['chunks of 9 sectors', patched(12, 9), 'not-a-cow', 'chunks of 9 sectors'],
    ['chunks of 4096 sectors', patched(12, 4096), 'not-a-cow', 'chunks of 4096 sectors'],
    ['chunks of 0 sectors', patched(12, 0), 'not-a-cow', 'chunks of 0 sectors'],
    ['a flag that is neither', patched(4, 7), 'not-a-cow', '7 where 1 means valid'],
  ])('%s', (_, file, reason, words) => {
    expect(problem(file, base)).toMatchObject({ reason, message: expect.stringContaining(words) });
  });

  test('without a base an old chunk twice is found too', () => {
    expect(
      problem(
        cow(600, [
          [5, 2],
          [5, 3],
        ]),
      )?.message,
    ).toContain('a second time');
    expect(problem(cow(600, [[2n ** 60n, 2]]))?.message).toContain('no base has');
  });

  test('a file of a bad size whose last entry is used asks for a list behind its end', () => {
    expect(problem(cow(258, inOrder(256)))).toMatchObject({ reason: 'truncated' });
    expect(problem(cow(259, inOrder(256)))).toBeUndefined();
  });
});

test('whatever is in the file, only the file is read, and what is returned stays inside', () => {
  const word = fc.oneof(fc.nat(600), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constant(0));
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 600 }),
      fc.array(fc.tuple(word, word), { maxLength: 300 }),
      fc.array(fc.tuple(fc.nat(40), fc.nat(255)), { maxLength: 4 }),
      fc.option(fc.nat(2_000_000), { nil: undefined }),
      (chunks, entries, flips, baseBytes) => {
        const file = cow(600, entries).subarray(0, chunks * CHUNK_BYTES + (chunks % 7));
        for (const [at, byte] of flips) if (at < file.length) file[at] = byte;
        const { content, reads } = read(file, baseBytes);
        for (const [position] of reads) expect(position).toBeLessThanOrEqual(file.length);
        expect(reads.length).toBeLessThanOrEqual(4);
        if ('problem' in content) return;
        for (const chunk of content.newChunks)
          expect((chunk + 1) * content.chunkBytes).toBeLessThanOrEqual(file.length);
        for (const chunk of content.oldChunks) {
          expect(chunk).toBeLessThan(baseBytes === undefined ? 2 ** 53 : chunksOf(baseBytes, content.chunkBytes));
        }
        expect(new Set(content.newChunks).size).toBe(content.count);
      },
    ),
    { numRuns: 300 },
  );
});

test('random bytes behind a good header never crash the reader', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40_000 }), (bytes) => {
      const file = Buffer.concat([serialiseCowHeader(), Buffer.from(bytes)]);
      const { content } = read(file, 10_000_000);
      return 'problem' in content ? content.problem.message.length > 5 : content.count <= bytes.length / 16;
    }),
  );
});

function extLike(): Buffer {
  const file = Buffer.alloc(300 * CHUNK_BYTES);
  file.writeUInt16LE(0xef53, 1024 + 0x38);
  return file;
}

function patched(at: number, value: number): Buffer {
  const file = cow(300, []);
  file.writeUInt32LE(value, at);
  return file;
}
