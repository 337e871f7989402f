// What an upgrade decides to do, from what was found. One sound machine; each test changes one thing.

import { expect, test } from 'vitest';
import type { Image } from '../../../src/image/image.ts';
import { isUpToDate, planUpgrade, type UpgradeFacts, type UpgradeRequest } from '../../../src/lifecycle/upgrade.ts';
import type { Deployment } from '../../../src/slots/state-file.ts';

const V1 = `sha256:${'1'.repeat(64)}`;
const V2 = `sha256:${'2'.repeat(64)}`;

const deployment: Deployment = {
  source: 'oci-layout:/srv:v1',
  digest: V1,
  layers: [`sha256:${'b'.repeat(64)}`],
  uuid: 'uuid-of-v1',
  date: '2026-11-20T10:00:00Z',
  fromAction: 'install',
  verified: 'digests',
};

const facts: UpgradeFacts = {
  booted: { slot: 'active', uuid: 'uuid-of-v1', replaced: false },
  stateDevice: '/dev/vda4',
  installed: { active: deployment, passive: deployment },
  activeUuid: 'uuid-of-v1',
  hasPassive: true,
  runsByImageLabel: false,
  base: { digest: V1, layers: 1, slotBytes: 1300 << 20, filledBytes: 600 << 20 },
  image: { digest: V2, source: 'oci-layout:/srv:v2', layers: 2 },
  measured: { contentBytes: 1 << 20, entries: 10, compressedBytes: 1 << 19 },
  assessment: { failed: [], unproven: false, problems: [] },
  warnings: [],
};

// planUpgrade never looks into the image: what it needs of it is in the facts.
const request: UpgradeRequest = { image: {} as Image, strictness: 'chroot', force: false };
const kinds = (changes: Partial<UpgradeFacts>, asked: Partial<UpgradeRequest> = {}) =>
  planUpgrade({ ...request, ...asked }, { ...facts, ...changes }).actions.map((action) =>
    action.kind === 'run-hook' ? action.hook : action.kind,
  );

test('from active: build all, keep the running system as passive, switch, then write the records', () => {
  expect(kinds({})).toEqual([
    'open-state',
    'remove-leftovers',
    'before-upgrade',
    'clone-transition',
    'unpack',
    'keep-pristine',
    'after-upgrade-chroot',
    'finish-transition',
    'after-upgrade',
    'note-transition',
    'copy-to-passive',
    'arm-assessment',
    'activate',
    'write-records',
    'post-upgrade',
    'remove-old-pristines',
    'note-result',
  ]);
});

test.each([
  ['from passive', { booted: { slot: 'passive' as const, uuid: 'x', replaced: false } }],
  ['from live media', { booted: { slot: undefined, uuid: undefined, replaced: false } }],
  ['with another file called active.img than the one that runs', { activeUuid: 'other' }],
  ['while the running system is on trial', { assessment: { failed: [], unproven: true, problems: [] } }],
  ['a second time before the reboot', { booted: { slot: 'active' as const, uuid: 'uuid-of-v1', replaced: true } }],
])('%s: the passive slot stays as it is', (_, changes) => {
  expect(kinds(changes)).not.toContain('copy-to-passive');
  expect(kinds(changes)).toContain('activate');
});

test.each([
  [true, 'copy'],
  [false, 'share'],
])(
  'when the running system finds its root by its image label (%s), the passive copy is made by "%s"',
  (runsByImageLabel, mode) => {
    const { actions } = planUpgrade(request, { ...facts, runsByImageLabel });
    expect(actions.find(({ kind }) => kind === 'copy-to-passive')).toMatchObject({ mode });
  },
);

test('without a pristine to start from, the slot is made anew and all layers are unpacked', () => {
  const plan = planUpgrade(request, { ...facts, base: undefined });
  expect(plan.actions.find(({ kind }) => kind === 'create-transition')).toMatchObject({
    sizeBytes: expect.any(Number),
  });
  expect(plan.actions.find(({ kind }) => kind === 'unpack')).toMatchObject({ skipLayers: 0 });
});

test('with a pristine only the layers above it are unpacked', () => {
  const plan = planUpgrade(request, facts);
  expect(plan.actions.find(({ kind }) => kind === 'unpack')).toMatchObject({ skipLayers: 1 });
});

test('the image that is active already is not built again, unless forced', () => {
  const done = {
    installed: { ...facts.installed, active: { ...deployment, digest: V2, uuid: 'uuid-of-v2' } },
    activeUuid: 'uuid-of-v2',
  };
  expect(kinds(done)).toEqual([]);
  expect(kinds(done, { force: true })).toContain('activate');
});

test('a state.yaml that speaks of another file does not count as up to date', () => {
  const stale = { installed: { active: { ...deployment, digest: V2 } }, activeUuid: 'other' };
  expect(isUpToDate({ ...facts, ...stale })).toBe(false);
  expect(kinds(stale)).toContain('activate');
});

test('a machine without any system is refused with what to do', () => {
  expect(() => kinds({ activeUuid: undefined, hasPassive: false })).toThrow(
    'COS_STATE holds neither an active nor a passive system',
  );
});

test('pristines of what is in the slots afterwards are kept', () => {
  const last = planUpgrade(request, facts).actions.find(({ kind }) => kind === 'remove-old-pristines');
  expect(last).toMatchObject({ kind: 'remove-old-pristines', keepDigests: [V2, V1] });
});

test('every action says in a sentence what it does', () => {
  for (const { summary } of planUpgrade(request, facts).actions) expect(summary).toMatch(/^[A-Z].{10,}/);
});

test('a system on trial that is replaced keeps a name: it is running', () => {
  const { actions } = planUpgrade(request, { ...facts, assessment: { failed: [], unproven: true, problems: [] } });
  expect(actions.find(({ kind }) => kind === 'activate')).toMatchObject({ keepRunning: true });
  expect(actions.find(({ kind }) => kind === 'write-records')).toMatchObject({ movePassive: false });
});

test.each([
  [undefined, true],
  [true, true],
  [false, false],
])('the first boot is a trial unless the settings say otherwise (%s)', (assess, enabled) => {
  const { actions } = planUpgrade({ ...request, ...(assess === undefined ? {} : { assess }) }, facts);
  expect(actions.find(({ kind }) => kind === 'arm-assessment')).toMatchObject({ enabled });
});

test('the installed image with local changes: its unchanged copy stays what it is, and only what was wanted comes live', () => {
  const installed = { image: { digest: V1, source: 'oci-layout:/srv:v1', layers: 1 } };
  const local = { deployment, live: true };
  const asked = { force: true, local };
  expect(planUpgrade({ ...request, ...asked }, { ...facts, ...installed }).title).toBe(
    'Apply local changes to oci-layout:/srv:v1',
  );
  const planned = kinds(installed, asked);
  expect(planned).not.toContain('keep-pristine');
  expect(planned.indexOf('go-live')).toBeGreaterThan(planned.indexOf('activate'));
  expect(kinds(installed, { force: true, local: { ...local, live: false } })).not.toContain('go-live');
  // Read anew, it is kept again.
  expect(kinds({ ...installed, base: undefined }, asked)).toContain('keep-pristine');
  // The same wishes again.
  expect(kinds(installed, { local })).toEqual([]);
});
