// What a rollback decides to do: which slot runs × what is on the disk → the actions. One sound machine; each case changes
// some facts.

import { describe, expect, test } from 'vitest';
import { nextBoot, overridesOf, slotOfEntry } from '../../../src/lifecycle/boot-choice.ts';
import { planRollback, type RollbackFacts } from '../../../src/lifecycle/rollback.ts';
import type { Deployment } from '../../../src/slots/state-file.ts';

const record = (uuid: string, fromAction: Deployment['fromAction'] = 'install'): Deployment => ({
  source: `docker:${uuid}`,
  layers: [],
  uuid,
  date: '2026-11-20T10:00:00Z',
  fromAction,
  verified: 'digests',
});

const facts: RollbackFacts = {
  booted: { slot: 'active', uuid: 'a', replaced: false },
  stateDevice: '/dev/vda4',
  installed: { active: record('a', 'upgrade'), passive: record('p') },
  activeUuid: 'a',
  passiveUuid: 'p',
  outgoingUuid: undefined,
  passive: { prettyName: 'Demo 1', rootByImageLabel: false },
  obstacle: undefined,
  activeByImageLabel: false,
  overrides: [],
};
const kinds = (changes: Partial<RollbackFacts>) =>
  planRollback({ ...facts, ...changes }).actions.map(({ kind }) => kind);

const SWAP = [
  'open-state',
  'remove-leftovers',
  'build-from-passive',
  'activate',
  'outgoing-to-passive',
  'write-records',
  'remove-outgoing',
  'note-result',
];
const ONE_WAY = SWAP.filter((kind) => kind !== 'outgoing-to-passive');
const SECOND_HALF = SWAP.filter((kind) => kind !== 'build-from-passive' && kind !== 'activate');
const booted = (slot: RollbackFacts['booted']['slot'], uuid: string | undefined, replaced = false) => ({
  booted: { slot, uuid, replaced },
});

test.each<[string, Partial<RollbackFacts>, string[]]>([
  ['from active: the two change places', {}, SWAP],
  ['from passive: passive stays', booted('passive', 'p'), ONE_WAY],
  ['from recovery: passive stays', booted('recovery', 'r'), ONE_WAY],
  ['from live media: passive stays', booted(undefined, undefined), ONE_WAY],
  ['from passive, without an active file', { ...booted('passive', 'p'), activeUuid: undefined }, ONE_WAY],
  ['from active, replaced by an upgrade: the new system has not proved itself', booted('active', 'p', true), ONE_WAY],
  [
    'from active, replaced by a rollback: it is undone',
    { ...booted('active', 'p', true), installed: { active: record('a', 'rollback'), passive: record('p') } },
    SWAP,
  ],
  [
    'from passive, both slots the same: a damaged active is made anew',
    { ...booted('passive', 'p'), activeUuid: 'p' },
    ONE_WAY,
  ],
  ['from active, both the same: nothing to do', { activeUuid: 'p', ...booted('active', 'p') }, []],
  [
    'cut off between the halves: the second half',
    { ...booted('active', 'p'), activeUuid: 'p', outgoingUuid: 'a' },
    SECOND_HALF,
  ],
  ['cut off before its first half: all of it', { outgoingUuid: 'a' }, SWAP],
])('%s', (_, changes, expected) => {
  expect(kinds(changes)).toEqual(expected);
});

test('the running file keeps a name, and what was active the one that the second half needs', () => {
  const { actions } = planRollback(facts);
  expect(actions.find(({ kind }) => kind === 'activate')).toMatchObject({ keepRunning: true, keepOutgoing: true });
  const fromPassive = planRollback({ ...facts, ...booted('passive', 'p') }).actions;
  expect(fromPassive.find(({ kind }) => kind === 'activate')).toMatchObject({
    keepRunning: false,
    keepOutgoing: false,
  });
});

test('systems that find their root by its label get files with labels of their own', () => {
  const { actions } = planRollback({
    ...facts,
    passive: { prettyName: 'cOS', rootByImageLabel: true },
    activeByImageLabel: true,
  });
  expect(actions.filter((action) => 'mode' in action && action.mode === 'copy').map(({ kind }) => kind)).toEqual([
    'build-from-passive',
    'outgoing-to-passive',
  ]);
});

test.each([
  [{ passiveUuid: undefined, passive: undefined }, 'cOS/passive.img is missing'],
  [{ passive: undefined, obstacle: 'it lacks /boot/vmlinuz' }, 'it lacks /boot/vmlinuz'],
])('without a passive system that boots it is refused', (changes, why) => {
  expect(() => kinds(changes)).toThrow(`there is no passive system to go back to: ${why}`);
});

test('variables that would boot something else are cleared, and said', () => {
  const overrides = [{ name: 'saved_entry' as const, value: 'fallback', block: 'owner' as const }];
  const action = planRollback({ ...facts, overrides }).actions.find(({ kind }) => kind === 'clear-overrides');
  expect(action).toMatchObject({ overrides, summary: expect.stringContaining('saved_entry=fallback') });
});

describe('what boots next', () => {
  const variables = (owner: Record<string, string>, tool = {}, assessment = {}) => ({
    owner: new Map(Object.entries(owner)),
    tool: new Map(Object.entries<string>(tool)),
    assessment: new Map(Object.entries<string>(assessment)),
  });

  test.each([
    ['nothing is set', variables({}), { slot: 'active', why: 'first entry' }],
    ['saved_entry', variables({ saved_entry: 'fallback' }), { slot: 'passive', why: 'saved_entry' }],
    ['saved_entry as a number', variables({ saved_entry: '2' }), { slot: 'recovery', why: 'saved_entry' }],
    [
      'next_entry before saved_entry',
      variables({ next_entry: 'recovery', saved_entry: 'fallback' }),
      { slot: 'recovery', why: 'next_entry' },
    ],
    [
      'the administrator’s block before the tool’s',
      variables({ saved_entry: 'recovery' }, { saved_entry: 'fallback' }),
      { slot: 'recovery', why: 'saved_entry' },
    ],
    ['what the initramfs noted', variables({}, { next_entry: 'fallback' }), { slot: 'passive', why: 'next_entry' }],
    [
      'a system that failed its trial',
      variables({}, {}, { boot_assessment_failed: 'a' }),
      { slot: 'passive', why: 'boot assessment' },
    ],
    [
      'a trial of another system',
      variables({}, {}, { boot_assessment_failed: 'other' }),
      { slot: 'active', why: 'first entry' },
    ],
    [
      'an entry of the administrator’s own',
      variables({ saved_entry: 'memtest' }),
      { slot: undefined, entry: 'memtest' },
    ],
  ])('%s', (_, given, expected) => {
    expect(nextBoot(given, 'a')).toMatchObject(expected);
  });

  test('what keeps active from being booted is found in both blocks', () => {
    const given = variables({ saved_entry: 'cos', next_entry: 'recovery' }, { saved_entry: '1' });
    expect(overridesOf(given)).toEqual([
      { name: 'next_entry', value: 'recovery', block: 'owner' },
      { name: 'saved_entry', value: '1', block: 'tool' },
    ]);
    expect(['cos', '0', 'fallback', 'x'].map(slotOfEntry)).toEqual(['active', 'active', 'passive', undefined]);
  });
});
