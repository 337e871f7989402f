// Rollouts whose outcome can be worked out by hand, and what holds for every one: no machine appears or vanishes, and the same seed gives
// the same rollout.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SharedLink } from '../../../../bench/fleet/link.ts';
import { EventQueue } from '../../../../bench/fleet/queue.ts';
import { seededRandom } from '../../../../bench/fleet/random.ts';
import { simulateRollout } from '../../../../bench/fleet/rollout.ts';
import type { RolloutOptions } from '../../../../bench/fleet/rollout-options.ts';
import { USUAL } from '../../../../bench/fleet/scenarios.ts';

/** Nothing goes wrong, and the registry's line is wide. */
const QUIET: RolloutOptions = {
  ...USUAL,
  machines: 100,
  concurrency: 10,
  powerCutChance: 0,
  podKilledChance: 0,
  bytesPerMachine: 100,
  machineBytesPerSecond: 10,
  registryBytesPerSecond: 1e9,
  buildSeconds: 20,
  restartSeconds: 30,
  trialSeconds: 40,
};
const ONE = 10 + 20 + 30 + 40;

describe('by hand', () => {
  test('as many at a time as there are turns, one after the other', () => {
    const result = simulateRollout(QUIET);
    expect(result).toMatchObject({ upgraded: 100, onFallback: 0, untouched: 0, lost: 0, stopped: false });
    expect(result.seconds).toBeCloseTo(10 * ONE);
    expect(result.registryBytes).toBeCloseTo(100 * 100);
  });

  test('clusters work beside each other', () => {
    expect(simulateRollout({ ...QUIET, clusters: 5 }).seconds).toBeCloseTo(2 * ONE);
  });

  test('waves follow each other, with a pause between', () => {
    const { seconds } = simulateRollout({ ...QUIET, waves: [0.1, 1], soakSeconds: 1000 });
    expect(seconds).toBeCloseTo(ONE + 1000 + 9 * ONE);
  });

  test('a registry whose line all share', () => {
    const { seconds } = simulateRollout({ ...QUIET, machines: 10, registryBytesPerSecond: 10 });
    expect(seconds).toBeCloseTo(100 - 10 + ONE);
  });

  test('with a cache in each place, the registry is asked once for each', () => {
    expect(simulateRollout({ ...QUIET, sites: 4 }).registryBytes).toBeCloseTo(4 * 100);
  });

  test('a window: what hasn’t begun when it closes begins the next day', () => {
    const hour = { ...QUIET, machines: 2, concurrency: 1, buildSeconds: 3600, deadlineSeconds: 1e6 };
    const { seconds } = simulateRollout({ ...hour, window: [1, 2] });
    expect(seconds).toBeCloseTo(86_400 + 3600 + 3600 + ONE - 20);
  });

  test('a deadline that a download can’t meet costs one more job', () => {
    const result = simulateRollout({ ...QUIET, machines: 1, deadlineSeconds: 25, retrySeconds: 500 });
    expect(result).toMatchObject({ missedDeadlines: 1, upgraded: 1 });
    expect(result.seconds).toBeCloseTo(ONE + 500);
  });
});

describe('an image that doesn’t work', () => {
  test.each(['panics', 'unhealthy'] as const)('that %s: as many nodes as have a turn get it, no other one', (image) => {
    expect(simulateRollout({ ...QUIET, image })).toMatchObject({
      upgraded: 0,
      onFallback: 10,
      untouched: 90,
      lost: 0,
      stopped: true,
    });
  });

  test('stays in the first wave', () => {
    const options: RolloutOptions = { ...QUIET, concurrency: 50, image: 'unhealthy' };
    expect(simulateRollout(options)).toMatchObject({ onFallback: 50 });
    expect(simulateRollout({ ...options, waves: [0.05, 1] })).toMatchObject({ onFallback: 5, untouched: 95 });
  });

  test('the rule that stops ends a rollout although turns are left', () => {
    const rough: RolloutOptions = { ...QUIET, machines: 1000, powerCutChance: 0.5 };
    expect(simulateRollout(rough)).toMatchObject({ upgraded: 1000, stopped: false });
    const strict = simulateRollout({ ...rough, toleratedShare: 0 });
    expect(strict.stopped).toBe(true);
    expect(strict.untouched).toBeGreaterThan(900);
  });
});

describe('power cuts', () => {
  test('the swap loses no machine, whatever the seed; writing in place does', () => {
    for (let seed = 0; seed < 20; seed++) {
      const rough = { ...QUIET, machines: 200, powerCutChance: 0.5, seed };
      expect(simulateRollout(rough)).toMatchObject({ lost: 0, upgraded: 200 });
      expect(simulateRollout({ ...rough, image: 'panics' })).toMatchObject({ lost: 0, upgraded: 0 });
      expect(simulateRollout({ ...rough, way: 'in-place' }).lost).toBeGreaterThan(0);
    }
  });
});

const anyOptions: fc.Arbitrary<RolloutOptions> = fc
  .record({
    machines: fc.integer({ min: 1, max: 300 }),
    clusters: fc.integer({ min: 1, max: 4 }),
    concurrency: fc.integer({ min: 1, max: 20 }),
    way: fc.constantFrom('swap' as const, 'swap-without-trial' as const, 'in-place' as const),
    image: fc.constantFrom('good' as const, 'panics' as const, 'unhealthy' as const),
    waves: fc.constantFrom([1], [0.1, 1], [0.01, 0.1, 1]),
    toleratedShare: fc.constantFrom(0, 0.1, 1),
    sites: fc.integer({ min: 0, max: 5 }),
    powerCutChance: fc.constantFrom(0, 0.1, 0.5),
    podKilledChance: fc.constantFrom(0, 0.5),
    hardwareChance: fc.constantFrom(0, 0.1),
    seed: fc.integer({ min: 0, max: 1e6 }),
  })
  .map((changes) => ({ ...USUAL, ...changes }));

describe('for every rollout', () => {
  test('no machine appears or vanishes, and the swap loses none', () => {
    fc.assert(
      fc.property(anyOptions, (options) => {
        const { upgraded, onFallback, untouched, lost, hardware } = simulateRollout(options);
        expect(upgraded + onFallback + untouched + lost + hardware).toBe(options.machines);
        if (options.way === 'swap') expect(lost).toBe(0);
        if (options.image !== 'good') expect(upgraded).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test('the same seed gives the same one, and what travels is at least one image for each that was upgraded', () => {
    fc.assert(
      fc.property(anyOptions, (options) => {
        const result = simulateRollout(options);
        expect(simulateRollout(options)).toEqual(result);
        if (options.sites === 0) {
          expect(result.registryBytes).toBeGreaterThanOrEqual(result.upgraded * options.bytesPerMachine * 0.999);
        }
      }),
      { numRuns: 100 },
    );
  });
});

test('another seed gives another one', () => {
  const seconds = [1, 2, 3, 4].map((seed) => simulateRollout({ ...QUIET, powerCutChance: 0.5, seed }).seconds);
  expect(new Set(seconds).size).toBeGreaterThan(1);
});

test('events come by their time, and of the same time in the order in which they were put in', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (times) => {
      const queue = new EventQueue<number>();
      for (const [index, at] of times.entries()) queue.push(at, index);
      const out: { at: number; value: number }[] = [];
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) out.push({ at: next.at, value: next.value });
      const sorted = times.map((at, value) => ({ at, value })).sort((a, b) => a.at - b.at || a.value - b.value);
      expect(out).toEqual(sorted);
    }),
  );
});

test('downloads share a line: two of the same size that begin together end together, a later one has what is left', () => {
  const link = new SharedLink<string>(100, 80);
  link.begin(0, 100, 'a');
  link.begin(0, 100, 'b');
  // 50 each a second.
  expect(link.nextAt).toBeCloseTo(2);
  link.begin(1, 20, 'c');
  // 33.3 each: c ends after 0.6 s.
  expect(link.end()).toMatchObject({ value: 'c', at: expect.closeTo(1.6) });
  expect(link.end()?.at).toBeCloseTo(1.6 + 30 / 50);
  expect(link.end()?.at).toBeCloseTo(2.2);
  expect(link.totalBytes).toBeCloseTo(220);
});

test('chance is even, and every seed has its own', () => {
  const random = seededRandom(7);
  const draws = Array.from({ length: 100_000 }, () => random.next());
  for (let tenth = 0; tenth < 10; tenth++) {
    const share = draws.filter((value) => Math.floor(value * 10) === tenth).length / draws.length;
    expect(share).toBeGreaterThan(0.095);
    expect(share).toBeLessThan(0.105);
  }
  expect(seededRandom(1).next()).not.toBe(seededRandom(2).next());
});
