// Where a new recovery system is built, and what its upgrade does: kind × room × slot that runs → the actions.

import { expect, test } from 'vitest';
import type { Image } from '../../../src/image/image.ts';
import {
  placeRecovery,
  planRecovery,
  type RecoveryFacts,
  type RecoveryRequest,
} from '../../../src/lifecycle/upgrade-recovery.ts';

const MIB = 2 ** 20;
const V2 = `sha256:${'2'.repeat(64)}`;
const facts: RecoveryFacts = {
  booted: { slot: 'active', uuid: 'a', replaced: false },
  stateDevice: '/dev/vda4',
  recoveryDevice: '/dev/vda3',
  found: 'image',
  deployment: undefined,
  recoveryId: 'r',
  base: undefined,
  image: { digest: V2, source: 'docker:x', layers: 2 },
  measured: { contentBytes: 500 * MIB, entries: 1000, compressedBytes: 200 * MIB },
  freeBytes: { state: 4000 * MIB, recovery: 3000 * MIB },
};
const request: RecoveryRequest = { image: {} as Image, strictness: 'chroot', force: false };
const kinds = (changes: Partial<RecoveryFacts> = {}, asked: Partial<RecoveryRequest> = {}) =>
  planRecovery({ ...request, ...asked }, { ...facts, ...changes }).actions.map((action) =>
    action.kind === 'run-hook' ? action.hook : action.kind,
  );

const IMAGE = [
  'open-state',
  'open-recovery',
  'remove-leftovers',
  'before-upgrade',
  'create-transition',
  'unpack',
  'after-upgrade-chroot',
  'finish-transition',
  'after-upgrade',
  'activate-recovery',
  'write-records',
  'remove-fetched',
  'post-upgrade',
  'note-result',
];
const before = (kind: string, added: string) => IMAGE.flatMap((each) => (each === kind ? [added, each] : [each]));

test('an image is built where it will be, a squashfs is packed there', () => {
  expect(kinds()).toEqual(IMAGE);
  expect(kinds({ found: 'squashfs' })).toEqual(before('activate-recovery', 'make-squashfs'));
  expect(kinds({}, { kind: 'squashfs' })).toEqual(before('activate-recovery', 'make-squashfs'));
  expect(kinds({ found: undefined })).toEqual(IMAGE);
});

test('without room for two it is built on the state partition', () => {
  expect(kinds({ freeBytes: { state: 4000 * MIB, recovery: 700 * MIB } })).toEqual(
    before('activate-recovery', 'copy-to-recovery'),
  );
});

test('the menu title is not its business, and the slots are not touched', () => {
  for (const kind of ['copy-to-passive', 'activate', 'arm-assessment']) expect(kinds()).not.toContain(kind);
});

test.each([
  ['active', 'image', undefined],
  ['recovery', 'image', 'image'],
  ['recovery', 'squashfs', 'squashfs'],
] as const)('from %s over a %s, the file that keeps a name is %s', (slot, found, keepRunning) => {
  const plan = planRecovery(request, { ...facts, found, booted: { slot, uuid: 'x', replaced: false } });
  expect(plan.actions.find(({ kind }) => kind === 'activate-recovery')).toMatchObject({ keepRunning });
});

test('what is there already is not built again, unless forced', () => {
  const done = {
    recoveryId: 'r',
    deployment: {
      source: 'docker:x',
      digest: V2,
      layers: [],
      uuid: 'r',
      date: '',
      fromAction: 'upgrade-recovery' as const,
      verified: '',
    },
  };
  expect(kinds(done)).toEqual([]);
  expect(kinds(done, { force: true })).toEqual(IMAGE);
  expect(kinds({ ...done, recoveryId: 'another' })).toEqual(IMAGE);
});

test.each([
  ['image', { state: 4000, recovery: 3000 }, 1200, 'recovery'],
  ['image', { state: 4000, recovery: 900 }, 1200, 'state'],
  ['squashfs', { state: 4000, recovery: 3000 }, 1200, 'state'],
  ['squashfs', { state: 4000, recovery: 300 }, 1200, 'state'],
] as const)('%s with %o MiB free and a slot of %i MiB is built on %s', (kind, free, slot, place) => {
  const freeBytes = { state: free.state * MIB, recovery: free.recovery * MIB };
  expect(placeRecovery(kind, { ...facts, freeBytes }, slot * MIB)).toBe(place);
});

test.each([
  ['image', { state: 500, recovery: 900 }],
  ['image', { state: 4000, recovery: 400 }],
  ['squashfs', { state: 500, recovery: 3000 }],
  ['squashfs', { state: 4000, recovery: 150 }],
] as const)('%s with %o MiB free is refused with the figures', (kind, free) => {
  const freeBytes = { state: free.state * MIB, recovery: free.recovery * MIB };
  expect(() => placeRecovery(kind, { ...facts, freeBytes }, 1200 * MIB)).toThrow(
    /COS_RECOVERY has [\d.]+ [MG]iB free, COS_STATE [\d.]+ [MG]iB; needed are 1\.2 GiB/,
  );
});
