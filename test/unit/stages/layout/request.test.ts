// What a layout may ask for: what no disk could do is an error before any disk is looked at.

import { describe, expect, it, test } from 'vitest';
import { describePartition, readRequest } from '../../../../src/stages/layout/request.ts';
import type { StepValue } from '../../../../src/stages/steps/handler.ts';

const device = { path: '/dev/sdx' };
type Entry = NonNullable<StepValue<'layout'>['add_partitions']>[number];

function read(value: StepValue<'layout'>) {
  const request = readRequest(value);
  if ('nothing' in request) throw new Error(request.nothing);
  return request;
}

describe('nothing is done, and said', () => {
  it.each([
    ['no device', { expand_partition: {} }, 'the layout names no device, nothing is done'],
    [
      'neither label nor path',
      { device: {}, expand_partition: {} },
      "the layout's device has neither a label nor a path, nothing is done",
    ],
    ['nothing asked', { device }, 'the layout has neither expand_partition nor add_partitions, nothing is done'],
  ])('with %s', (_, value, nothing) => {
    expect(readRequest(value)).toEqual({ nothing });
  });
});

describe('an entry is refused', () => {
  it.each<[string, Entry, string]>([
    ['an unknown filesystem', { filesystem: 'zfs' }, 'the filesystem "zfs" is not known'],
    ['a name that every object has', { filesystem: 'constructor' }, 'the filesystem "constructor" is not known'],
    [
      'an xfs label of 13 characters',
      { filesystem: 'xfs', fsLabel: 'COS_PERSISTEN' },
      'the label "COS_PERSISTEN" has 13 bytes, xfs takes at most 12',
    ],
    [
      'an ext4 label of 17 bytes',
      { fsLabel: 'Überbrückung-1234' },
      'the label "Überbrückung-1234" has 19 bytes, ext4 takes at most 16',
    ],
    ['a FAT label of 12', { filesystem: 'vfat', fsLabel: 'COS_GRUB_ESP' }, 'vfat takes at most 11'],
    ['a swap label of 16', { filesystem: 'swap', fsLabel: 'x'.repeat(16) }, 'swap takes at most 15'],
    ['a btrfs label of 256', { filesystem: 'btrfs', fsLabel: 'x'.repeat(256) }, 'btrfs takes at most 255'],
    ['a FAT label with a dot', { filesystem: 'fat', fsLabel: 'A.B' }, "a label of vfat can't have . in it"],
    ['a line break in a label', { fsLabel: 'a\nb' }, "a label of ext4 can't have control characters in it"],
    ['a name of 37 characters', { pLabel: 'x'.repeat(37) }, "can't be a partition's name"],
  ])('%s', (_, entry, message) => {
    expect(() => readRequest({ device, add_partitions: [{ fsLabel: 'ok' }, entry] })).toThrow(message);
    expect(() => readRequest({ device, add_partitions: [{ fsLabel: 'ok' }, entry] })).toThrow('add_partitions[1]');
  });
});

test('labels as long as they may be are taken', () => {
  const entries: Entry[] = [
    { filesystem: 'xfs', fsLabel: 'COS_PERSISTE' },
    { filesystem: 'ext2', fsLabel: 'x'.repeat(16) },
    { filesystem: 'fat32', fsLabel: 'COS_GRUB_12' },
    { filesystem: 'swap', fsLabel: 'x'.repeat(15) },
    { pLabel: 'x'.repeat(36) },
  ];
  expect(read({ device, add_partitions: entries }).warnings).toEqual([]);
});

test('ext4 is made where no filesystem is given, and "-", none and noformat leave a partition as it is', () => {
  const names = ['', 'fat', '-', 'none', 'noformat', 'fat16'];
  const { partitions } = read({ device, add_partitions: names.map((filesystem) => ({ filesystem })) });
  expect(partitions.map(({ filesystem }) => filesystem)).toEqual(['ext4', 'vfat', 'none', 'none', 'none', 'fat16']);
  // Equal entries are told apart by their position.
  expect(partitions.map(({ occurrence }) => occurrence)).toEqual([0, 0, 0, 1, 2, 0]);
});

test('init_disk needs a path and takes no label', () => {
  // The result of a step says the key before it.
  const message = /^init_disk needs a path and takes no label$/;
  expect(() => readRequest({ device: { label: 'X', init_disk: true } })).toThrow(message);
  expect(() => readRequest({ device: { label: 'X', path: '/dev/sdx', init_disk: true } })).toThrow(message);
  expect(read({ device: { path: '/dev/sdx', init_disk: true } }).initName).toBe('YIP_DISK');
  expect(read({ device: { path: '/dev/sdx', init_disk: true, disk_name: 'DATA' } }).initName).toBe('DATA');
});

test('what is odd is warned about', () => {
  const { warnings } = read({
    device,
    add_partitions: [
      { filesystem: '-', fsLabel: 'X' },
      { bootable: true, pLabel: 'bios' },
      { bootable: true, filesystem: 'vfat' },
    ],
  });
  expect(warnings).toEqual([
    'layout: add_partitions[0]: fsLabel "X" is not used without a filesystem',
    'layout: add_partitions[1]: as a bootable partition it gets the type BIOS boot on GPT; grub-install overwrites its filesystem',
    'layout: more than one partition is bootable; firmware takes the first that it finds',
  ]);
});

test('an entry in words', () => {
  const { partitions } = read({
    device,
    add_partitions: [{ fsLabel: 'COS_OEM', size: 64 }, { pLabel: 'raw', filesystem: '-' }, {}],
  });
  expect(partitions.map(describePartition)).toEqual([
    'the partition COS_OEM (ext4, 64 MiB)',
    'the partition raw (not formatted, all that is left)',
    'a partition (ext4, all that is left)',
  ]);
});
