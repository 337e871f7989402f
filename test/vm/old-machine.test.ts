// A machine of cOS 0.8.10, which knows images by their labels and whose boot menu nobody renews, is upgraded by ours from
// inside: the new system boots, the old one stays a fallback that boots. About three minutes, four boots.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeDelivery } from '../../lab/demo/delivery.ts';
import { ensureDemoImages } from '../../lab/demo/images.ts';
import { Machine } from '../../lab/machine/machine.ts';
import { makeOldDisk } from '../../lab/old-machine/disk.ts';
import { DiskImage, settledTraces } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
let directory: string;
let disk: string;
let delivery: string;
let machine: Machine;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-old-'));
  disk = join(directory, 'disk.img');
  delivery = join(directory, 'delivery.img');
  const demo = await ensureDemoImages({ log });
  await makeOldDisk(disk, demo, log);
  await makeDelivery(demo.layout, delivery);
  machine = await Machine.boot({
    disks: [
      { file: disk, serial: 'system' },
      { file: delivery, readOnly: true, serial: 'delivery' },
    ],
    logFile: join(directory, 'console.log'),
    network: 'restricted',
  });
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') log(machine.consoleTail(60));
});
afterAll(async () => {
  await machine?.powerCut();
  rmSync(directory, { recursive: true, force: true });
});

const name = () => machine.runChecked('. /etc/os-release; echo "$PRETTY_NAME"');
const labelOf = (slot: string) =>
  machine.runChecked(`blkid -p -s LABEL -o value /run/initramfs/cos-state/cOS/${slot}.img`);

describe('a machine of cOS 0.8.10', () => {
  test('boots as it used to: its root is the image with the label COS_ACTIVE', async () => {
    await machine.login();
    expect(await name()).toBe('Old cOS\n');
    const words = (await machine.runChecked('cat /proc/cmdline')).trim().split(' ');
    expect(words).toEqual(expect.arrayContaining(['root=LABEL=COS_ACTIVE', 'cos-img/filename=/cOS/active.img']));
    expect(await machine.runChecked('blkid -L COS_ACTIVE')).toBe('/dev/loop0\n');
    expect(await machine.runChecked('findmnt -no FSTYPE,OPTIONS /')).toMatch(/^ext\d\s+ro,/);
    expect(await machine.runChecked('findmnt -no FSTYPE /run/initramfs/cos-state')).toBe('ext4\n');
  });

  test('is upgraded from inside; the fallback is the running system under the label that its arguments ask for', async () => {
    await machine.runChecked('mkdir -p /run/delivery && mount -o ro LABEL=DELIVERY /run/delivery');
    const result = await machine.run('holdfast upgrade oci-layout:/run/delivery:v2', { timeoutMs: 900_000 });
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining('Upgrade completed') });
    expect(await labelOf('passive')).toBe('COS_PASSIVE\n');
    expect(await labelOf('active')).toBe('COS_ACTIVE\n');
    expect(await machine.runChecked('findmnt -no OPTIONS /run/initramfs/cos-state')).toMatch(/^ro,/);
  });

  test('boots the new system through the old boot menu', async () => {
    await machine.reboot();
    expect(await name()).toBe('Holdfast demo 2\n');
    // Its trial has ended: what the owner chooses next is no part of that.
    await machine.runChecked('until [ -e /run/holdfast/assessed ]; do sleep 1; done');
    expect(await machine.runChecked('systemctl --failed --no-legend --plain')).toBe('');
    const status = await machine.runChecked('holdfast status');
    expect(status).toMatch(/^active\s+Holdfast demo 2 .*running/m);
    expect(status).toMatch(/^passive\s+Old cOS /m);
  });

  test('boots the old system as its fallback, once', async () => {
    await machine.runChecked('holdfast boot --once passive');
    await machine.reboot();
    expect(await name()).toBe('Old cOS\n');
    expect(await machine.runChecked('cat /proc/cmdline')).toContain('root=LABEL=COS_PASSIVE');
  });

  test('comes back to the new system by itself, which is none that has failed', async () => {
    await machine.reboot();
    expect(await name()).toBe('Holdfast demo 2\n');
    expect(await machine.runChecked('holdfast status')).not.toMatch(/FALLBACK|FAILED|PROBLEM/);
    await machine.powerOff();
  });

  test('what it leaves on the disk is whole, and this machine is as it was', async () => {
    await DiskImage.at(disk).withMounted('COS_STATE', (state) => {
      expect(readdirSync(join(state, 'cOS')).filter((file) => /transition|\.new$/.test(file))).toEqual([]);
    });
    expect(await settledTraces()).toEqual(before);
  });
});
