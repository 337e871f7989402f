// What an install does and refuses, from what was asked and found.

import { describe, expect, test } from 'vitest';
import { isStartable } from '../../../src/boot/fill-esp.ts';
import type { TreeImage } from '../../../src/image/tree.ts';
import { type InstallFacts, type InstallRequest, planInstall } from '../../../src/lifecycle/install.ts';
import type { DiskContent } from '../../../src/lifecycle/install-refusals.ts';
import { DEFAULT_LABELS } from '../../../src/slots/names.ts';

const MIB = 2 ** 20;
const image: TreeImage = { kind: 'tree', source: 'dir:/x', digest: undefined, directory: '/x' };
const request: InstallRequest = {
  image,
  target: '/dev/x',
  strictness: 'chroot',
  force: false,
  cloudInit: [],
  bootEntry: false,
};
const measured = { contentBytes: 500 * MIB, entries: 20_000, compressedBytes: 0, exact: true, basis: 'its files' };
const nothing: DiskContent = { kind: 'nothing', labels: [], hasBiosPartition: false };
const facts: InstallFacts = {
  disk: { path: '/dev/x', kind: 'device', sizeBytes: 32 * 1024 * MIB },
  found: [],
  users: [],
  content: nothing,
  measured,
  missingPaths: [],
  boots: { bios: true, secureBoot: false },
  noBootEntry: undefined,
  image: { digest: undefined, source: 'dir:/x' },
};

const plan = (asked: Partial<InstallRequest> = {}, seen: Partial<InstallFacts> = {}) =>
  planInstall({ ...request, ...asked }, { ...facts, ...seen });
const kinds = (...given: Parameters<typeof plan>) =>
  plan(...given).actions.map((action) => (action.kind === 'run-hook' ? action.hook : action.kind));

const WHOLE = [
  'before-install',
  'partition',
  'format',
  'create-transition',
  'unpack',
  'after-install-chroot',
  'finish-transition',
  'make-slots',
  'copy-recovery',
  'install-grub',
  'write-records',
  'after-install',
  'post-install',
  'close-disk',
  'write-esp',
  'install-bios-boot',
  'finish-disk',
  'add-boot-entry',
];

describe('the plan', () => {
  test('makes the disk startable only when all else is on it', () => {
    expect(kinds()).toEqual(WHOLE);
  });

  test('keeps partitions: no table, no file systems, no GRUB for BIOS without its partition', () => {
    const content: DiskContent = { kind: 'partitions', labels: ['COS_STATE'], hasBiosPartition: false };
    const kept = { partitioning: { kind: 'keep' } } as const;
    const without = (...left: string[]) => WHOLE.filter((kind) => !left.includes(kind));
    const adopted = without('partition', 'format', 'install-bios-boot').toSpliced(1, 0, 'adopt-partitions');
    expect(kinds(kept, { content })).toEqual(adopted);
    expect(kinds(kept, { content: { ...content, hasBiosPartition: true } })).toContain('install-bios-boot');
    expect(() => plan({ ...kept, firmware: 'bios' }, { content })).toThrow('no partition for GRUB for BIOS');
  });

  test('lays out by a stage file: the table has the firmware’s partition alone', () => {
    const file = { name: 'layout.yaml', text: '' };
    const { actions } = plan({ partitioning: { kind: 'layout', file } });
    expect(actions.slice(1, 5).map(({ kind }) => kind)).toEqual([
      'partition',
      'format',
      'run-layout',
      'adopt-partitions',
    ]);
    const table = actions.find((action) => action.kind === 'partition');
    expect(table?.partitions.map(({ label }) => label)).toEqual(['COS_GRUB']);
  });

  test('for UEFI alone leaves BIOS out', () => {
    expect(kinds({ firmware: 'efi' })).not.toContain('install-bios-boot');
    expect(() => plan({ firmware: 'bios' }, { boots: { bios: false, secureBoot: false } })).toThrow(
      "can't boot by BIOS",
    );
  });

  test('a slot is as large as its content needs, or as the owner wants it', () => {
    const sizeOf = (asked: Partial<InstallRequest>) =>
      plan(asked).actions.find((action) => action.kind === 'create-transition')?.sizeBytes ?? 0;
    const needed = sizeOf({});
    expect(needed).toBeGreaterThan(500 * MIB);
    expect(sizeOf({ slotBytes: { system: 3000 * MIB } })).toBe(3000 * MIB);
    expect(sizeOf({ slotBytes: { system: 10 * MIB } })).toBe(needed);
  });

  test('says of what it estimated that it did, and of what the image brings that it will be seen', () => {
    const guessed = { ...measured, exact: false, basis: 'the packed size of its layers', compressedBytes: 5 * MIB };
    const { actions } = plan({}, { measured: guessed, boots: undefined });
    const summary = (kind: string) => actions.find((action) => action.kind === kind)?.summary;
    expect(summary('create-transition')).toBe(
      'Create the slot (1.0 GiB, preallocated; estimated from the packed size of its layers, it can grow)',
    );
    expect(summary('unpack')).toBe('Unpack dir:/x (5.0 MiB to read, checked while it is unpacked)');
    expect(summary('install-bios-boot')).toBe('Install the boot loader for BIOS, if the image brings it');
    expect(summary('write-esp')).toBe('Install the boot loader for UEFI');
  });

  test('builds a recovery system of its own, or copies a file', () => {
    const recoveryMeasured = { ...measured, contentBytes: 100 * MIB };
    const built = plan({ recovery: { kind: 'image', image } }, { recoveryMeasured }).actions;
    expect(built.find((action) => action.kind === 'build-recovery')?.sizeBytes).toBeLessThan(1000 * MIB);
    const file = { kind: 'file', file: '/r', type: 'squashfs', sizeBytes: 5 * MIB, source: 'file:/r' } as const;
    expect(plan({ recovery: file }).actions.find(({ kind }) => kind === 'copy-recovery')?.summary).toContain('file:/r');
  });

  test('labels of the settings are on the partitions and the slot', () => {
    const labels = {
      ...DEFAULT_LABELS,
      partitions: { ...DEFAULT_LABELS.partitions, state: 'S' },
      slots: { ...DEFAULT_LABELS.slots, active: 'A' },
    };
    const { actions } = plan({ labels });
    expect(actions.find((action) => action.kind === 'partition')?.partitions.map(({ label }) => label)).toContain('S');
    expect(actions.find((action) => action.kind === 'finish-transition')?.label).toBe('A');
  });
});

describe('a disk with something on it', () => {
  const content = (kind: DiskContent['kind'], labels: string[] = []): DiskContent => ({ ...nothing, kind, labels });
  const keep = { partitioning: { kind: 'keep' } } as const;
  test.each<[DiskContent['kind'], Partial<InstallRequest>, string | undefined]>([
    ['nothing', {}, undefined],
    ['unfinished', {}, undefined],
    ['system', {}, '/dev/x already holds an installed system (COS_STATE)'],
    ['partitions', {}, '/dev/x has the partitions of an installed system (COS_STATE), but no system that boots'],
    ['other', {}, '/dev/x is not empty'],
    ['system', { force: true }, undefined],
    ['other', { force: true }, undefined],
    ['partitions', keep, undefined],
    ['system', keep, 'there is already an active deployment in the system'],
    ['system', { ...keep, force: true }, undefined],
    ['nothing', keep, '/dev/x has no partitions to install on'],
    ['other', { ...keep, force: true }, '/dev/x has no partitions to install on'],
    ['unfinished', keep, '/dev/x has no partitions to install on: an install was cut short there'],
  ])('%s and %j: %s', (kind, asked, message) => {
    const labels = kind === 'system' || kind === 'partitions' ? ['COS_STATE'] : [];
    const planned = () => plan(asked, { content: content(kind, labels) });
    if (message === undefined) expect(planned).not.toThrow();
    else expect(planned).toThrow(message);
  });

  test('in use, which --force does not override', () => {
    const users = ['/dev/x1 is mounted at /data'];
    expect(() => plan({ force: true }, { users })).toThrow('/dev/x is in use: /dev/x1 is mounted at /data');
  });

  test('partitions that are kept must have room, without clones for two slots', () => {
    const free = { state: 1700 * MIB, recovery: 4000 * MIB, stateClones: true };
    const seen = (change: Partial<typeof free>) => ({
      content: { ...content('partitions'), free: { ...free, ...change } },
    });
    expect(() => plan(keep, seen({}))).not.toThrow();
    expect(() => plan(keep, seen({ stateClones: false }))).toThrow('not enough space on the partition state');
    expect(() => plan(keep, seen({ recovery: 100 * MIB }))).toThrow('not enough space on the partition recovery');
  });
});

test.each<[string[], boolean]>([
  [[], false],
  [['::/EFI/BOOT/grub.cfg', '::/EFI/BOOT/BOOTX64.NEW'], false],
  [['::/EFI/BOOT/grubx64.efi', '::/EFI/BOOT/mmx64.efi', '::/EFI/debian/grub.cfg'], false],
  [['::/EFI/BOOT/BOOTX64.EFI'], true],
  [['::/EFI/BOOT/bootaa64.efi'], true],
  [['::/EFI/elemental/shim.efi'], true],
])('firmware that finds %j starts something: %s', (paths, startable) => {
  expect(isStartable(paths)).toBe(startable);
});
