// The kernel's list of mounts.

import { expect, test } from 'vitest';
import { mountAt, parseMountInfo } from '../../../src/system/mounts.ts';

const MOUNTINFO = `22 1 7:0 / / ro,relatime shared:1 - ext4 /dev/loop0 ro
30 22 0:26 / /run rw,nosuid - tmpfs tmpfs rw,mode=755
31 30 254:4 / /run/initramfs/cos-state rw,relatime shared:5 master:2 - xfs /dev/vda4 ro,attr2
44 22 0:40 /sub\\040dir /mnt/a\\040b rw - btrfs /dev/vdb rw
45 22 0:41 / /mnt/a\\040b rw - tmpfs none rw
damaged line
`;

test('mount points, sources, types and both kinds of options are read', () => {
  const mounts = parseMountInfo(MOUNTINFO);
  expect(mounts).toHaveLength(5);
  expect(mounts[2]).toEqual({
    mountPoint: '/run/initramfs/cos-state',
    source: '/dev/vda4',
    rootPath: '/',
    type: 'xfs',
    options: ['rw', 'relatime'],
    superOptions: ['ro', 'attr2'],
    device: '254:4',
  });
});

test('escaped spaces are read, and the topmost of two mounts counts', () => {
  const mounts = parseMountInfo(MOUNTINFO);
  expect(mounts[3]).toMatchObject({ mountPoint: '/mnt/a b', rootPath: '/sub dir' });
  expect(mountAt('/mnt/a b', mounts)?.type).toBe('tmpfs');
  expect(mountAt('/nowhere', mounts)).toBeUndefined();
});
