import { expect, test } from 'vitest';
import { cowSize } from '../../../src/lifecycle/seal-view.ts';
import { fullCoverBytes, goodBytes } from '../../../src/overlay/sizes.ts';

const MIB = 1 << 20;
const BASE = 3000 * MIB;

test('where there is room for two the COW covers all of its base, and can’t overflow', () => {
  expect(cowSize(BASE, 10 * MIB, 2 * fullCoverBytes(BASE) + 16 * MIB)).toBe(fullCoverBytes(BASE));
});

test('else it has twice what is in it, at least 256 MiB, and leaves room for its successor', () => {
  expect(cowSize(BASE, 10 * MIB, 4000 * MIB)).toBe(goodBytes(256 * MIB));
  expect(cowSize(BASE, 500 * MIB, 4000 * MIB)).toBe(goodBytes(1000 * MIB));
  expect(cowSize(BASE, 100 * MIB, 416 * MIB)).toBe(goodBytes(200 * MIB));
});

test('what is in it always fits, with its tables', () => {
  const size = cowSize(BASE, 100 * MIB, 120 * MIB) ?? 0;
  expect(size).toBeGreaterThan(100 * MIB * (1 + 1 / 256));
  expect(size).toBeLessThanOrEqual(104 * MIB);
});

test('without room for that there is none', () => {
  expect(cowSize(BASE, 100 * MIB, 110 * MIB)).toBeUndefined();
});

test('a small base never gets more than a full cover', () => {
  expect(cowSize(20 * MIB, 15 * MIB, 50 * MIB)).toBeLessThanOrEqual(fullCoverBytes(20 * MIB));
});
