// User data on media that are attached to a real machine: a disc image is read in the initramfs of the very first boot
// and its stages take effect in that boot; a FAT disk and a disc in a drive are read on the running system. About four
// minutes.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureExecutable } from '../../lab/executable.ts';
import { Machine } from '../../lab/machine/machine.ts';
import { Story } from '../../lab/main-job/story.ts';
import { makeSeedDisc, makeSeedFat } from '../../lab/seed-media.ts';
import { settledTraces } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
let directory: string;
let machine: Machine;

const USER_DATA = `#cloud-config
stages:
  initramfs:
    - name: "From the disc"
      files:
        - { path: /etc/from-the-disc, content: "{{ .Values.os.name }}", permissions: 0640 }
  boot:
    - commands: ["echo booted > /run/from-the-disc"]
`;
const SCRIPT = '#!/bin/sh\necho "$0" > /run/from-the-drive\n';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-seeds-'));
  const story = new Story({
    directory,
    executable: await ensureExecutable(log),
    signal: new AbortController().signal,
    log,
    offline: true,
  });
  await story.buildImages();
  await story.install();
  const seed = (name: string) => join(directory, name);
  await makeSeedDisc(seed('cidata.iso'), 'cidata', { 'user-data': USER_DATA, 'meta-data': 'instance-id: i-1\n' });
  await makeSeedFat(seed('config-2.img'), 'CONFIG-2', { 'openstack/latest/user_data': SCRIPT }, { sizeMiB: 8 });
  await makeSeedDisc(seed('plain.iso'), 'ANYTHING', { config: '# from the drive\n' }, { names: 'plain' });
  machine = await Machine.boot({
    disks: [
      { file: story.disk, serial: 'system' },
      { file: seed('cidata.iso'), readOnly: true, serial: 'cidata' },
      { file: seed('config-2.img'), readOnly: true, serial: 'config2' },
    ],
    logFile: seed('console.log'),
    network: 'none',
    extraArguments: [
      '-device',
      'virtio-scsi-pci,id=scsi0',
      '-drive',
      `if=none,id=cd0,media=cdrom,readonly=on,format=raw,file=${seed('plain.iso')}`,
      '-device',
      'scsi-cd,bus=scsi0.0,drive=cd0',
    ],
  });
  await machine.login();
});
afterAll(async () => {
  await machine?.powerCut();
  rmSync(directory, { recursive: true, force: true });
});

/** Asks providers on the running system, and returns the step's result. */
async function ask(datasource: Readonly<Record<string, unknown>>) {
  const step = JSON.stringify({ stages: { s: [{ datasource }] } });
  await machine.putFile('/run/ask.yaml', `${step}\n`);
  const result = await machine.run('holdfast cloud-init --json --stage s /run/ask.yaml');
  const report = JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '{}');
  return { status: result.status, warnings: report.problems, changed: report.steps?.[0]?.changedFiles };
}

describe('a disc with user data, attached before the first boot', () => {
  test('its user data is kept in /oem, from where stages read it', async () => {
    expect(await machine.runChecked('cat /oem/userdata.yaml')).toBe(USER_DATA);
    expect(await machine.runChecked('cat /run/config/provider')).toBe('cdrom');
  });

  test('its stages took effect in that same boot, with their templates', async () => {
    expect(await machine.runChecked('cat /etc/from-the-disc; stat -c " %a" /etc/from-the-disc')).toBe(
      'Holdfast demo 1 640\n',
    );
    expect(await machine.runChecked('cat /run/from-the-disc')).toBe('booted\n');
  });

  test('nothing is mounted that was not asked for, and no unit has failed', async () => {
    expect((await machine.run('findmnt --noheadings --types iso9660')).stdout).toBe('');
    expect((await machine.runChecked('systemctl --failed --no-legend --plain')).trim()).toBe('');
  });
});

describe('on the running system', () => {
  test('a FAT disk with the label CONFIG-2 brings a script, which is run', async () => {
    expect(await ask({ providers: ['config-drive', 'cdrom'] })).toMatchObject({ status: 0, warnings: [] });
    expect(await machine.runChecked('cat /run/config/provider /run/from-the-drive')).toBe(
      'config-drive/run/config/userdata\n',
    );
  });

  test('the order of the list decides, and a second run changes nothing', async () => {
    const wish = { providers: ['cdrom', 'config-drive'], path: '/run/seed' };
    expect(await ask(wish)).toMatchObject({ status: 0, warnings: [] });
    expect(await machine.runChecked('cat /run/seed/userdata.yaml')).toBe(USER_DATA);
    expect(await ask(wish)).toEqual({ status: 0, warnings: [], changed: [] });
  });

  test('a disc in a drive is read whatever its label is, when no medium has the right one', async () => {
    await machine.runChecked('modprobe -a virtio_scsi sr_mod; udevadm settle; test -b /dev/sr0');
    // As if the labelled disc were taken out.
    await machine.runChecked(
      'echo 1 > /sys/block/$(basename $(readlink /dev/disk/by-id/virtio-cidata))/device/../remove',
    );
    await machine.runChecked('udevadm settle; test ! -e /dev/disk/by-label/cidata');
    expect(await ask({ providers: ['cdrom'], path: '/run/drive' })).toMatchObject({ status: 0 });
    expect(await machine.runChecked('cat /run/drive/userdata')).toBe('# from the drive\n');
  });

  test('it switches off, and this machine is as it was', async () => {
    await machine.powerOff();
    expect(await settledTraces()).toEqual(before);
  });
});
