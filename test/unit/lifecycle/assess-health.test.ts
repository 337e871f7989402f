// The rule by which a system works: probes in order, those that fail again, within tries and time. The clock is a number.

import { expect, test } from 'vitest';
import { assessHealth, describeFailure } from '../../../src/lifecycle/assess-health.ts';
import type { ProbeResult } from '../../../src/lifecycle/health-checks.ts';

const OK: ProbeResult = { ok: true, message: '' };
const bad = (message: string): ProbeResult => ({ ok: false, message });

/** Probes by name, each with its results in turn; the last one repeats. */
async function assess(
  probes: Record<string, ProbeResult[]>,
  { tries = 5, intervalSeconds = 30, deadline = 600_000, costMs = 0 } = {},
) {
  let now = 0;
  const calls: string[] = [];
  const told: string[] = [];
  const health = await assessHealth(
    Object.entries(probes).map(([name, results]) => ({
      name,
      run: async (remainingMs) => {
        calls.push(`${name}@${now / 1000}`);
        expect(remainingMs).toBe(deadline - now);
        now += costMs;
        return (results.length > 1 ? results.shift() : results[0]) ?? OK;
      },
    })),
    {
      settings: { tries, intervalSeconds },
      deadline,
      clock: {
        now: () => now,
        sleep: async (milliseconds) => {
          now += milliseconds;
        },
      },
      signal: new AbortController().signal,
      onFailure: ({ name, message }, again) => told.push(`${name}: ${message}${again ? ' again' : ''}`),
    },
  );
  return { ...health, calls, told };
}

test('what passes at once is asked once', async () => {
  const { outcome, calls, told } = await assess({ units: [OK], web: [OK] });
  expect({ outcome, calls, told }).toEqual({ outcome: 'ok', calls: ['units@0', 'web@0'], told: [] });
});

test('only what failed is tried again, and what passes late passes', async () => {
  const { outcome, calls, told, probes } = await assess({ units: [OK], web: [bad('no answer'), bad('no answer'), OK] });
  expect(outcome).toBe('ok');
  expect(calls).toEqual(['units@0', 'web@0', 'web@30', 'web@60']);
  expect(told).toEqual(['web: no answer again', 'web: no answer again']);
  expect(probes.find(({ name }) => name === 'web')).toEqual({ name: 'web', outcome: 'ok', message: '', tries: 3 });
});

test('after the last try it has failed, with its last words', async () => {
  const { outcome, calls, probes, told } = await assess(
    { web: [bad('first'), bad('second')], units: [OK] },
    { tries: 2 },
  );
  expect(outcome).toBe('failed');
  expect(calls).toEqual(['web@0', 'units@0', 'web@30']);
  expect(probes[0]).toMatchObject({ outcome: 'failed', message: 'second', tries: 2 });
  expect(told.at(-1)).toBe('web: second');
});

test('nothing is tried again when the time would be over by then', async () => {
  const { outcome, calls } = await assess({ web: [bad('no')] }, { deadline: 70_000 });
  expect({ outcome, calls }).toEqual({ outcome: 'failed', calls: ['web@0', 'web@30', 'web@60'] });
});

test('a probe whose turn comes after the bound is not run and has failed', async () => {
  const { outcome, calls, probes } = await assess({ slow: [OK], late: [OK] }, { costMs: 600_000 });
  expect({ outcome, calls }).toEqual({ outcome: 'failed', calls: ['slow@0'] });
  expect(probes[1]).toMatchObject({ name: 'late', message: 'there was no time left for it' });
});

test('without probes there is nothing that fails', async () => {
  expect((await assess({})).outcome).toBe('ok');
});

test.each([
  [
    [{ name: '/oem/health.d/web', message: 'its status was 1' }],
    'the check /oem/health.d/web failed (its status was 1)',
  ],
  [
    [
      { name: 'units', message: 'a.service failed' },
      { name: '/x', message: 'y' },
    ],
    'a.service failed, and 1 more',
  ],
])('%j is told as %s', (failed, sentence) => {
  const probes = failed.map((probe) => ({ ...probe, outcome: 'failed' as const, tries: 1 }));
  expect(describeFailure([{ name: 'fine', outcome: 'ok', message: '', tries: 1 }, ...probes])).toBe(sentence);
});
