// Which device a volume's name means, on machines with one disk and with two alike.

import { expect, test } from 'vitest';
import { findDevice, parseBlockDevices } from '../../../src/boot/volumes.ts';

const block = (path: string, fields: string) => `DEVNAME=${path}\n${fields}\nTYPE=ext4\n`;
const devices = parseBlockDevices(
  [
    block('/dev/sda2', 'LABEL=COS_OEM\nUUID=aa-1\nPARTLABEL=oem'),
    block('/dev/vda2', 'LABEL=COS_OEM\nUUID=BB-2\nPARTLABEL=oem'),
    block('/dev/vda5', 'LABEL=COS_PERSISTENT\nUUID=cc-3'),
    block('/dev/vda1', 'LABEL_FATBOOT=X\nUUID=1234-5678'),
    block('/dev/vdb', 'LABEL=MY\\ DATAä\nUUID=dd-4'),
  ].join('\n'),
  (path) => /^\/dev\/([a-z]+)\d$/.exec(path)?.[1] ?? '',
);

test('absent fields are empty, protected characters are read', () => {
  expect(devices.length).toBe(5);
  expect(devices[4]).toEqual({
    path: '/dev/vdb',
    disk: '',
    label: 'MY DATAä',
    uuid: 'dd-4',
    partLabel: '',
    partUuid: '',
    type: 'ext4',
  });
});

test.each([
  ['LABEL=COS_PERSISTENT', 'vda', '/dev/vda5', '/dev/disk/by-label/COS_PERSISTENT'],
  ['UUID=bb-2', 'vda', '/dev/vda2', '/dev/disk/by-uuid/bb-2'],
  ['LABEL=MY DATAä', undefined, '/dev/vdb', '/dev/disk/by-label/MY\\x20DATAä'],
  ['/dev/vda5', undefined, '/dev/vda5', '/dev/vda5'],
  // On two disks: the booted one, under a name that can't mean the other.
  ['LABEL=COS_OEM', 'vda', '/dev/vda2', '/dev/vda2'],
  ['LABEL=COS_OEM', 'sda', '/dev/sda2', '/dev/sda2'],
  ['PARTLABEL=oem', undefined, '/dev/sda2', '/dev/sda2'],
])('%s when booted from %s is %s', (name, bootDisk, path, stableName) => {
  expect(findDevice(name, devices, bootDisk)).toMatchObject({ path, stableName });
});

test.each(['LABEL=', 'LABEL=cos_oem', 'UUID=', 'PARTUUID=1', '/dev/vdc', ''])('%j means nothing here', (name) => {
  expect(findDevice(name, devices, 'vda')).toBeUndefined();
});

test.each([
  ['LABEL=COS_OEM', 'vda', undefined],
  ['LABEL=COS_OEM', undefined, 'LABEL=COS_OEM is on several devices (/dev/sda2, /dev/vda2); /dev/sda2 is taken'],
  ['LABEL=COS_OEM', 'vdz', 'LABEL=COS_OEM is on several devices (/dev/sda2, /dev/vda2); /dev/sda2 is taken'],
  ['LABEL=COS_PERSISTENT', 'sda', undefined],
])('%s when booted from %s: the owner hears %j', (name, bootDisk, notice) => {
  expect(findDevice(name, devices, bootDisk)?.notice).toBe(notice);
});
