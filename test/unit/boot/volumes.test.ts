// Which device a volume's name means, on machines with one disk and with two alike.

import { expect, test } from 'vitest';
import { findDevice, parseBlockDevices } from '../../../src/boot/volumes.ts';

const line = (path: string, parent: string, label: string, uuid = '', partLabel = '') =>
  `PATH="${path}" PKNAME="${parent}" LABEL="${label}" UUID="${uuid}" PARTLABEL="${partLabel}" PARTUUID=""`;
const devices = parseBlockDevices(
  [
    line('/dev/sda', '', ''),
    line('/dev/sda2', 'sda', 'COS_OEM', 'aa-1', 'oem'),
    line('/dev/vda', '', ''),
    line('/dev/vda2', 'vda', 'COS_OEM', 'BB-2', 'oem'),
    line('/dev/vda5', 'vda', 'COS_PERSISTENT', 'cc-3', 'persistent'),
    line('/dev/vdb', '', 'MY\\x20DATA\\xc3\\xa4'),
    '',
  ].join('\n'),
);

test('empty fields and escaped names are read', () => {
  expect(devices.length).toBe(6);
  expect(devices[5]).toEqual({
    path: '/dev/vdb',
    parent: '',
    label: 'MY DATAä',
    uuid: '',
    partLabel: '',
    partUuid: '',
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
  expect(findDevice(name, devices, bootDisk)).toEqual({ path, stableName });
});

test.each(['LABEL=', 'LABEL=cos_oem', 'UUID=', 'PARTUUID=1', '/dev/vdc', ''])('%j means nothing here', (name) => {
  expect(findDevice(name, devices, 'vda')).toBeUndefined();
});
