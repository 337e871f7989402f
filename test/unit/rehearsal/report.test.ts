// What is said of a rehearsal: in each outcome what comes next, and always what was not tried.

import { describe, expect, test } from 'vitest';
import type { PlannedRecord } from '../../../src/lifecycle/planned-record.ts';
import type { RehearsalResult } from '../../../src/rehearsal/rehearse.ts';
import { planRehearsal } from '../../../src/rehearsal/rehearse.ts';
import { rehearsalJson, rehearsalLines } from '../../../src/rehearsal/report.ts';

const record: PlannedRecord = {
  version: 1,
  id: '5f0c2a9be417',
  created: '2026-11-20T10:00:00.000Z',
  name: 'OS 2',
  deployment: {
    source: 'docker:registry.example/os:v2',
    layers: [],
    uuid: 'u',
    date: '2026-11-20T10:00:00.000Z',
    fromAction: 'upgrade',
    verified: 'digests of all layers',
  },
  request: { strictness: 'chroot', assess: true, allowDowngrade: false, overlay: 'carry', takes: [] },
  slot: { uuid: 'u', sizeBytes: 1, digest: 'a'.repeat(64) },
  inputs: { running: null, active: null, passive: null, files: {} },
  details: 'b'.repeat(64),
  heldBytes: 0,
  overlay: null,
};
const passed: RehearsalResult = {
  outcome: 'passed',
  failed: [],
  excused: [],
  well: 3,
  record,
  observation: {
    verdict: {
      version: 1,
      startup: { name: 'startup', outcome: 'ok', message: '' },
      units: [],
      checks: [{ name: '/oem/health.d/web', outcome: 'ok', message: '' }],
      startupMs: 9400,
      notices: [],
    },
    problem: '',
    outputTail: '',
    notes: [],
    durationMs: 10_000,
  },
  compared: false,
  warnings: [],
  durationMs: 11_000,
};

describe('the report of a rehearsal', () => {
  test('of a system that works', () => {
    expect(rehearsalLines(passed)).toEqual([
      'OS 2 works, as far as a rehearsal can tell.',
      '  started    in 9.4 s, in a container',
      '  checks     1 of 1 passed',
      '  not tried  kernel, initramfs, boot loader, hardware, network: the first boot is a trial of those',
      '  plan       5f0c2a9be417 is kept; this machine was not touched',
      '  next       holdfast upgrade --apply 5f0c2a9be417',
    ]);
  });

  test('of one that does not: what failed, its last words, what was compared', () => {
    const web = {
      name: 'web.service',
      outcome: 'failed' as const,
      message: 'it has failed',
      outputTail: 'port in use',
    };
    const lines = rehearsalLines({
      ...passed,
      outcome: 'failed',
      failed: [web],
      excused: [{ ...web, name: 'raid.service', why: 'in a container it fails in the running system, too' }],
      compared: true,
    });
    expect(lines.slice(0, 7)).toEqual([
      'OS 2 does not work.',
      '  started    in 9.4 s, in a container',
      '  FAILED     web.service: it has failed',
      '             | port in use',
      '  excused    raid.service: it has failed',
      '             | port in use',
      '             in a container it fails in the running system, too',
    ]);
    expect(lines).toContain('  compared   the running system was started in the same way');
    expect(lines.at(-1)).toBe('  next       mend it, or drop the plan: holdfast upgrade --discard-plan');
  });

  test('of one that said nothing, without times that nobody measured', () => {
    const { verdict: _, ...silent } = passed.observation;
    const result = { ...passed, outcome: 'unclear' as const, observation: { ...silent, problem: 'it said nothing' } };
    expect(rehearsalLines(result).some((line) => line.includes('started'))).toBe(false);
    expect(rehearsalJson(result)).toMatchObject({ outcome: 'unclear', startupMs: null, checks: [] });
  });

  test('as data', () => {
    expect(rehearsalJson(passed)).toMatchObject({
      outcome: 'passed',
      way: 'container',
      plan: '5f0c2a9be417',
      system: 'OS 2',
      well: 3,
      startupMs: 9400,
      notTried: ['kernel', 'initramfs', 'boot loader', 'hardware', 'network'],
    });
  });
});

test('the running system is started only where there is one', () => {
  const kinds = (running: string | undefined) =>
    planRehearsal('/dev/vda4', { name: 'OS 2', running }).actions.map(({ kind }) => kind);
  expect(kinds('cOS/active.img')).toEqual(['open-state', 'copy-system', 'boot-system', 'boot-running', 'drop-copy']);
  expect(kinds(undefined)).toEqual(['open-state', 'copy-system', 'boot-system', 'drop-copy']);
});
