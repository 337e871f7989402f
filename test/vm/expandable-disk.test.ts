// The first boot of an expandable disk: built small, given a larger disk, cut off in the middle of its first boot, and at the
// next start it fills that disk, deploys its system and restarts into it by itself. What would make it begin anew is gone then.
// Three boots, about three minutes.

import { existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEMO_KERNEL_ARGUMENTS } from '../../lab/demo/content.ts';
import { ensureDemoImages } from '../../lab/demo/images.ts';
import { ensureExecutable } from '../../lab/executable.ts';
import { Machine } from '../../lab/machine/machine.ts';
import { runChecked } from '../../src/system/process.ts';
import { DiskImage } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const REAL_DISK_BYTES = 14 * 1024 ** 3;
const FIRST_BOOT_FILE = '/oem/00_disk_layout_setup.yaml';
const MINE = `stages:
  after-deploy-chroot:
    - name: "A mark in the system"
      commands: ["echo mine > /usr/share/marked"]
  boot:
    - name: "A mark at each boot"
      commands: ["echo booted > /run/marked"]
`;

let directory: string;
let disk: string;
let machine: Machine | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-expandable-'));
  disk = join(directory, 'disk.raw');
});
afterAll(async () => {
  await machine?.powerCut();
  rmSync(directory, { recursive: true, force: true });
});

function running(): Machine {
  if (machine === undefined) throw new Error('the machine has not come up');
  return machine;
}

const boot = async () => {
  const options = { logFile: join(directory, 'serial.log'), appendLog: true, network: 'restricted' as const };
  return Machine.boot({ disks: [{ file: disk }], memoryMiB: 1536, ...options });
};

describe('an expandable disk', () => {
  test('is built small, with the owner’s file', async () => {
    const [{ layout }, executable] = [await ensureDemoImages({ log }), await ensureExecutable(log)];
    const mine = join(directory, 'mine.yaml');
    writeFileSync(mine, MINE);
    const build = [
      executable,
      'build-disk',
      `oci-layout:${layout}:v1`,
      '-o',
      disk,
      '--expandable',
      '-c',
      mine,
    ] as const;
    await runChecked(build, { onLine: log });
    expect(existsSync(`${disk}.sha256`)).toBe(true);
    expect(statSync(disk).size).toBeLessThan(2 * 1024 ** 3);
    await DiskImage.at(disk).withMounted(
      'COS_OEM',
      (oem) => runChecked(['grub-editenv', join(oem, 'grubenv'), 'set', `extra_cmdline=${DEMO_KERNEL_ARGUMENTS}`]),
      { writable: true },
    );
    truncateSync(disk, REAL_DISK_BYTES);
  });

  test('whose first boot is cut off while it deploys', async () => {
    machine = await boot();
    await machine.waitFor('First boot: the system is being deployed', { timeoutMs: 600_000 });
    await machine.powerCut();
  });

  test('deploys at the next start, and restarts by itself into a system that is the owner’s', async () => {
    machine = await boot();
    await machine.waitForReset(0, { timeoutMs: 1_500_000 });
    await machine.login();
    const status = await machine.runChecked('ls /run/cos; cat /usr/share/marked; holdfast status');
    expect(status).toContain('active_mode');
    expect(status).toContain('mine\n');
    // The stage `boot` may still be at work when somebody can log in.
    await machine.runChecked('until [ -e /run/marked ]; do sleep 1; done', { timeoutMs: 300_000 });
    const state = await machine.runChecked('holdfast state');
    expect(state).toMatch(/active:\n {4}source: oci-layout:/);
    expect(state).toContain('fromAction: deploy');
    expect(state).toContain('fromAction: build-disk');
  });

  test('the partitions fill the disk, and both slots are there', async () => {
    const guest = running();
    const table = await guest.runChecked(
      'lsblk --bytes --noheadings --raw --output PARTLABEL,LABEL,FSTYPE,SIZE /dev/vda',
    );
    const rows = table.split('\n').map((line) => line.split(' '));
    const size = (label: string) => Number(rows.find((row) => row[1] === label)?.[3]);
    expect(rows.find((row) => row[1] === 'COS_STATE')?.slice(0, 3)).toEqual(['state', 'COS_STATE', 'xfs']);
    expect(rows.find((row) => row[1] === 'COS_PERSISTENT')?.slice(0, 3)).toEqual([
      'persistent',
      'COS_PERSISTENT',
      'ext4',
    ]);
    // install's default for COS_STATE, and all of the rest to the last two MiB.
    expect(size('COS_STATE')).toBe(8192 * 1024 ** 2);
    const used = ['COS_GRUB', 'COS_OEM', 'COS_RECOVERY', 'COS_STATE', 'COS_PERSISTENT'].reduce(
      (sum, label) => sum + size(label),
      0,
    );
    expect(REAL_DISK_BYTES - used).toBeLessThanOrEqual(3 * 1024 ** 2);
    const slots = await guest.runChecked(
      'cd /run/initramfs/cos-state/cOS; blkid -s LABEL -o value active.img passive.img',
    );
    expect(slots).toBe('COS_ACTIVE\nCOS_PASSIVE\n');
    const grown = await guest.runChecked('df --output=size -B1M /usr/local | tail -n 1');
    expect(Number(grown)).toBeGreaterThan(4000);
  });

  test('nothing of the first boot is left, in the files and in what the boot menu remembers', async () => {
    const guest = running();
    await guest.runChecked(`until [ ! -e ${FIRST_BOOT_FILE} ]; do sleep 1; done`, { timeoutMs: 300_000 });
    const seen = await guest.runChecked('ls /run/cos /oem; cat /proc/cmdline; holdfast boot');
    expect(seen).toContain('active_mode');
    expect(seen).toContain('99_custom.yaml');
    expect(seen).not.toContain('holdfast.firstboot');
    const blocks = await guest.runChecked('cat /oem/grubenv /run/initramfs/cos-state/grub_oem_env');
    expect(blocks).not.toMatch(/_entry=recovery$|holdfast\.firstboot/m);
    expect(await guest.runChecked('holdfast status')).not.toMatch(/FAILED|PROBLEM/);
    await guest.powerOff();
  });
});
