// What reset and deploy decide to do: action × slot that runs × flags → the actions. Nothing is wiped before the new system
// boots, and STATE is not formatted unless somebody asks for it.

import { expect, test } from 'vitest';
import { planRebuild, type RebuildFacts, type RebuildRequest, rebuildSize } from '../../../src/lifecycle/rebuild.ts';

const MIB = 2 ** 20;
const facts: RebuildFacts = {
  booted: { slot: 'recovery', uuid: 'r', replaced: false },
  stateDevice: '/dev/vda4',
  stateMountPoint: undefined,
  installed: {},
  activeUuid: 'a',
  source: { kind: 'recovery-image', fileBytes: 1000 * MIB, filledBytes: 400 * MIB },
  wiped: { oem: '/dev/vda2', persistent: '/dev/vda5' },
  hasMenu: true,
};
const request: RebuildRequest = {
  action: 'reset',
  strictness: 'chroot',
  force: false,
  formatState: false,
  wipe: [],
  cloudInit: [],
};
const kinds = (asked: Partial<RebuildRequest> = {}, changes: Partial<RebuildFacts> = {}) =>
  planRebuild({ ...request, ...asked }, { ...facts, ...changes }).actions.map((action) =>
    action.kind === 'run-hook' ? action.hook : action.kind === 'wipe' ? `wipe ${action.role}` : action.kind,
  );

const RESET = [
  'open-state',
  'remove-leftovers',
  'before-reset',
  'copy-recovery-system',
  'after-reset-chroot',
  'finish-transition',
  'note-transition',
  'activate',
  'active-to-passive',
  'install-grub',
  'write-records',
  'after-reset',
  'post-reset',
  'remove-old-pristines',
  'note-result',
];
const image = {
  source: {
    kind: 'image' as const,
    digest: 'sha256:1',
    source: 'docker:x',
    measured: { contentBytes: MIB, entries: 1, compressedBytes: MIB },
  },
};
const file = [{ name: 'a.yaml', text: '' }];

test('reset from the recovery system', () => {
  expect(kinds()).toEqual(RESET);
});

test('from an image, its content is kept unchanged too', () => {
  expect(kinds({}, image)).toEqual(
    RESET.flatMap((kind) =>
      kind === 'copy-recovery-system' ? ['create-transition', 'unpack', 'keep-pristine'] : [kind],
    ),
  );
});

test('wipes come last of all that is destroyed, and stage files after a wipe of OEM', () => {
  const all = kinds({ wipe: ['persistent', 'oem'], cloudInit: file });
  expect(all.slice(all.indexOf('post-reset'))).toEqual([
    'post-reset',
    'wipe persistent',
    'wipe oem',
    'write-cloud-init',
    'remove-old-pristines',
    'note-result',
  ]);
  const kept = kinds({ cloudInit: file });
  expect(kept.indexOf('write-cloud-init')).toBeLessThan(kept.indexOf('before-reset'));
});

test('STATE is formatted only when it is asked for, and first', () => {
  expect(kinds()).not.toContain('format-state');
  expect(kinds({ formatState: true })[0]).toBe('format-state');
});

test.each<[string, Partial<RebuildRequest>, Partial<RebuildFacts>, string]>([
  [
    'reset from active',
    {},
    { booted: { slot: 'active', uuid: 'a', replaced: false } },
    'reset can only be called from the recovery system',
  ],
  [
    'reset from passive',
    {},
    { booted: { slot: 'passive', uuid: 'a', replaced: false } },
    'reset can only be called from the recovery system',
  ],
  [
    'reset from live media',
    {},
    { booted: { slot: undefined, uuid: undefined, replaced: false } },
    'reset can only be called from the recovery system',
  ],
  [
    'formatting what runs',
    { formatState: true, force: true },
    { booted: { slot: 'active', uuid: 'a', replaced: false } },
    'this system runs from it',
  ],
  ['formatting what is mounted', { formatState: true }, { stateMountPoint: '/mnt' }, 'it is mounted at /mnt'],
  ['wiping what isn’t there', { wipe: ['oem'] }, { wiped: {} }, 'there is no oem partition that could be wiped'],
  [
    'deploy over a system',
    { action: 'deploy' },
    {},
    "there is already an active deployment in the system, use '--force' flag to overwrite it",
  ],
])('%s is refused', (_, asked, changes, message) => {
  expect(() => kinds(asked, changes)).toThrow(message);
});

test.each(['active', 'passive'] as const)('with --force from %s, the running file keeps a name', (slot) => {
  const plan = planRebuild({ ...request, force: true }, { ...facts, booted: { slot, uuid: 'a', replaced: false } });
  const keeps = plan.actions.filter((action) => 'keepRunning' in action && action.keepRunning).map(({ kind }) => kind);
  expect(keeps).toEqual([slot === 'active' ? 'activate' : 'active-to-passive', 'remove-old-pristines']);
});

test('deploy on an empty STATE brings the boot menu; where there is one it stays', () => {
  const empty = { activeUuid: undefined, hasMenu: false };
  expect(kinds({ action: 'deploy' }, empty)).toEqual(RESET.map((kind) => kind.replace('-reset', '-deploy')));
  expect(kinds({ action: 'deploy' }, { ...empty, hasMenu: true })).not.toContain('install-grub');
});

test('a slot has room to grow, and never less than its source or what is configured', () => {
  expect(rebuildSize({ kind: 'recovery-image', fileBytes: 3000 * MIB, filledBytes: 400 * MIB })).toBe(3000 * MIB);
  expect(rebuildSize({ kind: 'recovery-image', fileBytes: 500 * MIB, filledBytes: 400 * MIB })).toBe((420 + 512) * MIB);
  expect(rebuildSize(image.source, 4000 * MIB)).toBe(4000 * MIB);
});

test('every action says in a sentence what it does', () => {
  const all = planRebuild(
    { ...request, formatState: true, wipe: ['persistent', 'oem'], cloudInit: file },
    { ...facts, ...image },
  );
  for (const { summary } of all.actions) expect(summary).toMatch(/^[A-Z].{10,}/);
});
