// How many guests run at once follows from the host, unless somebody says it.

import { describe, expect, test } from 'vitest';
import { guestProcessors, guestsAtOnce } from '../../../lab/machine/guests.ts';

const GIB = 2 ** 30;

describe('guests at once', () => {
  test.each([
    [2, 24, 2],
    [16, 64, 2],
    [1, 64, 1],
    [2, 4, 1],
    [1, 1, 1],
  ])('%i processors and %i GiB of memory: %i', (processors, gib, expected) => {
    expect(guestsAtOnce({}, { processors, memoryBytes: gib * GIB })).toBe(expected);
  });

  test.each([
    ['1', 1],
    ['4', 4],
    ['', 2],
    ['0', 2],
    ['many', 2],
  ])('HOLDFAST_GUESTS=%s: %i', (value, expected) => {
    expect(guestsAtOnce({ HOLDFAST_GUESTS: value }, { processors: 2, memoryBytes: 24 * GIB })).toBe(expected);
  });
});

test('a guest has two processors unless somebody says it', () => {
  expect(guestProcessors({})).toBe(2);
  expect(guestProcessors({ HOLDFAST_GUEST_CPUS: '1' })).toBe(1);
});
