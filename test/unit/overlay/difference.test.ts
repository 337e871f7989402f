// A base, changes to it, the COW that holds them and the flat image made of both: there and back must be the same bytes,
// for every number of changes around a full area, and for bases that end in the middle of a chunk.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createBlankCow, extendCow, truncate } from '../../../src/overlay/cow-create.ts';
import { CHUNK_BYTES } from '../../../src/overlay/cow-geometry.ts';
import { fillLevel, readCow } from '../../../src/overlay/cow-read.ts';
import { changedChunks, createCowFromDifference } from '../../../src/overlay/difference.ts';
import { parseFilefrag, unsharedRanges } from '../../../src/overlay/extents.ts';
import { writeFlatImage } from '../../../src/overlay/flat-image.ts';
import { fullCoverBytes } from '../../../src/overlay/sizes.ts';

// Many files are written and compared; a busy machine takes longer than unit tests are given.
vi.setConfig({ testTimeout: 120_000 });

const directory = mkdtempSync(join(tmpdir(), 'holdfast-difference-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string) => join(directory, name);
const [base, modified, cow, flat] = ['base', 'modified', 'cow', 'flat'].map(at) as [string, string, string, string];

beforeEach(() => {
  for (const file of [base, modified, cow, flat]) rmSync(file, { force: true });
});

/** Bytes that differ from chunk to chunk. */
function content(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let chunk = 0; chunk * CHUNK_BYTES < sizeBytes; chunk++) bytes.writeUInt32LE(chunk + 1, chunk * CHUNK_BYTES);
  return bytes;
}

/** Writes base and modified file, which differ in the last byte of each of `chunks`. */
function make(sizeBytes: number, chunks: readonly number[]): Buffer {
  const bytes = content(sizeBytes);
  writeFileSync(base, bytes);
  for (const chunk of chunks) {
    const last = Math.min((chunk + 1) * CHUNK_BYTES, sizeBytes) - 1;
    bytes[last] = 0xaa;
  }
  writeFileSync(modified, bytes);
  return bytes;
}

describe('there and back', () => {
  test.each([0, 1, 255, 256, 257, 512])('with %i changed chunks', async (count) => {
    const chunks = Array.from({ length: count }, (_, index) => index * 2);
    const expected = make(1040 * CHUNK_BYTES, chunks);
    const sizeBytes = fullCoverBytes(expected.length);
    expect(await createCowFromDifference({ base, modified, to: cow, sizeFor: () => sizeBytes })).toEqual({
      chunks: count,
      changedBytes: count * CHUNK_BYTES,
      sizeBytes,
    });
    const read = await readCow(cow, { baseBytes: expected.length });
    if ('problem' in read) throw new Error(read.problem.message);
    expect([...read.oldChunks]).toEqual(chunks);
    const areas = Math.floor(count / 256) + 1;
    // The kernel's next free chunk: after the data, and after an area that follows it.
    expect(fillLevel(read).allocatedSectors).toBe((count === 0 ? 2 : 1 + count + areas) * 8);
    expect(statSync(cow)).toMatchObject({ size: sizeBytes, mode: 0o100600 });
    expect(statSync(cow).blocks * 512).toBeGreaterThanOrEqual(sizeBytes);
    await writeFlatImage({ base, cow, to: flat });
    expect(readFileSync(flat).equals(expected)).toBe(true);
    expect(readFileSync(base).equals(content(expected.length))).toBe(true);
  });

  test('any changes to any base', async () => {
    await fc.assert(
      fc.asyncProperty(
        // Whole sectors, as a loop device has them.
        fc.integer({ min: 1, max: 700 * 8 }).map((sectors) => sectors * 512),
        fc.uniqueArray(fc.nat(699), { maxLength: 400 }),
        async (sizeBytes, wished) => {
          for (const file of [cow, flat]) rmSync(file, { force: true });
          const chunks = wished.filter((chunk) => chunk * CHUNK_BYTES < sizeBytes).sort((a, b) => a - b);
          const expected = make(sizeBytes, chunks);
          await createCowFromDifference({ base, modified, to: cow, sizeFor: () => fullCoverBytes(sizeBytes) });
          await writeFlatImage({ base, cow, to: flat });
          expect(readFileSync(flat).equals(expected)).toBe(true);
          expect(await changedChunks({ base, modified: flat })).toEqual(chunks);
        },
      ),
      { numRuns: 12 },
    );
  });

  test('all of the base fits into a full cover', async () => {
    const chunks = Array.from({ length: 514 }, (_, index) => index);
    const expected = make(514 * CHUNK_BYTES, chunks);
    await createCowFromDifference({ base, modified, to: cow, sizeFor: () => fullCoverBytes(expected.length) });
    await writeFlatImage({ base, cow, to: flat });
    expect(readFileSync(flat).equals(expected)).toBe(true);
  });
});

describe('what can’t be done leaves nothing', () => {
  test('changes that don’t fit', async () => {
    make(600 * CHUNK_BYTES, [1, 2, 3, 4, 5, 6, 7, 8]);
    await expect(createCowFromDifference({ base, modified, to: cow, sizeFor: () => 6 * CHUNK_BYTES })).rejects.toThrow(
      `8 changed chunks don’t fit into ${cow} (4)`,
    );
    expect(statSync(cow, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('files of two sizes', async () => {
    make(600 * CHUNK_BYTES, []);
    writeFileSync(modified, Buffer.alloc(599 * CHUNK_BYTES));
    await expect(changedChunks({ base, modified })).rejects.toThrow('not as large as');
  });

  test('a COW of another base', async () => {
    make(600 * CHUNK_BYTES, [599]);
    await createCowFromDifference({ base, modified, to: cow, sizeFor: () => fullCoverBytes(600 * CHUNK_BYTES) });
    writeFileSync(base, Buffer.alloc(500 * CHUNK_BYTES));
    await expect(writeFlatImage({ base, cow, to: flat })).rejects.toThrow('replaces chunk 599 of a base that has 500');
    expect(statSync(flat, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('a COW of more than the disk has', async () => {
    await expect(createBlankCow(cow, 2 ** 50)).rejects.toThrow(`there is no room for ${cow}`);
    expect(statSync(cow, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('a name that is taken', async () => {
    writeFileSync(cow, 'precious');
    await expect(createBlankCow(cow, 1 << 20)).rejects.toThrow('EEXIST');
    expect(readFileSync(cow, 'utf8')).toBe('precious');
  });

  test('an interruption', async () => {
    const chunks = Array.from({ length: 9000 }, (_, index) => index);
    make(9000 * CHUNK_BYTES, chunks);
    const stop = new AbortController();
    const request = { base, modified, to: cow, sizeFor: () => fullCoverBytes(9000 * CHUNK_BYTES), signal: stop.signal };
    const progress = (done: number, total: number) => done < total && stop.abort();
    await expect(createCowFromDifference({ ...request, progress })).rejects.toThrow('interrupted');
    expect(statSync(cow, { throwIfNoEntry: false })).toBeUndefined();
  });
});

test('a COW is made larger, all of it allocated, and never to a bad size', async () => {
  expect(await createBlankCow(cow, 256 << 20)).toBe((256 << 20) + CHUNK_BYTES);
  truncate(cow, 1 << 20);
  expect(await extendCow(cow, 256 << 20)).toBe((256 << 20) + CHUNK_BYTES);
  expect(await extendCow(cow, 1 << 20)).toBe((256 << 20) + CHUNK_BYTES);
  expect(statSync(cow).blocks * 512).toBeGreaterThanOrEqual(256 << 20);
});

describe('what filefrag says', () => {
  const text = `Filesystem type is: 58465342
File size of m/b is 41943040 (81920 blocks of 512 bytes)
 ext:     logical_offset:        physical_offset: length:   expected: flags:
   0:        0..    7999:        192..      8191:   8000:             shared
   1:     8000..    8023:      82176..     82199:     24:       8192:
   2:     8024..   40959:       8216..     41151:  32936:      82200: shared
   3:    40960..   81919:      41152..     82111:  40960:             last,unwritten,eof
m/b: 4 extents found
`;
  test('is read; what is unwritten counts as nothing', () => {
    expect(parseFilefrag(text)).toEqual([
      { at: 0, bytes: 8000 * 512, physical: 192 * 512 },
      { at: 8000 * 512, bytes: 24 * 512, physical: 82176 * 512 },
      { at: 8024 * 512, bytes: 32936 * 512, physical: 8216 * 512 },
    ]);
  });

  test.each([
    ['other blocks', text.replace('of 512 bytes', 'of 4096 bytes')],
    ['a place that is not known yet', text.replace('shared\n', 'last,unknown_loc,delalloc\n')],
    ['compressed data', text.replace('shared\n', 'encoded,shared\n')],
    ['a line of another form', text.replace('0:        0..', '0:  somewhere ..')],
    ['nothing', ''],
  ])('is not relied upon for %s', (_, odd) => {
    expect(parseFilefrag(odd)).toBeUndefined();
  });

  test('two files differ at most where they share nothing', () => {
    const shared = { at: 0, bytes: 100, physical: 1000 };
    const [own, theirs] = [
      { at: 100, bytes: 50, physical: 5000 },
      { at: 100, bytes: 50, physical: 9000 },
    ];
    const tail = { at: 150, bytes: 50, physical: 1150 };
    expect(unsharedRanges([shared, own, tail], [shared, theirs, tail], 200)).toEqual([{ from: 100, to: 150 }]);
    expect(unsharedRanges([shared], [shared], 500)).toEqual([]);
    expect(unsharedRanges([shared], [], 500)).toEqual([{ from: 0, to: 100 }]);
    // One extent here, two there, over the same places.
    const halves = [
      { at: 0, bytes: 40, physical: 1000 },
      { at: 40, bytes: 60, physical: 1040 },
    ];
    expect(unsharedRanges([shared], halves, 100)).toEqual([]);
  });

  test('never leaves out a byte that differs', () => {
    const extent = fc.record({ at: fc.nat(50), bytes: fc.integer({ min: 1, max: 20 }), physical: fc.nat(8) });
    const map = fc.array(extent, { maxLength: 5 }).map((list) => {
      const sorted = list.sort((a, b) => a.at - b.at);
      return sorted.filter((each, index) => index === 0 || each.at >= (sorted[index - 1]?.at ?? 0) + 20);
    });
    const place = (extents: readonly { at: number; bytes: number; physical: number }[], byte: number) => {
      const found = extents.find(({ at: from, bytes }) => byte >= from && byte < from + bytes);
      return found && found.physical + byte - found.at;
    };
    fc.assert(
      fc.property(map, map, fc.integer({ min: 1, max: 80 }), (a, b, size) => {
        const ranges = unsharedRanges(a, b, size);
        for (let byte = 0; byte < size; byte++) {
          const inside = ranges.some(({ from, to }) => byte >= from && byte < to);
          expect(inside, `byte ${byte}`).toBe(place(a, byte) !== place(b, byte));
        }
      }),
    );
  });
});

test('a file that ends where the base goes on is said, not filled up', async () => {
  make(600 * CHUNK_BYTES, [10]);
  await createCowFromDifference({ base, modified, to: cow, sizeFor: () => fullCoverBytes(600 * CHUNK_BYTES) });
  const fd = openSync(cow, 'r+');
  // The one exception now points to the last chunk, which is then cut.
  writeSync(fd, Buffer.from([0x20]), 0, 1, CHUNK_BYTES + 8);
  closeSync(fd);
  truncate(cow, 20 * CHUNK_BYTES);
  await expect(writeFlatImage({ base, cow, to: flat })).rejects.toThrow(
    'data is in chunk 32, and the file has 20 chunks',
  );
});
