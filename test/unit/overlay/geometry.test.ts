// Sizes of COWs: what fits, what covers a whole base, and which sizes break a snapshot. The figures are those that the
// kernel was seen to have.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  areaChunk,
  dataCapacity,
  fullCover,
  goodSize,
  isAreaChunk,
  isBadSize,
  nextDataChunk,
} from '../../../src/overlay/cow-geometry.ts';
import { fullCoverBytes, goodBytes, grownBytes, MIB, parseSize } from '../../../src/overlay/sizes.ts';

const E = 256;

test.each([
  [300, 76_500],
  [255, 65_024],
])('%i MiB hold %i changed chunks', (mib, capacity) => {
  expect(dataCapacity((mib * MIB) / 4096, E)).toBe(capacity);
});

test('a file of 256 MiB is a bad size, 255 and 300 MiB are not', () => {
  expect(isBadSize((256 * MIB) / 4096, E)).toBe(true);
  expect(isBadSize((255 * MIB) / 4096, E)).toBe(false);
  expect(isBadSize((300 * MIB) / 4096, E)).toBe(false);
  expect(goodBytes(256 * MIB)).toBe(256 * MIB + 4096);
  expect(goodBytes(300 * MIB)).toBe(300 * MIB);
});

test('a full cover holds every chunk of its base, needs no area behind its end, and wastes next to nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000_000 }), (baseChunks) => {
      const chunks = fullCover(baseChunks, E);
      expect(isBadSize(chunks, E)).toBe(false);
      expect(dataCapacity(chunks, E)).toBeGreaterThanOrEqual(baseChunks);
      // The area that the kernel zeroes when an area has been filled.
      expect(areaChunk(Math.floor(baseChunks / E), E)).toBeLessThan(chunks);
      expect(chunks).toBeLessThanOrEqual(baseChunks + Math.floor(baseChunks / E) + 3);
    }),
  );
});

test('the capacity is the number of chunks that are neither header nor area', () => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 3000 }), (chunks) => {
      let data = 0;
      for (let chunk = 1; chunk < chunks; chunk++) if (!isAreaChunk(chunk, E)) data += 1;
      expect(dataCapacity(chunks, E)).toBe(data);
      expect(goodSize(chunks, E) - chunks).toBe(isBadSize(chunks, E) ? 1 : 0);
    }),
  );
});

test('data skips the areas', () => {
  expect([2, 256, 257, 513].map((chunk) => nextDataChunk(chunk, E))).toEqual([3, 257, 259, 514]);
});

describe('sizes as people write them', () => {
  test.each([
    ['300M', 300 * MIB],
    ['300MiB', 300 * MIB],
    ['2g', 2048 * MIB],
    ['512k', 512 * 1024],
    ['1T', 1024 * 1024 * MIB],
    ['4096', 4096],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', 'M', '-1', '3.5G', '0', '0M', '99999999999T', '300 M', '12Q'])('%j is none', (text) => {
    expect(() => parseSize(text)).toThrow('is no size');
  });
});

test('a COW grows by a quarter or 256 MiB, and not beyond a full cover', () => {
  const base = 3072 * MIB;
  expect(grownBytes(300 * MIB, base)).toBe(goodBytes(556 * MIB));
  expect(grownBytes(2000 * MIB, base)).toBe(goodBytes(2500 * MIB));
  expect(grownBytes(3000 * MIB, base)).toBe(fullCoverBytes(base));
  expect(grownBytes(4000 * MIB, base)).toBe(4000 * MIB);
});
