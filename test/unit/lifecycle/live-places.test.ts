// What shows at a path of a running system, from the kernel's list of mounts of a machine with cOS's layout.

import { expect, test } from 'vitest';
import { mountsDirectlyBelow } from '../../../src/lifecycle/live-mounts.ts';
import { livePlaces } from '../../../src/lifecycle/live-places.ts';
import { parseMountInfo } from '../../../src/system/mounts.ts';

const overlay = (path: string, upper: string) =>
  `40 1 0:30 / ${path} rw shared:9 - overlay overlay rw,lowerdir=/sysroot${path},upperdir=${upper},workdir=/w`;

const MOUNTS = parseMountInfo(`1 0 7:0 / / ro shared:1 - ext4 /dev/loop0 ro
20 1 0:5 / /dev rw shared:2 - devtmpfs devtmpfs rw
21 1 0:22 / /run rw shared:3 - tmpfs tmpfs rw
22 21 0:23 / /run/overlay rw shared:4 - tmpfs tmpfs rw
${overlay('/etc', '/run/overlay/etc.overlay/upper')}
${overlay('/var', '/sysroot/run/overlay/var.overlay/upper')}
23 1 254:5 / /usr/local rw shared:5 - ext4 /dev/vda5 rw
24 40 254:5 /.state/etc-ssh.bind /etc/ssh rw - ext4 /dev/vda5 rw
25 23 254:6 / /usr/local/data\\040disk rw - xfs /dev/vdb rw
${overlay('/opt', '/usr/local/.state/opt.overlay/upper')}
26 1 0:40 / /tmp rw - tmpfs tmpfs rw
`);

test.each([
  ['usr/bin/vim', 'read-only'],
  ['usr/local/bin/mine', 'kept'],
  ['usr/localhost', 'read-only'],
  ['etc', 'memory'],
  ['etc/vimrc', 'memory'],
  ['etc/sshd', 'memory'],
  ['etc/ssh/sshd_config', 'kept'],
  ['var/lib/dpkg/status', 'memory'],
  ['opt/tool', 'kept'],
  ['tmp/x', 'elsewhere'],
  ['dev/x', 'elsewhere'],
  ['boot/vmlinuz', 'read-only'],
])('/%s: %s', (path, place) => {
  expect(livePlaces(MOUNTS, []).placeOf(path)).toBe(place);
});

test('what an earlier live change put over a directory can only be read as well', () => {
  const covered = [
    ...MOUNTS,
    ...parseMountInfo('50 1 7:3 /usr /usr ro - ext4 /dev/loop3 ro\n51 50 254:5 / /usr/local rw - ext4 /dev/vda5 rw\n'),
  ];
  expect(livePlaces(covered, ['/usr']).placeOf('usr/bin/vim')).toBe('read-only');
  expect(livePlaces(covered, ['/usr']).placeOf('usr/local/x')).toBe('kept');
  // Somebody else's is not the slot's.
  expect(livePlaces(covered, []).placeOf('usr/bin/vim')).toBe('kept');
});

test('of mounts inside of each other the outermost one takes the others along', () => {
  expect(mountsDirectlyBelow('/usr', MOUNTS)).toEqual(['/usr/local']);
  expect(mountsDirectlyBelow('/run', MOUNTS)).toEqual(['/run/overlay']);
  expect(mountsDirectlyBelow('/boot', MOUNTS)).toEqual([]);
});
