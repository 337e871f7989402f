// The overlay bench's report: medians of each place, the overlay held against plain ext4, and no writes of what only reads.

import { expect, test } from 'vitest';
import { showOverlayReport } from '../../../bench/overlay/report.ts';
import type { Cost } from '../../../lab/overlay/inside/cost-experiments.ts';

const cost = (name: string, seconds: number, diskWrites: number): Cost => ({
  name,
  seconds,
  bytes: 0,
  diskWrites,
  diskWrittenBytes: diskWrites * 2 ** 20,
  diskFlushes: 0,
});
const REPORT = {
  costs: {
    plain: [[cost('write', 2, 10), cost('read it', 1, 3)]],
    loop: [[cost('write', 3, 11), cost('read it', 1, 3)]],
    overlay: [
      [cost('write', 4, 30), cost('read it', 1, 3)],
      [cost('write', 8, 30), cost('read it', 1, 3)],
      [cost('write', 5, 30), cost('read it', 1, 3)],
    ],
  },
  found: [{ name: 'demo system', entries: 12_000, changes: 49, seconds: [1, 3, 2] }],
};

test('shows medians with their spread and the ratio to plain ext4', () => {
  const lines = showOverlayReport(REPORT).map((line) => line.trim().replace(/ {2,}/g, ' | '));
  expect(lines[0]).toBe('seconds | plain ext4 | image | overlay | ratio');
  expect(lines[1]).toBe('write | 2.00 | 3.00 | 5.00 (4.00–8.00) | 2.50');
  expect(lines[2]).toBe('read it | 1.00 | 1.00 | 1.00 | 1.00');
  const writes = lines.indexOf('writes to the disk | plain ext4 | image | overlay | ratio');
  expect(lines[writes + 1]).toBe('write | 10 | 11 | 30 | 3.00');
  expect(lines[writes + 2]).toBe('');
});

test('a place that asked for nothing gives no ratio', () => {
  const lines = showOverlayReport(REPORT);
  const flushes = lines.findIndex((line) => line.startsWith('flushes'));
  expect(lines[flushes + 1]?.trim().split(/ {2,}/)).toEqual(['write', '0', '0', '0']);
});

test('says how long changes took to be found', () => {
  expect(showOverlayReport(REPORT).at(-1)?.trim().split(/ {2,}/)).toEqual([
    'demo system',
    '12000',
    '49',
    '2.0 (1.0–3.0)',
  ]);
});
