import { expect, test } from 'vitest';
import { ATOMIC_BYTES, chooseCutPoints } from '../../../lab/crash/cut-points.ts';
import { Fingerprints } from '../../../lab/crash/fingerprint.ts';
import type { LogEntry } from '../../../lab/crash/write-log.ts';

const write = (offset: number, size = 8 * ATOMIC_BYTES): LogEntry => ({ kind: 'write', offset, size, dataAt: 0 });
const flush: LogEntry = { kind: 'flush', offset: 0, size: 0, dataAt: 0 };
/** Three windows: three writes, one, two. */
const LOG = [write(0), write(1 << 20), write(2 << 20), flush, flush, write(0), flush, write(1 << 20), write(2 << 20)];

test('every flush is a state, two without writes between them are one, and so are beginning and end', () => {
  const flushes = chooseCutPoints(LOG, 100, 1).filter(({ kind }) => kind === 'flush');
  expect(flushes.map(({ name, from }) => [name, from])).toEqual([
    ['f0', 0],
    ['f1', 4],
    ['f2', 7],
    ['end', LOG.length],
  ]);
});

test('the same seed chooses the same states, another one others', () => {
  expect(chooseCutPoints(LOG, 20, 7)).toEqual(chooseCutPoints(LOG, 20, 7));
  expect(chooseCutPoints(LOG, 20, 7)).not.toEqual(chooseCutPoints(LOG, 20, 8));
});

test('a state between two flushes has only writes of its window, not all of them whole, and tears at whole pages', () => {
  const between = chooseCutPoints(LOG, 60, 3).filter(({ kind }) => kind !== 'flush');
  expect(new Set(between.map(({ kind }) => kind))).toEqual(new Set(['prefix', 'drop', 'random', 'torn']));
  const ends = new Map([
    [0, 3],
    [4, 6],
    [7, 9],
  ]);
  for (const { from, extra, kind } of between) {
    const end = ends.get(from) ?? 0;
    expect(extra.every(({ entry }) => entry >= from && entry < end)).toBe(true);
    expect(extra.length > 0 && extra.some(({ bytes }) => bytes !== undefined)).toBe(kind === 'torn');
    for (const { bytes = 0 } of extra) expect(bytes % ATOMIC_BYTES).toBe(0);
  }
});

test('a sample smaller than the number of flushes still has the end and instants between flushes', () => {
  const long = Array.from({ length: 100 }, (_, index) => (index % 3 === 2 ? flush : write(index << 20)));
  const points = chooseCutPoints(long, 10, 5);
  expect(points).toHaveLength(10);
  expect(points.at(-1)?.name).toBe('end');
  expect(points.filter(({ kind }) => kind === 'flush')).toHaveLength(6);
});

test('a partition has the same fingerprint in two states exactly when the same writes have reached it', () => {
  const prints = new Fingerprints(LOG, { startBytes: 1 << 20, sizeBytes: 1 << 20 });
  const of = (from: number, ...entries: number[]) => prints.of({ from, extra: entries.map((entry) => ({ entry })) });
  expect(of(4)).toBe(of(7));
  expect(of(0)).not.toBe(of(4));
  expect(of(7, 8)).toBe(of(7));
  expect(of(7, 7)).not.toBe(of(7));
  expect(prints.of({ from: 7, extra: [{ entry: 7, bytes: ATOMIC_BYTES }] })).not.toBe(of(7, 7));
});
