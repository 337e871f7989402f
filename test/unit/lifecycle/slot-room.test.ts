import { describe, expect, test } from 'vitest';
import { enlargedSize, finishedSize } from '../../../src/lifecycle/slot-room.ts';
import { slotSize } from '../../../src/slots/slot-file.ts';

const MIB = 1 << 20;
const GIB = 1 << 30;

describe('a slot that is full', () => {
  test.each<[string, number, number, number | undefined]>([
    ['grows by half', 4 * GIB, 20 * GIB, 6 * GIB],
    ['grows by 512 MiB at least', 100 * MIB, 20 * GIB, 612 * MIB],
    ['takes what the partition has, but its reserve', 4 * GIB, 164 * MIB + 5, 4 * GIB + 100 * MIB],
    ['does not grow by next to nothing', 4 * GIB, 64 * MIB + 15 * MIB, undefined],
    ['does not grow into the reserve', 4 * GIB, 10 * MIB, undefined],
  ])('%s', (_, size, free, expected) => {
    expect(enlargedSize(size, free)).toBe(expected);
  });
});

describe('a slot that was filled', () => {
  test('stays as it is when its size was worked out from the same content', () => {
    for (const content of [50 * MIB, GIB, 5 * GIB]) {
      const size = slotSize(content, 20_000);
      expect(finishedSize(size, content * 1.03, 100 * GIB)).toBe(size);
    }
  });

  test.each<[string, number, number, number, number]>([
    ['stays as it is when there is more room than needed', 4 * GIB, GIB, 10 * GIB, 4 * GIB],
    ['gets room for packages', GIB, GIB - 100 * MIB, 10 * GIB, GIB - 100 * MIB + 512 * MIB],
    ['gets what the partition has', GIB, GIB - 100 * MIB, 164 * MIB, GIB + 100 * MIB],
    ['stays as it is on a full partition', GIB, GIB - 100 * MIB, 0, GIB],
  ])('%s', (_, size, filled, free, expected) => {
    expect(finishedSize(size, filled, free)).toBe(expected);
  });
});
