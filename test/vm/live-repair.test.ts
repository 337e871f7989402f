// A machine whose active image is gone is started from a disc, and `cos-upgrade` is typed there: it boots its active system
// again, and nobody has touched the passive one. About three minutes.

import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installOn } from '../../lab/demo/installed.ts';
import { chooseEntry, driveWith, makeLiveMedium } from '../../lab/live-medium.ts';
import { Machine } from '../../lab/machine/machine.ts';
import { DiskImage, settledTraces } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
let directory: string;
let disk: DiskImage;
let machine: Machine;
let passive: string;

/** Shows in the slot, and on the machine, what a hook of an upgrade on a live system sees. */
const HOOK = `stages:
  after-upgrade-chroot:
    - commands: ["cat /oem/mark /usr/local/mark > /usr/share/marks"]
`;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-live-repair-'));
  const { iso, images } = await makeLiveMedium(directory, log);
  disk = DiskImage.at(join(directory, 'disk.img'));
  await installOn(disk.file, `oci-layout:${images.layout}:v1`, { log });
  await disk.withMounted(
    'COS_OEM',
    (oem) => {
      writeFileSync(join(oem, '90_hook.yaml'), HOOK);
      writeFileSync(join(oem, 'mark'), 'oem\n');
    },
    { writable: true },
  );
  await disk.withMounted('COS_PERSISTENT', (local) => writeFileSync(join(local, 'mark'), 'local\n'), {
    writable: true,
  });
  await disk.withMounted(
    'COS_STATE',
    async (state) => {
      passive = await sha256(join(state, 'cOS/passive.img'));
      rmSync(join(state, 'cOS/active.img'));
    },
    { writable: true },
  );
  machine = await Machine.boot({
    disks: [{ file: disk.file, serial: 'system' }],
    logFile: join(directory, 'console.log'),
    network: 'restricted',
    bootMenu: 'keep',
    memoryMiB: 1536,
    // The drive first: the disk would start its passive system.
    extraArguments: driveWith(iso).map((word) => word.replace('bootindex=9', 'bootindex=0')),
  });
});
afterAll(async () => {
  await machine?.powerCut();
  disk?.remove();
  rmSync(directory, { recursive: true, force: true });
});

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

test('the disc knows what is installed, and what is wrong with it', async () => {
  await chooseEntry(machine, 0);
  await machine.login();
  const status = await machine.runChecked('holdfast status');
  expect(status).toContain('live system, from a medium or the network');
  expect(status).toMatch(/active\.img (is|does)/);
  const reset = await machine.run('holdfast reset');
  expect(reset.status).toBe(33);
});

test('cos-upgrade, as it is typed, makes the active system anew from the disc', async () => {
  const { status, stdout } = await machine.run('cos-upgrade', { timeoutMs: 900_000 });
  expect(stdout).toMatch(/this is a live system: what is upgraded is the system that is installed on \/dev\/vda\d/);
  expect(stdout).toContain('Upgrade done, now you might want to reboot');
  expect(status).toBe(0);
  const state = await machine.runChecked('holdfast state');
  expect(state).toMatch(/active:[\s\S]*fromAction: upgrade[\s\S]*passive:[\s\S]*fromAction: install/);
  expect(await machine.runChecked('findmnt --noheadings /dev/vda4 || true')).toBe('');
  await machine.powerOff();
});

test('the passive system is the same, byte for byte', async () => {
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await sha256(join(state, 'cOS/passive.img'))).toBe(passive);
  });
});

test('the machine boots its active system', async () => {
  machine = await Machine.boot({
    disks: [{ file: disk.file, serial: 'system' }],
    logFile: join(directory, 'console-2.log'),
    network: 'restricted',
  });
  await machine.login();
  expect(await machine.runChecked('cat /proc/cmdline; ls /run/cos')).toMatch(/active\.img[\s\S]*^active_mode$/m);
  expect(await machine.runChecked('cat /usr/share/marks')).toBe('oem\nlocal\n');
  expect(await machine.runChecked('holdfast status')).toMatch(/^active +Holdfast demo 1/m);
  await machine.powerOff();
  expect(await settledTraces()).toEqual(before);
});
