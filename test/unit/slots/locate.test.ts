// Which of several partitions with the same labels are this machine's: from the kernel's view of the devices, written down
// as it is on such machines.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type BlockDevice, describeBlockDevice, withoutPaths } from '../../../src/slots/block-device.ts';
import { choosePartitions, type LabelledDevices } from '../../../src/slots/locate.ts';
import { DEFAULT_LABELS } from '../../../src/slots/names.ts';
import { partitionNames, startsByName } from '../../../src/slots/partition-name.ts';

const device = (name: string, disk: string, below: readonly string[] = [disk]): BlockDevice => ({
  path: `/dev/${name}`,
  name,
  disk,
  below,
});
const none = { efi: [], oem: [], recovery: [], state: [], persistent: [] };
const choose = (bootedDisk: string | undefined, found: Partial<LabelledDevices['found']>) =>
  choosePartitions({ bootedDisk, found: { ...none, ...found } }, DEFAULT_LABELS);

describe('with two installed disks', () => {
  const both = {
    state: [device('sda4', 'sda'), device('sdb4', 'sdb')],
    oem: [device('sda2', 'sda'), device('sdb2', 'sdb')],
    recovery: [device('sda3', 'sda'), device('sdb3', 'sdb')],
  };

  test('those on the disk that was booted from count', () => {
    expect(choose('sdb', both)).toEqual({ state: '/dev/sdb4', oem: '/dev/sdb2', recovery: '/dev/sdb3' });
  });

  test.each([
    ['nothing was booted from a disk', undefined],
    ['a medium was booted', 'sr0'],
  ])('when %s, it is a refusal that names both', (_, booted) => {
    expect(() => choose(booted, both)).toThrow(
      'the label COS_STATE is on several partitions: /dev/sda4 (disk sda), /dev/sdb4 (disk sdb)',
    );
  });

  test('what the booted one lacks is not taken from the other, which is a machine of its own', () => {
    const chosen = choose('sda', { ...both, persistent: [device('sdb5', 'sdb')] });
    expect(chosen).not.toHaveProperty('persistent');
  });
});

test('the owner’s data may be on a disk that holds no system', () => {
  expect(choose('sda', { state: [device('sda4', 'sda')], persistent: [device('sdb1', 'sdb')] })).toEqual({
    state: '/dev/sda4',
    persistent: '/dev/sdb1',
  });
});

test('booted from recovery, STATE of the same disk counts', () => {
  const state = [device('vdb4', 'vdb'), device('vda4', 'vda')];
  expect(choose('vda', { state, recovery: [device('vda3', 'vda')] }).state).toBe('/dev/vda4');
});

test('on live media, all partitions are those of the one disk with a state partition', () => {
  const oem = [device('sda2', 'sda'), device('sdc1', 'sdc')];
  expect(choose('sdc', { state: [device('sda4', 'sda')], oem })).toEqual({ state: '/dev/sda4', oem: '/dev/sda2' });
});

test('two partitions of one disk with the same label are a refusal too', () => {
  expect(() => choose('sda', { state: [device('sda4', 'sda'), device('sda6', 'sda')] })).toThrow('several partitions');
});

test('the paths of a multipath disk are one disk', () => {
  const state = [device('sda4', 'sda'), device('sdb4', 'sdb'), device('dm-4', 'dm-0', ['dm-0', 'sda', 'sdb'])];
  expect(withoutPaths(state).map(({ name }) => name)).toEqual(['dm-4']);
  expect(choose(undefined, { state }).state).toBe('/dev/dm-4');
});

describe('a device in /sys/class/block', () => {
  const sys = mkdtempSync(join(tmpdir(), 'holdfast-sys-'));
  afterAll(() => rmSync(sys, { recursive: true }));
  const put = (path: string, text = '') => {
    mkdirSync(dirname(join(sys, path)), { recursive: true });
    writeFileSync(join(sys, path), text);
  };
  // A disk with a partition, two paths to a multipath disk with a partition, and a loop device over an image file.
  put('devices/vda/vda4/partition', '4\n');
  for (const name of ['sda', 'sdb']) put(`devices/${name}/size`);
  put('devices/dm-0/dm/uuid', 'mpath-3600\n');
  for (const name of ['sda', 'sdb']) put(`devices/dm-0/slaves/${name}`);
  put('devices/dm-1/dm/uuid', 'part4-mpath-3600\n');
  put('devices/dm-1/slaves/dm-0');
  put('devices/loop3/loop/backing_file', '/srv/disk.img (deleted)\n');
  for (const [name, at] of [
    ['vda', 'devices/vda'],
    ['vda4', 'devices/vda/vda4'],
    ['sda', 'devices/sda'],
    ['sdb', 'devices/sdb'],
    ['dm-0', 'devices/dm-0'],
    ['dm-1', 'devices/dm-1'],
    ['loop3', 'devices/loop3'],
  ] as const) {
    symlinkSync(join(sys, at), join(sys, name));
  }

  test.each([
    ['/dev/vda4', 'vda', ['vda']],
    ['/dev/dm-1', 'dm-0', ['dm-0', 'sda', 'sdb']],
    ['/dev/loop3', '/srv/disk.img', []],
    ['/dev/vda', 'vda', []],
  ])('%s belongs to %s', (path, disk, below) => {
    expect(describeBlockDevice(path, sys)).toMatchObject({ disk, below });
  });
});

test('partitions are known by the names of both generations, and by where they start', () => {
  expect([partitionNames('persistent'), partitionNames('efi')]).toEqual([
    ['persistent', 'p.persistent'],
    ['efi', 'p.grub'],
  ]);
  const json = JSON.stringify({ partitiontable: { partitions: [{ name: 'oem', start: 2048 }, { start: 1 }, null] } });
  expect([...startsByName(json)]).toEqual([['oem', 1048576]]);
  expect([...startsByName('{}')]).toEqual([]);
});
