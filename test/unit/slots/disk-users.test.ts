// Why a disk is in use, from what lsblk, the kernel's list of mounts and its list of swap spaces say.

import { describe, expect, test } from 'vitest';
import { describeUsers, parseDependents, parseSwaps } from '../../../src/slots/disk-users.ts';
import { parseMountInfo } from '../../../src/system/mounts.ts';

const MOUNTS = parseMountInfo(
  [
    '22 1 8:1 / /boot rw - ext4 /dev/sda1 rw',
    '23 1 0:44 / /data rw - btrfs /dev/sda2 rw',
    '24 1 253:0 / /srv rw - xfs /dev/mapper/vg-srv rw',
    '25 1 8:17 / /other rw - ext4 /dev/sdb1 rw',
  ].join('\n'),
);

const LSBLK = `/dev/sda             8:0  disk
/dev/sda1            8:1  part
/dev/sda2            8:2  part
/dev/sda3            8:3  part
/dev/sda4            8:4  part
/dev/mapper/vg-srv 253:0  lvm
`;

describe('users of a disk', () => {
  test('mounts by number and by name, swap, and what is built on it', () => {
    expect(describeUsers(parseDependents(LSBLK), MOUNTS, ['/dev/sda3'])).toEqual([
      '/dev/sda1 is mounted at /boot',
      '/dev/sda2 is mounted at /data',
      '/dev/sda3 is swap space in use',
      '/dev/mapper/vg-srv is mounted at /srv',
      '/dev/mapper/vg-srv (lvm) is built on it',
    ]);
  });

  test.each(['crypt', 'raid1', 'mpath', 'dm'])('a device of the kind %s that nothing has mounted', (type) => {
    const devices = parseDependents(`/dev/sdb 8:16 disk\n/dev/x 253:9 ${type}\n`);
    expect(describeUsers(devices, [], [])).toEqual([`/dev/x (${type}) is built on it`]);
  });

  test('a disk that is a RAID itself', () => {
    expect(describeUsers(parseDependents('/dev/md0 9:0 raid1\n/dev/md0p1 259:0 part\n'), MOUNTS, [])).toEqual([]);
  });

  test('nobody', () => {
    expect(describeUsers(parseDependents('/dev/sdc 8:32 disk\n/dev/sdc1 8:33 part\n'), MOUNTS, [])).toEqual([]);
  });
});

test('swap spaces, also with a blank in their name', () => {
  const text = 'Filename\tType\tSize\tUsed\tPriority\n/dev/sda3\tpartition\t1\t0\t-2\n/swap\\040file\tfile\t1\t0\t-3\n';
  expect(parseSwaps(text)).toEqual(['/dev/sda3', '/swap file']);
  expect(parseSwaps('Filename\tType\n')).toEqual([]);
});
