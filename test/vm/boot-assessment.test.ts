// A new system whose health check fails: the machine goes back by itself, says why, refuses that image, and takes a good
// one from the fallback without touching it. About four minutes, four boots.

import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeDelivery } from '../../lab/demo/delivery.ts';
import { type DemoImage, deriveImage } from '../../lab/demo/images.ts';
import { installDemo } from '../../lab/demo/installed.ts';
import { Machine } from '../../lab/machine/machine.ts';
import { settledTraces } from '../system/lifecycle/disk-image.ts';

/** A system that boots well, and whose own check says that it is of no use. */
const USELESS = {
  'usr/lib/os-release': { text: 'NAME="Holdfast demo"\nPRETTY_NAME="Holdfast demo useless"\nID=holdfast-demo\n' },
  'etc/holdfast/health.d/50-database': {
    text: '#!/bin/sh\necho "asked with $1"\necho "the database does not answer" >&2\nexit 4\n',
    mode: 0o755,
  },
  'etc/holdfast/assessment.yaml': { text: 'tries: 2\ninterval: 2\n' },
};

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
let directory: string;
let useless: DemoImage;
let machine: Machine;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-assessment-'));
  const disk = join(directory, 'disk.img');
  const delivery = join(directory, 'delivery.img');
  const demo = await installDemo(disk, { log });
  const layout = join(directory, 'layout');
  cpSync(demo.layout, layout, { recursive: true });
  useless = await deriveImage(demo, { from: 'v2', layout, tag: 'useless', files: USELESS });
  await makeDelivery(layout, delivery);
  rmSync(layout, { recursive: true });
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

const STATE = '/run/initramfs/cos-state';
const name = () => machine.runChecked('. /etc/os-release; echo "$PRETTY_NAME"');
const block = () =>
  machine.runChecked(
    `grub-editenv ${STATE}/boot_assessment list || holdfast grubenv get --file ${STATE}/boot_assessment`,
  );
const upgrade = (tag: string) =>
  machine.run(
    `mkdir -p /run/delivery; mountpoint -q /run/delivery || mount -o ro LABEL=DELIVERY /run/delivery
    holdfast upgrade oci-layout:/run/delivery:${tag}`,
    { timeoutMs: 900_000 },
  );
let passive = '';
const passiveFile = () =>
  machine.runChecked(`stat -c '%i %s %Y' ${STATE}/cOS/passive.img; blkid -p -s UUID -o value ${STATE}/cOS/passive.img`);

describe('a new system that does not prove that it works', () => {
  test('is armed by the upgrade; this boot, which nobody assesses, pays nothing for it', async () => {
    await machine.login();
    expect(await machine.runChecked('cat /proc/cmdline')).not.toContain('holdfast.assess');
    expect(
      await machine.runChecked('systemctl show -p ConditionResult --value holdfast-assess holdfast-assess-deadline'),
    ).toMatch(/^no\n+no\n$/);
    expect(await upgrade('useless')).toMatchObject({ status: 0, stdout: expect.stringContaining('Upgrade completed') });
    expect(await block()).toMatch(/^enable_boot_assessment=yes$/m);
    passive = await passiveFile();
  });

  test('is given up by the machine itself, with a line on the console', async () => {
    await machine.startReboot();
    await machine.waitForReset(1, { timeoutMs: 600_000 });
    const told = readFileSync(machine.logFile, 'utf8').match(/holdfast: The new system did not prove.*/g);
    expect(told?.[0]).toContain('the check /etc/holdfast/health.d/50-database failed (its status was 4)');
  });

  test('leaves the machine on its fallback, which knows why', async () => {
    await machine.login();
    expect(await name()).toBe('Holdfast demo 1\n');
    expect(await machine.runChecked('cat /proc/cmdline')).toMatch(/passive\.img.* upgrade_failure$/m);
    await machine.runChecked('systemctl is-system-running --wait');
    expect(await machine.runChecked('stat -c %a /run/cos/upgrade_failure; cat /run/cos/upgrade_failure')).toBe(
      '600\n1',
    );
    expect(await block()).toMatch(/^boot_assessment_failed=[0-9a-f-]{36}$/m);
    expect(await block()).not.toMatch(/=yes$/m);
    const status = await machine.runChecked('holdfast status');
    expect(status).toMatch(/^booted +passive$/m);
    expect(status).toMatch(/^FALLBACK .*Holdfast demo useless.*50-database failed/m);
    expect(status).toContain('| the database does not answer');
    expect(status).toContain('| asked with check');
    expect(await machine.runChecked('cat /etc/issue.d/*.issue')).toContain('This machine runs its fallback since');
  });

  test('is refused from now on', async () => {
    const refused = await upgrade('useless');
    expect(refused.status).toBe(97);
    expect(refused.stderr).toMatch(/did not prove itself on this machine on 20.*50-database failed/);
    expect(refused.stderr).toContain('--force');
    const record = JSON.parse(await machine.runChecked(`cat ${STATE}/boot_assessment.json`));
    expect(record).toEqual({
      failed: [expect.objectContaining({ digest: useless.digest, name: 'Holdfast demo useless' })],
    });
    expect(await passiveFile()).toBe(passive);
  });

  test('is replaced by a good one, and the fallback stays as it is', async () => {
    expect(await upgrade('v2')).toMatchObject({ status: 0, stdout: expect.stringContaining('Upgrade completed') });
    expect(await passiveFile()).toBe(passive);
    await machine.reboot();
    expect(await name()).toBe('Holdfast demo 2\n');
    expect(await machine.runChecked('cat /proc/cmdline')).toContain('holdfast.assess=trial');
    await machine.runChecked('until [ -e /run/holdfast/assessed ]; do sleep 1; done');
    await machine.runChecked('while systemctl is-active -q holdfast-assess; do sleep 1; done');
    expect(await block()).toBe('enable_boot_assessment=\nboot_assessment_tentative=\n');
    expect(await machine.runChecked(`findmnt -no OPTIONS ${STATE}`)).toMatch(/^ro,/);
    const status = await machine.runChecked('holdfast status');
    expect(status).toMatch(/^assessed +this system has proved on 20.* that it works/m);
    expect(status).not.toMatch(/FALLBACK|FAILED|PROBLEM/);
    expect(await machine.runChecked('systemctl --failed --no-legend --plain')).toBe('');
    await machine.powerOff();
    expect(await settledTraces()).toEqual(before);
  });
});
