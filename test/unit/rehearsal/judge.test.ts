// What a rehearsal proves, by what was seen of the new system, of the machine as it runs, and of the running system in a
// container.

import { describe, expect, test } from 'vitest';
import type { Observation } from '../../../src/rehearsal/container.ts';
import { judge } from '../../../src/rehearsal/judge.ts';
import type { Finding, Verdict } from '../../../src/rehearsal/verdict.ts';

const good: Verdict = {
  version: 1,
  startup: { name: 'startup', outcome: 'ok', message: '' },
  units: [],
  checks: [{ name: '/oem/health.d/web', outcome: 'ok', message: '' }],
  startupMs: 900,
  notices: [],
};
const failed = (name: string): Finding => ({ name, outcome: 'failed', message: 'it has failed' });
const seen = (change: Partial<Verdict> = {}): Observation => ({
  verdict: { ...good, ...change },
  problem: '',
  outputTail: '',
  notes: [],
  durationMs: 1000,
});
const silent: Observation = {
  problem: 'it said nothing within 600 seconds',
  outputTail: 'last words',
  notes: [],
  durationMs: 1,
};

describe('the verdict on a rehearsed system', () => {
  test('all is well', () => {
    expect(judge(seen(), [], undefined)).toEqual({ outcome: 'passed', failed: [], excused: [], well: 3 });
  });

  test('a unit that fails only in the new system counts', () => {
    const { outcome, failed: counted } = judge(seen({ units: [failed('web.service')] }), [], seen());
    expect([outcome, counted.map(({ name }) => name)]).toEqual(['failed', ['web.service']]);
  });

  test('a unit that has failed in this machine already is excused', () => {
    const { outcome, excused } = judge(seen({ units: [failed('web.service')] }), ['web.service'], undefined);
    expect([outcome, excused[0]?.why]).toEqual(['passed', 'it has failed in this machine as it runs now']);
  });

  test('what fails in the running system too, in a container, is excused; the rest is not', () => {
    const system = seen({ units: [failed('raid.service'), failed('web.service')] });
    const { outcome, failed: counted, excused } = judge(system, [], seen({ units: [failed('raid.service')] }));
    expect([outcome, counted.map(({ name }) => name), excused.map(({ name }) => name)]).toEqual([
      'failed',
      ['web.service'],
      ['raid.service'],
    ]);
  });

  test('a health check that fails counts', () => {
    const { outcome } = judge(seen({ checks: [failed('/oem/health.d/web')] }), [], seen());
    expect(outcome).toBe('failed');
  });

  test('a system that says nothing doesn’t work, with its last words', () => {
    const { outcome, failed: counted } = judge(silent, [], seen());
    expect([outcome, counted]).toEqual([
      'failed',
      [
        {
          name: 'startup',
          outcome: 'failed',
          message: 'it said nothing within 600 seconds',
          outputTail: 'last words',
        },
      ],
    ]);
  });

  test('when neither comes up in a container, nothing is proved', () => {
    expect(judge(silent, [], silent).outcome).toBe('unclear');
  });
});
