// Records follow the content of slot files, in whichever copy and under whichever name they are.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { identifySlots } from '../../../src/slots/identify.ts';
import type { Deployment, InstallationState } from '../../../src/slots/state-file.ts';

const record = (uuid: string, source = uuid): Deployment => ({
  source,
  layers: [],
  uuid,
  date: '2026-11-20T10:00:00Z',
  fromAction: 'install',
  verified: 'digests',
});
const sound: InstallationState = { active: record('a'), passive: record('p'), recovery: record('r') };
const ids = { active: 'a', passive: 'p', recovery: 'r' };

test('a sound file is left as it is', () => {
  expect(identifySlots(ids, [sound])).toEqual({ state: sound, repaired: [] });
});

test.each<[string, Parameters<typeof identifySlots>[0], InstallationState[], InstallationState, string[]]>([
  [
    'swapped files',
    { active: 'p', passive: 'a', recovery: 'r' },
    [sound],
    { active: record('p'), passive: record('a'), recovery: record('r') },
    ['active', 'passive'],
  ],
  [
    'a file that is gone',
    { active: 'a', passive: null, recovery: 'r' },
    [sound],
    { active: record('a'), recovery: record('r') },
    ['passive'],
  ],
  ['a partition that can’t be looked at', { active: 'a', passive: 'p' }, [sound], sound, []],
  [
    'the note of a switch whose records were cut off',
    { active: 'n', passive: 'a', recovery: 'r' },
    [{ ...sound, transition: record('n') }],
    { active: record('n'), passive: record('a'), recovery: record('r') },
    ['active', 'passive'],
  ],
  ['the other copy', ids, [{}, sound], sound, ['active', 'passive', 'recovery']],
  [
    'elemental’s entries, which have no UUIDs',
    { active: 'a' },
    [{ active: record('', 'docker:x') }],
    { active: record('a', 'docker:x') },
    [],
  ],
])('%s', (_, found, copies, state, repaired) => {
  expect(identifySlots(found, copies)).toEqual({ state, repaired });
});

test('a file that nobody knows has a record that says so', () => {
  expect(identifySlots({ active: 'new' }, [sound]).state.active).toMatchObject({ uuid: 'new', source: 'unknown' });
});

test('whatever the copies say, a record has the UUID of the file that is there', () => {
  const uuid = fc.constantFrom('a', 'b', 'c', 'd');
  const state = fc.record(
    {
      active: uuid.map((id) => record(id)),
      passive: uuid.map((id) => record(id)),
      transition: uuid.map((id) => record(id)),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(uuid, uuid, fc.array(state, { maxLength: 2 }), (active, passive, copies) => {
      const { state: found } = identifySlots({ active, passive }, copies);
      expect([found.active?.uuid, found.passive?.uuid]).toEqual([active, passive]);
      const known = copies.flatMap((copy) => Object.values(copy)).some((each) => each?.uuid === active);
      expect(found.active?.source === 'unknown').toBe(!known);
    }),
  );
});
