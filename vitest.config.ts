import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { guestsAtOnce } from './lab/machine/guests.ts';
import LongestFirst from './test/run/longest-first.ts';

const guests = guestsAtOnce();
const workers = Math.min(2, availableParallelism());

// Four suites: `unit` needs nothing, `system` needs root and loop devices, `vm` boots machines, two at a time (docs/lab.md),
// `crash` cuts their power. They run in this order, so that what is cheap fails first.
export default defineConfig({
  test: {
    reporters: ['default', './test/run/failures-reporter.ts', './test/run/times-reporter.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['test/unit/**/*.test.ts'],
          maxWorkers: workers,
          // Five seconds are too few for a property on a host that does other things as well.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'system',
          sequence: { groupOrder: 1 },
          include: ['test/system/**/*.test.ts'],
          setupFiles: ['test/run/take-turns.ts'],
          maxWorkers: workers,
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'vm',
          sequence: { groupOrder: 2 },
          include: ['test/vm/**/*.test.ts'],
          maxWorkers: guests,
          env: { HOLDFAST_GUEST_CPUS: guests > 1 ? '1' : '2' },
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
      {
        test: {
          name: 'crash',
          sequence: { groupOrder: 3 },
          include: ['test/crash/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 1_800_000,
          hookTimeout: 1_800_000,
        },
      },
    ],
  },
});
