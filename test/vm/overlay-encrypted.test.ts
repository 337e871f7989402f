// An overlay on a LUKS disk, in a small guest whose kernel has dm-crypt and dm-snapshot and no udev: the key file opens it and
// the changes are there again; a wrong key, or none, leaves the boot without. One boot of five seconds, half a minute in all.

import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureExecutable } from '../../lab/executable.ts';
import { makeDisk, SnapshotGuest } from '../../lab/overlay/snapshot-guest.ts';
import { ensureCryptsetup } from '../../lab/packages/cryptsetup.ts';
import { parseAttachedOverlay } from '../../src/boot/attached-overlay.ts';
import { runChecked } from '../../src/system/process.ts';

const say = (line: string) => process.stdout.write(`    ${line}\n`);
let directory: string;
let guest: SnapshotGuest;

/** What an initramfs has before `holdfast overlay attach`, in a mount namespace; and what it left. */
const ATTACH = `
set -e
# attach.sh WORDS: words of the kernel command line; then what to do with the root.
mkdir -p /tmp/delivery /tmp/disk
mount --bind /run/delivery /tmp/delivery
mount --bind /run/disk /tmp/disk
mount -t tmpfs tmpfs /run
mkdir -p /run/holdfast /run/initramfs/base /run/initramfs/cos-state /run/bin
printf '#!/bin/sh\\nexec sh /tmp/delivery/cryptsetup/cryptsetup /tmp/delivery/cryptsetup "$@"\\n' > /run/bin/cryptsetup
chmod +x /run/bin/cryptsetup
# Nobody answers for udev here.
export PATH=/run/bin:$PATH DM_DISABLE_UDEV=1
cp /tmp/disk/right /tmp/disk/wrong /run/holdfast/
printf '%s\\n' "root=LABEL=COS_STATE cos-img/filename=/cOS/active.img $1" > /tmp/cmdline
mount --bind /tmp/cmdline /proc/cmdline
ln -s /tmp/disk/active.img /run/holdfast/slot.img
status=0
/tmp/delivery/holdfast overlay attach || status=$?
echo "<<status $status>>"
cat /run/cos/rootoverlay
echo '<<root>>'
if [ -b /run/holdfast/root ]; then
    dmsetup table live-rw
    dmsetup info -c --noheadings -o name
    mkdir /run/root
    mount /dev/mapper/live-rw /run/root
    cat /run/root/kept 2> /dev/null || echo kept > /run/root/kept
    umount /run/root
    dmsetup remove live-rw
    dmsetup remove live-base
    for loop in $(losetup -n -O NAME,BACK-FILE | grep -v delivery | grep -v luks | cut -d ' ' -f 1); do losetup -d $loop; done
    umount /run/initramfs/overlay
    cryptsetup close holdfast-overlay
fi
dmsetup ls
`;

/** A LUKS volume with an ext4, and on that a file of zeros. The key's derivation is made short: it is not what is tested. */
const MAKE = `
set -e
export DM_DISABLE_UDEV=1
modprobe -a dm_crypt loop
crypt() { sh /run/delivery/cryptsetup/cryptsetup /run/delivery/cryptsetup "$@"; }
printf secret > /run/disk/right
printf guess > /run/disk/wrong
truncate -s 64M /run/disk/luks.img
crypt luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /run/disk/right /run/disk/luks.img
losetup /dev/loop7 /run/disk/luks.img
crypt open --key-file /run/disk/right /dev/loop7 making
mkfs.ext4 -q /dev/mapper/making
mkdir -p /tmp/making
mount /dev/mapper/making /tmp/making
dd if=/dev/zero of=/tmp/making/persist.img bs=1M count=12 2> /dev/null
chmod 600 /tmp/making/persist.img
umount /tmp/making
crypt close making
`;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-luks-'));
  const content = join(directory, 'content');
  const tree = join(directory, 'tree');
  for (const name of ['proc', 'usr/bin', 'sbin']) mkdirSync(join(tree, name), { recursive: true });
  for (const name of ['usr/bin/holdfast', 'sbin/init']) writeFileSync(join(tree, name), '#!/bin/sh\n', { mode: 0o755 });
  mkdirSync(content);
  const slot = join(content, 'active.img');
  writeFileSync(slot, '');
  truncateSync(slot, 32 << 20);
  await runChecked(['mkfs.ext4', '-q', '-F', '-b', '4096', '-O', '^has_journal', '-d', tree, slot]);
  const files = { 'make.sh': MAKE, 'attach.sh': ATTACH };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const disk = join(directory, 'disk.img');
  await makeDisk(disk, { sizeMib: 256, content });
  guest = await SnapshotGuest.boot({
    directory,
    disk,
    files: {
      holdfast: await ensureExecutable(say),
      cryptsetup: await ensureCryptsetup({ log: say }),
      'make.sh': join(directory, 'make.sh'),
      'attach.sh': join(directory, 'attach.sh'),
    },
    say,
  });
  await guest.shell('sh /run/delivery/make.sh');
});
afterAll(async () => {
  await guest?.cut();
  rmSync(directory, { recursive: true, force: true });
});

async function attach(words: string) {
  const output = await guest.shell(`unshare --mount sh /run/delivery/attach.sh '${words}'`);
  const [, status, record = '', root = ''] = /<<status (\d+)>>\s+([\s\S]*)<<root>>\s+([\s\S]*)/.exec(output) ?? [
    output,
  ];
  const lines = (text: string) => text.replaceAll('\r', '');
  return { status: Number(status), overlay: parseAttachedOverlay(lines(record)), root: lines(root).trim() };
}

const SET = 'rd.live.overlay=/dev/loop7:/persist.img';

test('the key opens it: what was written is there at the next boot', async () => {
  for (const found of ['', 'kept\n']) {
    const { status, overlay, root } = await attach(`${SET} rd.cos.rootoverlay.key=/run/holdfast/right`);
    expect([status, overlay]).toMatchObject([
      0,
      {
        used: true,
        device: '/dev/loop7',
        source: '/dev/mapper/holdfast-overlay',
        file: '/run/initramfs/overlay/persist.img',
      },
    ]);
    expect(overlay?.message).toBeUndefined();
    expect(root).toMatch(/^0 65536 snapshot \d+:\d+ \d+:\d+ PO 8\n/);
    expect(root.includes('kept\n')).toBe(found !== '');
    expect(root.split('\n').slice(1, 4).sort()).toEqual(['holdfast-overlay', 'live-base', 'live-rw']);
    expect(root).toMatch(/No devices found$/);
  }
});

test.each([
  ['/run/holdfast/wrong', 'No key available with this passphrase.'],
  ['/run/holdfast/none', 'the key file /run/holdfast/none is not there'],
  ['LABEL=NOWHERE:/key', 'the disk with the key, LABEL=NOWHERE, is not there'],
])('with the key %s it stays locked, and nothing is left behind', async (key, message) => {
  const { status, overlay, root } = await attach(`${SET} rd.cos.rootoverlay.key=${key}`);
  expect([status, overlay]).toMatchObject([
    3,
    { used: false, reason: 'locked', message: expect.stringContaining(message) },
  ]);
  expect(root).toBe('No devices found');
});
