// A sample of `npm run test:crash`: the power is cut at 60 instants of install, upgrade, and four of the other commands,
// which four changes with the day. What is on the disk then is looked at as GRUB reads it and as Linux mounts it. Three to
// four minutes.

import { expect, test } from 'vitest';
import { crashTest } from '../../lab/crash/crash-test.ts';
import { randomNumbers } from '../../lab/crash/cut-points.ts';
import { TESTED } from '../../lab/crash/scenarios.ts';
import { formatFailures, formatTable } from '../../lab/crash/table.ts';

/** Every other recording starts from theirs. */
const ALWAYS = ['install', 'upgrade'];
const OTHERS = 4;

test('a machine survives a power cut at any instant of a command', async () => {
  // What fails is repeated with the printed seed.
  const seed = Number(process.env['HOLDFAST_CRASH_SEED'] ?? 1);
  const random = randomNumbers(seed);
  const others = TESTED.filter(({ name }) => !ALWAYS.includes(name))
    .map((scenario) => ({ scenario, at: random() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, OTHERS)
    .map(({ scenario }) => scenario.name);
  const scenarios = TESTED.filter(({ name }) => ALWAYS.includes(name) || others.includes(name));
  const lines: string[] = [];
  const result = await crashTest({ scenarios, states: 60, seed, again: 3, boots: 2, log: (line) => lines.push(line) });
  console.log(`seed ${seed}, ${result.seconds.toFixed(0)} s\n${formatTable(result.rows)}`);
  expect(formatFailures(result.failures), lines.join('\n')).toEqual([]);
  const sum = (count: (row: (typeof result.rows)[number]) => number) =>
    result.rows.reduce((total, row) => total + count(row), 0);
  expect(result.rows.map(({ name }) => name)).toEqual(scenarios.map(({ name }) => name));
  expect(sum(({ states }) => states)).toBeGreaterThanOrEqual(55);
  expect(sum(({ bootable }) => bootable)).toBeGreaterThan(45);
  expect([sum(({ again }) => again), sum(({ booted }) => booted)]).toEqual([3, 2]);
});
