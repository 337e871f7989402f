// What the watch does about a COW that fills: nothing, a word, more room, and at last a read-only root, always before the
// kernel would refuse or lose writes.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHUNK_BYTES, entriesPerArea, isBadSize } from '../../../src/overlay/cow-geometry.ts';
import { fullCoverBytes, MIB } from '../../../src/overlay/sizes.ts';
import { parseSnapshotStatus } from '../../../src/overlay/snapshot-status.ts';
import { decideWatch, keptBytes, type WatchFacts, watchIntervalMs } from '../../../src/overlay/watch-policy.ts';

const GIB = 1024 * MIB;
const facts = (used: number, more: Partial<WatchFacts> = {}): WatchFacts => {
  const sizeBytes = more.sizeBytes ?? 1000 * MIB;
  return {
    status: { state: 'ok', allocatedBytes: sizeBytes * used, totalBytes: sizeBytes, metadataBytes: 8192 },
    sizeBytes,
    baseBytes: 3 * GIB,
    freeBytes: 10 * GIB,
    cannotGrow: false,
    readOnly: false,
    ...more,
  };
};

test.each<[number, Partial<WatchFacts>, string]>([
  [0, {}, 'none'],
  [0.69, {}, 'none'],
  [0.71, {}, 'log'],
  [0.86, {}, 'grow'],
  [0.86, { cannotGrow: true }, 'log'],
  [0.86, { freeBytes: 0 }, 'log'],
  [0.96, { freeBytes: 0 }, 'stop'],
  [0.96, { cannotGrow: true }, 'stop'],
  [0.96, { cannotGrow: true, readOnly: true }, 'log'],
  [0.96, {}, 'grow'],
  [0.99, { sizeBytes: fullCoverBytes(3 * GIB) }, 'none'],
  // 16 MiB: a quarter is kept, which is less than 8 MiB.
  [0.74, { sizeBytes: 16 * MIB, cannotGrow: true }, 'log'],
  [0.76, { sizeBytes: 16 * MIB, cannotGrow: true }, 'stop'],
  [0.76, { sizeBytes: 16 * MIB }, 'grow'],
  // 100 MiB: 8 MiB are kept.
  [0.91, { sizeBytes: 100 * MIB, cannotGrow: true }, 'log'],
  [0.93, { sizeBytes: 100 * MIB, cannotGrow: true }, 'stop'],
])('used to %f with %j: %s', (used, more, step) => {
  expect(decideWatch(facts(used, more)).step).toBe(step);
});

test.each([
  [{ state: 'overflow' }, 'full'],
  [{ state: 'invalid' }, 'broken'],
  [{ state: 'merge-failed' }, 'broken'],
] as const)('%j is told', (status, word) => {
  expect(decideWatch(facts(0, { status }))).toMatchObject({ step: 'tell', message: expect.stringContaining(word) });
});

test('growth takes what there is room for, when that is worth it', () => {
  expect(decideWatch(facts(0.9, { freeBytes: 100 * MIB }))).toMatchObject({ step: 'grow', toBytes: 1100 * MIB });
  expect(decideWatch(facts(0.9, { freeBytes: 40 * MIB })).step).toBe('log');
  expect(decideWatch(facts(0.9))).toMatchObject({ toBytes: 1256 * MIB });
});

test('it never does nothing about one that is nearly full, and growth is never bad, too much, or none', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.85, max: 1, noNaN: true }),
      fc.integer({ min: 2048, max: 3 * 262_144 }),
      fc.nat(8 * GIB),
      fc.boolean(),
      (used, chunks, freeBytes, cannotGrow) => {
        const sizeBytes = chunks * CHUNK_BYTES;
        const asked = facts(used, { sizeBytes, freeBytes, cannotGrow });
        const step = decideWatch(asked);
        const covers = sizeBytes >= fullCoverBytes(asked.baseBytes);
        expect(step.step === 'none').toBe(covers);
        if (covers) return;
        const left = sizeBytes * (1 - used);
        if (step.step === 'log') expect(left).toBeGreaterThan(keptBytes(sizeBytes) - CHUNK_BYTES);
        if (step.step !== 'grow') return;
        expect(step.toBytes).toBeGreaterThan(sizeBytes);
        expect(step.toBytes).toBeLessThanOrEqual(fullCoverBytes(asked.baseBytes));
        expect(step.toBytes - sizeBytes).toBeLessThanOrEqual(freeBytes);
        expect(isBadSize(step.toBytes / CHUNK_BYTES, entriesPerArea(CHUNK_BYTES))).toBe(false);
      },
    ),
  );
});

test('the fuller it is, the sooner comes the next look', () => {
  const waits = [0, 0.4, 0.6, 0.8, 0.99].map((used) => watchIntervalMs(used, false));
  expect([...waits].sort((a, b) => b - a)).toEqual(waits);
  expect(watchIntervalMs(0.9, true)).toBeLessThan(watchIntervalMs(0.9, false));
});

describe('dmsetup status', () => {
  test.each([
    [
      '0 6291456 snapshot 2440/131072 24',
      { state: 'ok', allocatedBytes: 2440 * 512, totalBytes: 131_072 * 512, metadataBytes: 24 * 512 },
    ],
    ['0 2048 snapshot Overflow\n', { state: 'overflow' }],
    ['0 2048 snapshot Invalid', { state: 'invalid' }],
    ['0 2048 snapshot Merge failed', { state: 'merge-failed' }],
    ['0 2048 linear', undefined],
    ['0 2048 snapshot', undefined],
    ['0 2048 snapshot nonsense', undefined],
    ['', undefined],
  ])('%j', (line, expected) => {
    expect(parseSnapshotStatus(line)).toEqual(expected);
  });
});
