// What the doctor says of partitions. One machine that is well; each case breaks one thing.

import { expect, test } from 'vitest';
import {
  type FoundPartition,
  judgePartitions,
  type PartitionFacts,
  parseVerify,
} from '../../../src/doctor/partitions.ts';
import { DEFAULT_LABELS, PARTITION_ROLES, type PartitionRole } from '../../../src/slots/names.ts';

const found = (role: PartitionRole, changes: Partial<FoundPartition> = {}): FoundPartition => ({
  role,
  device: `/dev/sda${PARTITION_ROLES.indexOf(role) + 1}`,
  blank: false,
  others: [],
  type: role === 'efi' ? 'vfat' : role === 'state' ? 'xfs' : 'ext4',
  hasErrors: false,
  mountPoint: { oem: '/oem', persistent: '/usr/local', state: '/run/initramfs/cos-state' }[role as string],
  readOnly: role === 'state',
  ...changes,
});
const machine = (role?: PartitionRole, changes: Partial<FoundPartition> = {}, facts: Partial<PartitionFacts> = {}) => ({
  found: PARTITION_ROLES.map((each) => found(each, each === role ? changes : {})),
  labels: DEFAULT_LABELS,
  problem: undefined,
  bootedFromSlot: true,
  efi: true,
  table: { disk: '/dev/sda', problems: [] },
  ...facts,
});

test('a machine that is well', () => {
  expect(judgePartitions(machine())).toEqual([
    {
      area: 'partitions',
      outcome: 'ok',
      message: 'COS_GRUB, COS_OEM, COS_RECOVERY, COS_STATE, COS_PERSISTENT are there, once each',
    },
  ]);
});

const sdb = { path: '/dev/sdb3', disk: 'sdb', below: ['sdb'], name: 'sdb3' };

test.each<[string, PartitionFacts, string, RegExp, RegExp]>([
  [
    'no state',
    machine('state', { device: undefined }),
    'failed',
    /^there is no partition with the label COS_STATE$/,
    /reset --format-state/,
  ],
  ['no recovery', machine('recovery', { device: undefined }), 'warning', /COS_RECOVERY$/, /upgrade --recovery/],
  [
    'a blank OEM',
    machine('oem', { blank: true }),
    'warning',
    /^\/dev\/sda2 should be COS_OEM and has no file system$/,
    /reset --oem$/,
  ],
  [
    'a second disk',
    machine('state', { others: [sdb] }),
    'warning',
    /^the label COS_STATE is on \/dev\/sdb3 too \(disk sdb\); \/dev\/sda4 is used$/,
    /xfs_admin -L OTHER \/dev\/sdb3$/,
  ],
  [
    'errors on ext4',
    machine('persistent', { hasErrors: true }),
    'failed',
    /^the file system of COS_PERSISTENT \(\/dev\/sda5\) notes errors$/,
    /fsck\.mode=force/,
  ],
  [
    'OEM not mounted',
    machine('oem', { mountPoint: undefined }),
    'warning',
    /^COS_OEM \(\/dev\/sda2\) is not mounted, not at \/oem$/,
    /holdfast status/,
  ],
  [
    'a read-only /usr/local',
    machine('persistent', { readOnly: true }),
    'warning',
    /^\/usr\/local is mounted read-only$/,
    /journalctl -k -b \| grep sda5$/,
  ],
  [
    'a broken table',
    machine(undefined, {}, { table: { disk: '/dev/sda', problems: ['the backup GPT table is corrupt'] } }),
    'warning',
    /backup GPT table is corrupt$/,
    /^sfdisk --relocate gpt-bak-std \/dev\/sda$/,
  ],
  [
    'two machines',
    machine(undefined, {}, { problem: 'the label COS_STATE is on several partitions: a, b' }),
    'failed',
    /on several partitions/,
    /^detach/,
  ],
])('%s', (_, facts, outcome, message, mend) => {
  const findings = judgePartitions(facts);
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({
    outcome,
    message: expect.stringMatching(message),
    mend: expect.stringMatching(mend),
    why: expect.stringMatching(/\w/),
  });
});

test('a machine with BIOS needs no EFI system partition', () => {
  expect(judgePartitions(machine('efi', { device: undefined }, { efi: false }))[0]?.outcome).toBe('ok');
  expect(judgePartitions(machine('efi', { device: undefined }))[0]?.outcome).toBe('failed');
});

test('in a recovery system nothing has to be mounted', () => {
  expect(judgePartitions(machine('oem', { mountPoint: undefined }, { bootedFromSlot: false }))[0]?.outcome).toBe('ok');
});

test('without a disk there is nothing to say', () => {
  const facts = {
    ...machine(),
    found: PARTITION_ROLES.map((role) => found(role, { device: undefined })),
    table: undefined,
  };
  expect(judgePartitions(facts)).toEqual([
    { area: 'partitions', outcome: 'skipped', message: 'no disk with an installed system is attached' },
  ]);
});

test('what sfdisk says of a table', () => {
  expect(parseVerify('No errors detected.\nHeader version: 1.0\nUsing 5 out of 128 partitions.\n')).toEqual([]);
  expect(
    parseVerify(
      'The backup GPT table is corrupt, but the primary appears OK, so that will be used.\nPartition 1 does not start on physical sector boundary.\n',
    ),
  ).toEqual(['the backup GPT table is corrupt, but the primary appears OK, so that will be used']);
});
