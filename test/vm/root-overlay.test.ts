// Raw writes to / that survive reboots, as the owner of a machine does it: a file on a second disk, an argument typed at the
// boot menu. Then every other way to name that file, and what happens when it isn't there, is late, is read-only, begins anew,
// or belongs to another system. About five minutes.

import { createHash } from 'node:crypto';
import {
  copyFileSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DEMO_KERNEL_ARGUMENTS } from '../../lab/demo/content.ts';
import { installDemo } from '../../lab/demo/installed.ts';
import { BootMenu } from '../../lab/machine/boot-menu.ts';
import type { Disk } from '../../lab/machine/command-line.ts';
import { Machine } from '../../lab/machine/machine.ts';
import { type AttachedOverlay, parseAttachedOverlay } from '../../src/boot/attached-overlay.ts';
import { readFingerprint } from '../../src/overlay/fingerprint.ts';
import { writeFlatImage } from '../../src/overlay/flat-image.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { runChecked } from '../../src/system/process.ts';
import { DiskImage, settledTraces } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
let directory: string;
let hda: DiskImage;
let hdb: string;
let machine: Machine | undefined;
let menu: BootMenu | undefined;
/** Of the base, before anything has booted. */
let fingerprint: string;
let baseDigest: string;
/** Of the partition that the second set is on. */
let persistentPartUuid: string;

/** What bootargs.cfg gives, for boots that don't go through GRUB. */
const ARGUMENTS = [
  'root=LABEL=COS_STATE console=tty1 console=ttyS0,115200 cos-img/filename=/cOS/active.img panic=5 fsck.repair=yes',
  'rd.cos.oemlabel=COS_OEM rd.cos.mount=LABEL=COS_OEM:/oem rd.cos.mount=LABEL=COS_PERSISTENT:/usr/local',
  DEMO_KERNEL_ARGUMENTS,
].join(' ');

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-root-overlay-'));
  hda = DiskImage.at(join(directory, 'hda.img'));
  await installDemo(hda.file, { log });
  hdb = join(directory, 'hdb.raw');
  // As it is told: a second disk without partitions, an ext4 on it, and a file of 300 MiB of zeros.
  await runChecked(['qemu-img', 'create', '-f', 'raw', hdb, '500M']);
  await runChecked(['mkfs.ext4', '-q', '-L', 'PERSIST', hdb]);
  await onSecondDisk((loop) =>
    runChecked(['dd', 'if=/dev/zero', 'bs=1M', 'count=300', `of=${join(loop, 'persist-hda.img')}`]),
  );
  await hda.withMounted(
    'COS_PERSISTENT',
    (disk) => {
      mkdirSync(join(disk, 'overlays'));
      writeFileSync(join(disk, 'overlays/persist-vdsm.img'), Buffer.alloc(64 << 20), { mode: 0o600 });
    },
    { writable: true },
  );
  await hda.withPartitions(['COS_PERSISTENT'], async () => {
    const text = await runChecked(['sfdisk', '--json', hda.file]);
    persistentPartUuid = /"uuid": ?"([^"]+)",\s*"name": ?"persistent"/.exec(text)?.[1] ?? '';
  });
  await onBase(async (base) => {
    fingerprint = readFingerprint(base);
    baseDigest = await digestOf(base);
    const slot = join(directory, 'slot');
    await mount(base, slot, { options: ['loop', 'ro'] });
    for (const name of ['vmlinuz', 'initrd']) copyFileSync(join(slot, 'boot', name), join(directory, name));
    await unmount(slot);
  });
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail' || machine?.isRunning === false) {
    await machine?.powerCut();
    machine = undefined;
  }
});
afterAll(async () => {
  await machine?.powerCut();
  hda?.remove();
  rmSync(directory, { recursive: true, force: true });
});

async function onSecondDisk<T>(work: (loop: string) => Promise<T> | T): Promise<T> {
  const loop = join(directory, 'loop');
  await mount(hdb, loop, { options: ['loop'] });
  try {
    return await work(loop);
  } finally {
    await unmount(loop);
  }
}
const onBase = <T>(work: (base: string) => Promise<T>, writable = false) =>
  hda.withMounted('COS_STATE', (state) => work(join(state, 'cOS/active.img')), { writable });

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** The kernel gives sda and sdb to two disks of one kind in the order in which it gets to them; so they are of two kinds. */
const disks = (system: string, ...others: string[]): Disk[] => [
  { file: system, bus: 'scsi' },
  ...others.map((file) => ({ file, bus: 'virtio' as const })),
];
let boots = 0;

/** Switches the machine on without the menu. */
async function boot(words: string, options: { files?: readonly string[]; late?: string } = {}): Promise<Machine> {
  machine = await Machine.boot({
    disks: disks(hda.file, ...(options.files ?? [hdb])),
    logFile: join(directory, `console-${++boots}.log`),
    network: 'restricted',
    direct: {
      kernel: join(directory, 'vmlinuz'),
      initrd: join(directory, 'initrd'),
      commandLine: `${ARGUMENTS} ${words}`,
    },
  });
  if (options.late !== undefined) {
    await machine.waitFor(/waiting up to \d+ s for the overlay/);
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    await machine.plugIn(options.late, 5);
  }
  return machine;
}

function running(): Machine {
  if (machine === undefined) throw new Error('the boot before this test failed');
  return machine;
}

const overlayOf = async (guest: Machine): Promise<AttachedOverlay> =>
  parseAttachedOverlay(await guest.runChecked('cat /run/cos/rootoverlay'));
const exists = async (guest: Machine, path: string): Promise<boolean> =>
  (await guest.run(`test -e ${path}`)).status === 0;
/** Nothing failed on the way up. */
async function expectHealthy(guest: Machine): Promise<void> {
  await guest.runChecked('systemctl is-system-running --wait || true');
  expect(await guest.runChecked('systemctl --failed --no-legend --plain')).toBe('');
}

/** A package as somebody has it lying around. */
const PACKAGE = `mkdir -p /tmp/p/DEBIAN /tmp/p/usr/share/by-hand /tmp/p/etc && cd /tmp &&
printf 'Package: by-hand\\nVersion: 1\\nArchitecture: all\\nMaintainer: me <me@example.org>\\nDescription: x\\n' > p/DEBIAN/control &&
echo /etc/by-hand.conf > p/DEBIAN/conffiles && echo packaged > p/etc/by-hand.conf &&
echo packaged > p/usr/share/by-hand/file && dpkg-deb --build p p.deb && dpkg --install p.deb`;

describe('the argument at the boot menu', () => {
  test('the root is the image with a file for its changes, and it can be written to', async () => {
    machine = await Machine.boot({
      disks: disks(hda.file, hdb),
      logFile: join(directory, 'console-menu.log'),
      network: 'restricted',
      bootMenu: 'keep',
    });
    menu = new BootMenu(machine);
    await menu.bootWith('rd.live.overlay=/dev/vda:/persist-hda.img');
    await machine.login();
    const guest = running();
    await expectHealthy(guest);
    expect(await overlayOf(guest)).toMatchObject({
      used: true,
      device: '/dev/vda',
      path: '/persist-hda.img',
      file: '/run/initramfs/overlay/persist-hda.img',
      fp: fingerprint,
      permission: 'rw',
    });
    expect(await guest.runChecked('dmsetup table live-rw')).toMatch(/^0 \d+ snapshot \S+ \S+ PO 8\n$/);
    expect(await guest.runChecked('findmnt -no SOURCE,OPTIONS /')).toMatch(/^\/dev\/mapper\/live-rw +rw,/);
    for (const path of ['/etc', '/var', '/root', '/home', '/srv', '/opt']) {
      expect((await guest.run(`mountpoint -q ${path}`)).status).not.toBe(0);
    }
    expect(await guest.runChecked('holdfast status')).toMatch(/^booted +active$/m);
    await guest.runChecked(
      'echo kept > /usr/x; echo kept > /etc/x; echo kept > /var/x; rm /usr/share/holdfast-demo/version',
    );
    await guest.runChecked(PACKAGE);
  });

  test('after a reboot with it everything is there, the package and its database agree', async () => {
    const guest = running();
    await guest.startReboot();
    // The old name of the argument, and the disk by its label.
    await menu?.bootWith('overlay=LABEL=PERSIST:/persist-hda.img');
    await guest.login();
    await expectHealthy(guest);
    expect(await overlayOf(guest)).toMatchObject({ used: true, source: '/dev/vda' });
    expect(await guest.runChecked('cat /usr/x /etc/x /var/x /usr/share/by-hand/file')).toBe(
      'kept\nkept\nkept\npackaged\n',
    );
    expect(await exists(guest, '/usr/share/holdfast-demo/version')).toBe(false);
    expect(await guest.runChecked('dpkg --audit; dpkg --verify by-hand; dpkg-query -W by-hand')).toBe('by-hand\t1\n');
    expect(await guest.runChecked('ls /run/initramfs/overlay; cat /run/initramfs/overlay/*.tries')).toBe(
      'lost+found\npersist-hda.img\npersist-hda.img.bind\npersist-hda.img.tries\n0\n',
    );
    await guest.powerOff();
  });

  test('the image has not changed, the file is what it should be, and the second disk was let go of in order', async () => {
    expect(await onBase(digestOf)).toBe(baseDigest);
    expect(await runChecked(['dumpe2fs', '-h', hdb])).not.toMatch(/needs_recovery/);
    await onSecondDisk((loop) => {
      const start = readFileSync(join(loop, 'persist-hda.img')).subarray(0, 16);
      expect(start.toString('hex')).toBe('536e4170010000000100000008000000');
      expect(readFileSync(join(loop, 'persist-hda.img.bind'), 'utf8')).toContain(`\nfp=${fingerprint}\n`);
    });
  });
});

describe('other boots of the same machine', () => {
  test('readonly, on a disk that comes ten seconds late, by a name with colons: nothing is written to the file', async () => {
    // What an upgrade does to the slot that it moves aside; the file must still fit afterwards.
    await onBase((base) => runChecked(['tune2fs', '-L', 'COS_PASSIVE', base]), true);
    const cow = await onSecondDisk((loop) => digestOf(join(loop, 'persist-hda.img')));
    const name = '/dev/disk/by-path/pci-0000:00:01.0-scsi-0:0:5:0';
    // More than the usual half minute: on a busy host the guest takes its time to see a disk that was plugged in.
    const words = `rd.live.overlay=${name}:/persist-hda.img rd.live.overlay.readonly rd.cos.rootoverlay.wait=180`;
    const guest = await boot(words, {
      files: [],
      late: hdb,
    });
    await guest.login();
    await expectHealthy(guest);
    expect(await overlayOf(guest)).toMatchObject({ used: true, device: name, readonly: true, fp: fingerprint });
    expect(await guest.runChecked('cat /usr/x; echo gone > /usr/y; cat /usr/y')).toBe('kept\ngone\n');
    expect(await guest.runChecked('holdfast status')).toMatch(/^booted +active$/m);
    await guest.powerOff();
    expect(await onSecondDisk((loop) => digestOf(join(loop, 'persist-hda.img')))).toBe(cow);
  });

  test('a second file, on a partition that is in use for other things, has changes of its own; the root is ro until it is remounted', async () => {
    const guest = await boot(
      `rd.live.overlay=/dev/vda:/persist-hda.img rd.live.overlay=PARTUUID=${persistentPartUuid}:/overlays/persist-vdsm.img ro`,
    );
    await guest.login();
    await expectHealthy(guest);
    expect(await overlayOf(guest)).toMatchObject({
      used: true,
      file: '/run/initramfs/overlay/overlays/persist-vdsm.img',
      permission: 'ro',
    });
    expect(await guest.runChecked('findmnt -no OPTIONS /')).toMatch(/^ro,/);
    expect((await guest.run('touch /usr/vdsm')).status).not.toBe(0);
    expect(await exists(guest, '/usr/x')).toBe(false);
    await guest.runChecked('mount -o remount,rw / && echo kept > /usr/vdsm && touch /usr/local/there');
    await guest.powerOff();
    const flat = join(directory, 'flat.img');
    await hda.withMounted('COS_PERSISTENT', (disk) =>
      onBase((base) => writeFlatImage({ base, cow: join(disk, 'overlays/persist-vdsm.img'), to: flat })),
    );
    expect(await runChecked(['debugfs', '-R', 'cat /usr/vdsm', flat])).toBe('kept\n');
    await runChecked(['e2fsck', '-fn', flat]);
  });

  test('reset: the system is as it was installed, and what was there is kept', async () => {
    const uuid = (await runChecked(['blkid', '--probe', '--match-tag', 'UUID', '--output', 'value', hdb])).trim();
    const cow = await onSecondDisk((loop) => digestOf(join(loop, 'persist-hda.img')));
    const guest = await boot(`rd.live.overlay=UUID=${uuid}:/persist-hda.img rd.live.overlay.reset`);
    await guest.login();
    await expectHealthy(guest);
    // The disk has no room for a second file of 300 MiB.
    expect(await overlayOf(guest)).toMatchObject({
      used: true,
      file: `/run/initramfs/overlay/persist-hda.img.${fingerprint.slice(0, 16)}`,
      message: expect.stringMatching(/is kept in \S+\.aside-\S+; .*room for \d+ MiB only/),
    });
    for (const path of ['/usr/x', '/etc/x', '/usr/share/by-hand']) expect(await exists(guest, path)).toBe(false);
    await guest.powerOff();
    const flat = join(directory, 'aside.img');
    await onSecondDisk(async (loop) => {
      const name = readdirSync(loop).find((each) => /\.aside-\d+T\d+Z(?:-\d+)?$/.test(each)) ?? 'none';
      expect(await digestOf(join(loop, name))).toBe(cow);
      await onBase((base) => writeFlatImage({ base, cow: join(loop, name), to: flat }));
    });
    expect(await runChecked(['debugfs', '-R', 'cat /usr/x', flat])).toBe('kept\n');
  });

  test('without the disk the system boots plainly, soon, and says why', async () => {
    const guest = await boot('rd.live.overlay=LABEL=PERSIST:/persist-hda.img rd.cos.rootoverlay.wait=3', { files: [] });
    await guest.waitFor(/holdfast: the root overlay is not used \(device-missing\): .*LABEL=PERSIST.*waited 3 s/);
    await guest.login();
    await expectHealthy(guest);
    expect(await overlayOf(guest)).toMatchObject({ used: false, reason: 'device-missing' });
    expect(await guest.runChecked('findmnt -no SOURCE,OPTIONS /')).toMatch(/^\/dev\/loop\d+ +ro,/);
    expect(await guest.runChecked('holdfast status')).toMatch(/device-missing/);
    await guest.powerOff();
  });

  test('a base that was opened for writing is another base: the boot stops where that is wanted', async () => {
    await onBase((base) => runChecked(['debugfs', '-w', '-R', 'ssv mnt_count 1', base]), true);
    const guest = await boot(
      `rd.live.overlay=PARTUUID=${persistentPartUuid}:/overlays/persist-vdsm.img rd.cos.rootoverlay.mismatch=fail`,
    );
    await guest.waitFor(/holdfast: the root overlay is not used \(mismatch\): .*rd\.cos\.debugrw/);
    await guest.waitFor(/The active slot can't boot: the root overlay is required and can not be used/);
    await guest.powerCut();
  });

  test('an overlay for every boot brings an entry without it into the menu: the system is as it was installed', async () => {
    await hda.withMounted(
      'COS_OEM',
      async (oem) => {
        const argument = `${DEMO_KERNEL_ARGUMENTS} rd.live.overlay=/dev/vda:/persist-hda.img`;
        await runChecked(['grub-editenv', join(oem, 'grubenv'), 'set', `extra_cmdline=${argument}`]);
      },
      { writable: true },
    );
    machine = await Machine.boot({
      disks: disks(hda.file, hdb),
      logFile: join(directory, 'console-without.log'),
      network: 'restricted',
      bootMenu: 'keep',
    });
    await new BootMenu(machine).choose('without overlay');
    await machine.waitFor('the root overlay is not used (skipped): rd.cos.rootoverlay=0 is on the kernel command line');
    await machine.login();
    const guest = running();
    await expectHealthy(guest);
    for (const path of ['/usr/x', '/etc/x', '/var/x', '/usr/share/by-hand'])
      expect(await exists(guest, path)).toBe(false);
    expect(await guest.runChecked('findmnt -no SOURCE,OPTIONS /; dmsetup ls')).toMatch(
      /^\/dev\/loop\d+ +ro,.*\nNo devices found\n$/,
    );
    await guest.powerOff();
  });

  test('this machine is as it was', async () => {
    expect(await settledTraces()).toEqual(before);
  });
});
