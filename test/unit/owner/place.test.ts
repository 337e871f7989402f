// What becomes of a file at a reboot, by where it is mounted: tables of mounts as machines with cOS' layout have them.

import { expect, test } from 'vitest';
import { LIVE_DIRECTORY } from '../../../src/lifecycle/live-record.ts';
import { placeOf } from '../../../src/owner/place.ts';
import { parseMountInfo } from '../../../src/system/mounts.ts';

const mounts = parseMountInfo(`22 1 7:0 / / ro,relatime shared:1 - ext4 /dev/loop0 ro
23 22 0:5 / /dev rw shared:2 - devtmpfs udev rw
40 22 8:2 / /oem rw,relatime shared:3 - ext4 /dev/vda2 rw
41 22 8:5 / /usr/local rw,relatime shared:4 - ext4 /dev/vda5 rw
42 22 0:40 / /etc rw,relatime shared:5 - overlay overlay rw,lowerdir=/etc,upperdir=/run/overlay/etc.overlay/upper,workdir=/run/overlay/etc.overlay/work
43 22 0:41 / /var rw,relatime shared:6 - overlay overlay rw,lowerdir=/var,upperdir=/run/overlay/var.overlay/upper,workdir=/w
44 42 8:5 /.state/etc-ssh.bind /etc/ssh rw,relatime shared:4 - ext4 /dev/vda5 rw
45 22 0:42 / /opt rw,relatime shared:7 - overlay overlay rw,lowerdir=/opt,upperdir=/usr/local/.state/opt.overlay/upper,workdir=/usr/local/.state/opt.overlay/work
46 22 0:43 / /srv rw - tmpfs tmpfs rw
47 22 7:3 /usr /usr ro,relatime - ext4 /dev/loop3 ro
48 47 8:5 / /usr/local rw,relatime shared:4 - ext4 /dev/vda5 rw
49 22 7:3 / ${LIVE_DIRECTORY}/0123abcd ro - ext4 /dev/loop3 ro
50 22 7:4 / /mnt/image rw - ext4 /dev/loop4 rw
51 22 8:6 / /data ro - ext4 /dev/vda6 ro
52 22 8:7 / /backup rw - ext4 /dev/vda7 ro,errors=remount-ro
53 22 7:0 /usr/share /mnt/share ro - ext4 /dev/loop0 ro
54 22 8:5 / ${LIVE_DIRECTORY}/0123abcd.parts/local rw - ext4 /dev/vda5 rw
`);

test.each([
  ['/etc/motd', 'ephemeral'],
  ['/etc/ssh/sshd_config', 'persistent'],
  ['/etc/sshd', 'ephemeral'],
  ['/var/lib/x', 'ephemeral'],
  ['/opt/tool', 'persistent'],
  ['/srv/www', 'ephemeral'],
  ['/usr/local/bin/tool', 'persistent'],
  ['/usr/localbin', 'slot'],
  ['/oem/99_mine.yaml', 'persistent'],
  ['/usr/bin/tool', 'slot'],
  ['/mnt/image/x', 'persistent'],
  ['/data/x', 'persistent'],
  ['/backup/x', 'persistent'],
  ['/mnt/share/x', 'slot'],
  ['/run/x', 'nowhere'],
  ['/tmp/x', 'nowhere'],
  ['/runner', 'slot'],
])('%s is %s', (path, expected) => {
  expect(placeOf(path, mounts)).toBe(expected);
});

test('without any mounts everything is the slot’s', () => {
  expect(placeOf('/etc/motd', [])).toBe('slot');
});
