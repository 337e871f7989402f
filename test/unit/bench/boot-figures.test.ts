// What a booted system says about its boot, read into figures: a real answer of the demo system, cut to a few units.

import { describe, expect, test } from 'vitest';
import { readBootFigures } from '../../../bench/boot/boot-figures.ts';
import { figureOf, showFigure } from '../../../bench/figures.ts';

const STARTING = '7d4958e842da4a758f6c1cdc7b36dcc5';
const STARTED = '39f53479d3a045ac8e11786248231fbf';

function journal(unit: string, id: string, at: number): string {
  return JSON.stringify({ __MONOTONIC_TIMESTAMP: String(at), UNIT: unit, MESSAGE_ID: id });
}

const ANSWER = [
  'running',
  'UserspaceTimestampMonotonic=10630000',
  'FinishTimestampMonotonic=18083000',
  'InitRDTimestampMonotonic=2765000',
  'Buffers:            8180 kB',
  'Cached:           193868 kB',
  'AnonPages:         11316 kB',
  'Shmem:              6156 kB',
  'Slab:              30888 kB',
  'KernelStack:        1200 kB',
  'PageTables:          636 kB',
  'VmallocUsed:       11344 kB',
  'Percpu:              388 kB',
  ' 254       0 vda 3309 4 261831 1380 12 4 4183 40 0 1284 1439 0 0 0 0 8 17',
  journal('systemd-journald.service', STARTING, 3_000_000),
  journal('systemd-journald.service', STARTED, 3_400_000),
  journal('sysroot.mount', STARTING, 8_148_000),
  journal('sysroot.mount', STARTED, 8_218_000),
  // Once more in the running system.
  journal('systemd-journald.service', STARTING, 12_000_000),
  journal('systemd-journald.service', STARTED, 14_000_000),
  journal('never-starting.service', STARTED, 14_000_000),
  '',
];

describe('what a booted system says', () => {
  test('becomes seconds and megabytes', () => {
    const figures = readBootFigures(ANSWER.join('\n'));
    expect(figures).toMatchObject({
      kernelSeconds: expect.closeTo(2.765),
      initrdSeconds: expect.closeTo(7.865),
      userspaceSeconds: expect.closeTo(7.453),
      bootSeconds: expect.closeTo(15.318),
      memoryMb: expect.closeTo(63.414, 2),
      cacheMb: expect.closeTo(206.897, 2),
      reads: 3309,
      readMb: expect.closeTo(134.057, 2),
    });
    expect(figures.units).toEqual({
      'systemd-journald.service': expect.closeTo(0.4),
      'sysroot.mount': expect.closeTo(0.07),
    });
  });

  test('is refused when a unit has failed, since such a boot may be shorter', () => {
    const degraded = ['degraded', 'failed=ssh.service loaded failed failed OpenSSH', ...ANSWER.slice(1)].join('\n');
    expect(() => readBootFigures(degraded)).toThrow(/degraded: failed=ssh\.service/);
  });

  test('is refused when a figure is missing', () => {
    const lines = ANSWER.filter((line) => !line.startsWith('Percpu'));
    expect(() => readBootFigures(lines.join('\n'))).toThrow(/Percpu/);
  });
});

describe('a figure', () => {
  test.each([
    [[3], '3.0'],
    [[1, 9, 2], '2.0 (1.0–9.0)'],
    [[4, 1, 2, 9], '3.0 (1.0–9.0)'],
    [[2, 2], '2.0'],
  ])('of %j is %s', (values, text) => {
    expect(showFigure(figureOf(values))).toBe(text);
  });

  test('of nothing is an error', () => {
    expect(() => figureOf([])).toThrow(RangeError);
  });
});
