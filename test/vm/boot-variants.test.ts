// The other ways a machine comes up, one after the other on one disk: slots that can not boot lead to the recovery
// system, recovery from an image file and from a squashfs, missing and destroyed partitions, settings that are nonsense.
// Each must end at a login with a plain message; the recovery systems repair the machine and replace themselves. Live
// systems have stories of their own. About six minutes.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DEMO_KERNEL_ARGUMENTS } from '../../lab/demo/content.ts';
import { makeDelivery } from '../../lab/demo/delivery.ts';
import { installDemo } from '../../lab/demo/installed.ts';
import { type BootOptions, Machine } from '../../lab/machine/machine.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { runChecked } from '../../src/system/process.ts';
import { DiskImage, settledTraces } from '../system/lifecycle/disk-image.ts';
import { MARKERS, markerStages, parseMarkers } from './stage-markers.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
let directory: string;
let disk: DiskImage;
let delivery: string;
let machine: Machine | undefined;

/** Leaves a mark in the systems that a reset makes. */
const HOOK = `stages:
  after-reset-chroot:
    - name: "A mark"
      commands: ["echo reset > /usr/share/marked"]
`;

/** Settings as nobody should write them; what can be understood counts. */
const NONSENSE = `stages:
  rootfs.after:
    - name: "Nonsense"
      commands:
        - |
          cat >> /run/cos/cos-layout.env << 'END'
          VOLUMES="nonsense LABEL=NOWHERE:/srv /dev/null:/opt LABEL=COS_OEM:/oem LABEL=COS_OEM:/oem/../etc"
          RW_PATHS="/etc /var /root relative /no/such/directory /../climbs"
          PERSISTENT_STATE_PATHS="/home"
          = = =
          END
`;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-variants-'));
  disk = DiskImage.at(join(directory, 'disk.img'));
  const { layout } = await installDemo(disk.file, { log });
  delivery = join(directory, 'delivery.img');
  await makeDelivery(layout, delivery);
  await onOem((oem) => {
    writeFileSync(join(oem, '90_markers.yaml'), markerStages());
    writeFileSync(join(oem, '92_reset.yaml'), HOOK);
  });
  log('making recovery.squashfs from the slot');
  await onState(async (state) => {
    await withSlot(state, 'active', async (tree) => {
      const file = join(directory, 'recovery.squashfs');
      await runChecked([
        'mksquashfs',
        tree,
        file,
        '-comp',
        'gzip',
        '-Xcompression-level',
        '1',
        '-no-progress',
        '-quiet',
      ]);
      mkdirSync(join(directory, 'boot'));
      for (const name of ['vmlinuz', 'initrd']) copyFileSync(join(tree, 'boot', name), join(directory, 'boot', name));
    });
  });
});
afterEach(async ({ task }) => {
  // A test that follows in the same group goes on with the machine that is on.
  if (task.result?.state === 'fail' || machine?.isRunning === false) {
    await machine?.powerCut();
    machine = undefined;
  }
});
afterAll(async () => {
  await machine?.powerCut();
  disk?.remove();
  rmSync(directory, { recursive: true, force: true });
});

const onOem = (work: (oem: string) => Promise<void> | void) => disk.withMounted('COS_OEM', work, { writable: true });
const onState = (work: (state: string) => Promise<void> | void) =>
  disk.withMounted('COS_STATE', work, { writable: true });
const onRecovery = (work: (recovery: string) => Promise<void> | void) =>
  disk.withMounted('COS_RECOVERY', work, { writable: true });

/** Mounts a slot's image, writable, for as long as `work` takes. */
async function withSlot(state: string, slot: string, work: (tree: string) => Promise<void> | void): Promise<void> {
  const tree = join(directory, slot);
  mkdirSync(tree, { recursive: true });
  await mount(join(state, `cOS/${slot}.img`), tree, { options: ['loop'] });
  try {
    await work(tree);
  } finally {
    await unmount(tree);
  }
}

/** The machine that the test before has booted. */
function running(): Machine {
  if (machine === undefined) throw new Error('the boot before this test failed');
  return machine;
}

let boots = 0;
/** Switches the machine on and waits until it is up. */
async function boot(options: Partial<BootOptions> = {}): Promise<Machine> {
  machine = await Machine.boot({
    disks: [{ file: disk.file, serial: 'system' }],
    logFile: join(directory, `console-${++boots}.log`),
    // With an address: what waits for the network shall not fail.
    network: 'restricted',
    ...options,
  });
  await machine.login();
  await machine.runChecked('systemctl is-system-running --wait || true');
  expect(await machine.runChecked('systemctl --failed --no-legend --plain')).toBe('');
  return machine;
}

const consoleOf = (guest: Machine) => readFileSync(guest.logFile, 'utf8');

describe('two broken slots, a squashfs as recovery, 512 MB of memory', () => {
  test('the machine ends up in recovery, says why, and tries active again when it is mended', async () => {
    await onState(async (state) => {
      // Nothing can run the first stages.
      await withSlot(state, 'active', (tree) => rmSync(join(tree, 'usr/bin/holdfast')));
      // GRUB reads its kernel, and Linux refuses to mount it: the file system claims to be larger than the file.
      await runChecked(['debugfs', '-w', '-R', 'ssv blocks_count 99999999', join(state, 'cOS/passive.img')]);
    });
    await onRecovery((recovery) => {
      renameSync(join(recovery, 'cOS/recovery.img'), join(recovery, 'cOS/recovery.kept'));
      copyFileSync(join(directory, 'recovery.squashfs'), join(recovery, 'cOS/recovery.squashfs'));
    });
    const guest = await boot({ memoryMiB: 512 });
    expect(guest.resets).toBe(2);
    expect(await guest.runChecked('cat /proc/cmdline; ls /run/cos')).toMatch(
      /recovery\.squashfs[\s\S]*^recovery_mode$/m,
    );
    expect(await guest.runChecked('findmnt -no FSTYPE /')).toBe('squashfs\n');
    const told = consoleOf(guest)
      .split(/\r?\n/)
      .filter((line) => /^.*holdfast: /.test(line))
      .join('\n');
    expect(told).toMatch(/active.*passive/);
    expect(told).toMatch(/passive.*recovery/);
    const status = await guest.runChecked('holdfast status');
    expect(status).toContain('the image has no /usr/bin/holdfast');
    expect(status).toContain('passive.img can not be mounted');
    expect(status).toMatch(/^recovery +Holdfast demo 1/m);
    const banner = await guest.runChecked('cat /etc/issue.d/*.issue');
    expect(banner).toContain('Recovery system');
    expect(banner).toContain('The passive slot did not start');
    const markers = parseMarkers(await guest.runChecked(`cat ${MARKERS}`));
    expect(markers.find(({ stage }) => stage === 'boot')).toMatchObject({
      writable: ['/etc', '/var', '/oem', '/usr/local'],
      modes: ['recovery_mode'],
    });
  });

  test('cos-reset makes both slots anew from the squashfs, and what failed is forgotten', async () => {
    const guest = running();
    const result = await guest.run('cos-reset', { timeoutMs: 900_000 });
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining('Running after-reset-chroot hook') });
    const status = await guest.runChecked('holdfast status');
    expect(status).toMatch(/^active +Holdfast demo 1/m);
    expect(status).toMatch(/^passive +Holdfast demo 1/m);
    expect(status).not.toMatch(/FAILED|PROBLEM/);
    expect(await guest.runChecked('holdfast state')).toContain('fromAction: reset');
    await guest.powerOff();
  });
});

describe('recovery from an image file, nonsense in the layout', () => {
  test('it boots, keeps out of the persistent partition, and lists what it did not understand', async () => {
    await onRecovery((recovery) => {
      rmSync(join(recovery, 'cOS/recovery.squashfs'));
      renameSync(join(recovery, 'cOS/recovery.kept'), join(recovery, 'cOS/recovery.img'));
    });
    await onOem(async (oem) => {
      writeFileSync(join(oem, '91_nonsense.yaml'), NONSENSE);
      await runChecked(['grub-editenv', join(oem, 'grubenv'), 'set', 'next_entry=recovery']);
    });
    const guest = await boot({
      disks: [
        { file: disk.file, serial: 'system' },
        { file: delivery, readOnly: true, serial: 'delivery' },
      ],
    });
    expect(await guest.runChecked('cat /proc/cmdline; ls /run/cos')).toMatch(/recovery\.img[\s\S]*^recovery_mode$/m);
    expect((await guest.run('findmnt -no SOURCE /usr/local')).stdout).not.toContain('/dev/');
    const status = await guest.runChecked('holdfast status');
    for (const word of ['nonsense', 'NOWHERE', 'relative', '/no/such/directory']) expect(status).toContain(word);
    await guest.runChecked('touch /etc/x /var/x /root/x /oem/x');
  });

  test('it replaces itself: the next recovery system is version 2', async () => {
    const guest = running();
    await guest.runChecked('mkdir -p /run/delivery && mount -o ro LABEL=DELIVERY /run/delivery');
    const result = await guest.run('holdfast upgrade --recovery oci-layout:/run/delivery:v2', { timeoutMs: 900_000 });
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining('Upgrade completed') });
    expect(await guest.runChecked('holdfast status')).toMatch(/^recovery +Holdfast demo 2/m);
    expect(await guest.runChecked('findmnt -no OPTIONS /run/initramfs/cos-state')).toMatch(/^ro,/);
    await guest.powerOff();
  });
});

describe('OEM destroyed, PERSISTENT gone', () => {
  test('active boots with defaults and a plain message', async () => {
    await disk.withPartitions(['COS_OEM', 'COS_PERSISTENT'], async (devices) => {
      await runChecked(['dd', 'if=/dev/urandom', `of=${devices['COS_OEM']}`, 'bs=1M', 'count=8', 'conv=fsync']);
      await runChecked(['tune2fs', '-L', 'SOMETHING', devices['COS_PERSISTENT'] ?? '']);
    });
    // What keeps the boot short was in the block on COS_OEM; the one beside the menu is read as well.
    await onState(async (state) => {
      await runChecked(['grub-editenv', join(state, 'grub_oem_env'), 'set', `extra_cmdline=${DEMO_KERNEL_ARGUMENTS}`]);
    });
    const guest = await boot();
    expect(await guest.runChecked('cat /proc/cmdline; ls /run/cos')).toMatch(/active\.img[\s\S]*^active_mode$/m);
    expect(await guest.runChecked('cat /usr/share/marked')).toBe('reset\n');
    await guest.runChecked('touch /usr/local/x /etc/x');
    const status = await guest.runChecked('holdfast status');
    expect(status).toContain('COS_PERSISTENT');
    expect(status).toContain('COS_OEM');
    expect(await guest.runChecked('cat /run/holdfast/login.issue')).toContain('holdfast status');
    expect(await guest.runChecked('grep -c COS_ /etc/fstab || true')).toBe('0\n');
    await guest.powerOff();
  });
});

describe('afterwards', () => {
  test('this machine is as it was', async () => {
    expect(await settledTraces()).toEqual(before);
    expect(existsSync(directory)).toBe(true);
  });
});
