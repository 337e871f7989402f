// The entry of an action, from what its listeners are told: how it ended, what it warned of, its parts and how long they took.

import { expect, test } from 'vitest';
import { refuseCarry } from '../../../src/lifecycle/overlay-exit.ts';
import { refusePackages } from '../../../src/owner/choice.ts';
import { ActionRecord, isRecorded, outcomeOf } from '../../../src/record/action-record.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import type { Event } from '../../../src/system/events.ts';

const EVENTS: Event[] = [
  {
    type: 'plan-start',
    title: 'Upgrade to v2',
    actions: [
      { kind: 'unpack', summary: '' },
      { kind: 'activate', summary: '' },
    ],
  },
  { type: 'action-progress', index: 0, done: 5, unit: 'bytes' },
  { type: 'action-progress', index: 0, done: 7, total: 7, unit: 'bytes' },
  { type: 'action-end', index: 0, outcome: 'ok', durationMs: 12.4 },
  { type: 'part-end', kind: 'hook', name: 'after-upgrade', outcome: 'ok', durationMs: 3.2, warnings: ['w'] },
  { type: 'action-progress', index: 1, done: 7, unit: 'files' },
  { type: 'action-end', index: 1, outcome: 'ok', durationMs: 1 },
];
const begun = (events: readonly Event[] = EVENTS) => {
  const record = new ActionRecord('upgrade', { command: 'holdfast upgrade v2' });
  for (const event of events) record.observe(event);
  return record;
};

test('what only looks is not under way; a plan is', () => {
  expect(begun([{ type: 'notice', level: 'warning', text: 'w' }]).isUnderWay).toBe(false);
  expect(begun().isUnderWay).toBe(true);
});

test('while it runs it says so; at its end what it did, how long that took, and its parts', () => {
  const record = begun();
  expect(record.entries[0]).toMatchObject({ id: record.id, outcome: 'running', message: 'Upgrade to v2' });
  record.describe({ slot: { name: 'active', digest: 'sha256:1' } });
  record.succeed();
  expect(record.entries).toMatchObject([
    {
      kind: 'action',
      name: 'upgrade',
      outcome: 'ok',
      slot: { name: 'active' },
      durations: [
        { action: 'unpack', durationMs: 12, bytes: 7 },
        { action: 'activate', durationMs: 1 },
      ],
    },
    {
      kind: 'hook',
      name: 'after-upgrade',
      parent: record.id,
      outcome: 'ok-with-warnings',
      durationMs: 3,
      warnings: ['w'],
    },
  ]);
  expect(record.entries[0]?.durations?.[1]).toEqual({ action: 'activate', durationMs: 1 });
});

test('a warning after the end still counts', () => {
  const record = begun();
  record.succeed();
  record.observe({ type: 'notice', level: 'warning', text: 'cleaning up: busy' });
  expect(record.entries[0]).toMatchObject({ outcome: 'ok-with-warnings', warnings: ['cleaning up: busy'] });
});

test('what was said to have ended otherwise stays so', () => {
  const record = begun([]);
  record.skip('it is there already');
  record.succeed();
  expect(record.entries[0]).toMatchObject({ outcome: 'skipped', message: 'it is there already' });
  const trial = begun([]);
  trial.conclude('failed', 'sshd did not start');
  trial.succeed();
  expect(trial.entries[0]).toMatchObject({ outcome: 'failed', message: 'sshd did not start' });
});

test('an error is kept with its code and its output, and known as recorded', () => {
  const error = new HoldfastError('HF-HOOK', 'hook x failed', { exitStatus: 39, outputTail: 'E: no' });
  const record = begun();
  expect(isRecorded(error)).toBe(false);
  record.fail(error);
  expect(isRecorded(error)).toBe(true);
  expect(record.entries[0]).toMatchObject({
    outcome: 'refused',
    error: { code: 'HF-HOOK', message: 'hook x failed', exitStatus: 39, outputTail: 'E: no' },
  });
});

test.each([
  [new HoldfastError('HF-TRUST', ''), 'refused'],
  [new HoldfastError('HF-NO-SPACE', ''), 'refused'],
  [new HoldfastError('HF-PLAN', ''), 'refused'],
  [new HoldfastError('HF-DEPLOY', 'a damaged file system'), 'failed'],
  [refusePackages([]), 'refused'],
  [refuseCarry('unhealthy', 'an overlay', 'hint'), 'refused'],
  [new HoldfastError('HF-NETWORK', ''), 'failed'],
  [new HoldfastError('HF-IO', ''), 'failed'],
  [new HoldfastError('HF-INTERRUPTED', ''), 'interrupted'],
  [new TypeError('a bug'), 'failed'],
  ['a word', 'failed'],
])('%s is %s', (error, outcome) => {
  expect(outcomeOf(error)).toBe(outcome);
});
