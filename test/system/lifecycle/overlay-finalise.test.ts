// The running side of an upgrade with an overlay: what a system writes to / until its shutdown is in the new system's view,
// and where that can't be done the old system boots again. A flat image stands in for the snapshot, which this machine's
// kernel may lack; everything else is as on a machine that was booted from its active slot.

import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { makeView } from '../../../src/lifecycle/carry-trees.ts';
import { readPendingCarry } from '../../../src/lifecycle/pending-carry.ts';
import { readFingerprint } from '../../../src/overlay/fingerprint.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { type RunResult, run } from '../../../src/system/process.ts';
import { type DiskImage, machineTraces } from './disk-image.ts';
import { InstalledDisk, prepareDelivery, TOOL_DIRECTORIES } from './installed-disk.ts';
import { OverlayDisk } from './stored-view.ts';

let installed: InstalledDisk;
let keep: OverlayDisk;
let disk: DiskImage;
let delivery: string;
/** The running view, and the record of its boot. */
let view: string;
let record: string;

beforeAll(async () => {
  installed = await InstalledDisk.create({ v1: TOOL_DIRECTORIES, sizeMib: 5120 });
  keep = await OverlayDisk.create();
  disk = installed.original;
  delivery = await prepareDelivery(installed);
  view = join(keep.directory, 'running-view');
  record = join(keep.directory, 'rootoverlay');
  // What a first boot leaves.
  await keep.change(disk, 'active', () => {});
  const own = await keep.cowOf(disk, 'active');
  await disk.withMounted('COS_STATE', async (state) => {
    const base = join(state, 'cOS/active.img');
    await makeView(new UndoStack(), base, view);
    const [device = '', path = ''] = keep.place.split(':');
    const lines = {
      used: 'yes',
      device,
      path,
      file: `/run/initramfs/overlay/${own}`,
      fp: readFingerprint(base),
      backing: '/run/initramfs/overlay',
      base: '/run/initramfs/base',
      permission: 'rw',
    };
    writeFileSync(
      record,
      Object.entries(lines)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
  });
});
afterAll(async () => {
  await keep?.remove();
  installed?.remove();
});

/** Runs a script in the running view; `$holdfast` is the program. */
const inView = (target: DiskImage, script: string): Promise<RunResult> =>
  run(['sh', 'lab/crash/in-slot.sh', target.file, 'active', 'sh', '-c', `holdfast=/run/delivery/holdfast; ${script}`], {
    env: {
      ...process.env,
      IN_SLOT_DELIVERY: delivery,
      IN_SLOT_VIEW: view,
      IN_SLOT_RECORD: record,
      IN_SLOT_BACKING: keep.device,
    },
    timeoutMs: 120_000,
  });
const UPGRADE = '$holdfast upgrade --no-verify oci-layout:/run/delivery/layout:v2';

test('what is written until the shutdown is in the new system, and what was taken back isn’t', async () => {
  const target = await installed.copy();
  const traces = machineTraces();
  const saved = join(keep.directory, 'saved-view');
  copyFileSync(view, saved);
  const { status, stdout, stderr } = await inView(
    target,
    `set -e; echo early >/etc/early; echo gone >/etc/gone; ${UPGRADE}
     test -s /run/initramfs/cos-state/pending-overlay.json
     echo late >/etc/late; rm /etc/gone
     $holdfast overlay finalise; $holdfast overlay finalise`,
  );
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toContain('What changed in the overlay since the upgrade is carried');
  expect(stdout).toContain('No upgrade waits for this shutdown.');
  copyFileSync(saved, view);
  expect(machineTraces()).toEqual(traces);
  await keep.look(target, 'active', (root) => {
    const text = (path: string) => readFileSync(join(root, path), 'utf8');
    expect(text('etc/os-release')).toContain('Tiny 2');
    expect(text('etc/early')).toBe('early\n');
    expect(text('etc/late')).toBe('late\n');
    expect(existsSync(join(root, 'etc/gone'))).toBe(false);
  });
  await target.withMounted('COS_STATE', (state) => {
    expect(readPendingCarry(state)).toBeUndefined();
    for (const name of ['overlay-new', 'overlay-packages']) expect(existsSync(join(state, 'cOS', name))).toBe(false);
  });
});

test('where it can’t be carried the old system boots again, until an upgrade works', async () => {
  const target = await installed.copy();
  const saved = join(keep.directory, 'saved-view');
  copyFileSync(view, saved);
  const broken = await inView(
    target,
    `set -e; echo early >/etc/early; ${UPGRADE} --force
     echo late >/etc/late
     # Its overlay is lost.
     new=$(ls -t /run/initramfs/overlay/persist.img.????????????????.bind | head -n 1)
     rm "$new" "\${new%.bind}"
     $holdfast overlay finalise`,
  );
  expect(broken.status, broken.stdout + broken.stderr).toBe(5);
  expect(broken.stderr + broken.stdout).toContain('the old system boots again, with all of it');
  const entry = () =>
    target.withMounted('COS_OEM', (oem) => readGrubEnvironment(join(oem, 'grubenv')).get('saved_entry'));
  expect(await entry()).toBe('fallback');
  await target.withMounted('COS_STATE', (state) => {
    expect(readPendingCarry(state)).toMatchObject({ state: 'failed', problem: expect.stringContaining('is missing') });
  });

  const mended = await inView(target, `${UPGRADE} --force && $holdfast overlay finalise`);
  expect(mended.status, mended.stdout + mended.stderr).toBe(0);
  expect(await entry()).toBeUndefined();
  await keep.look(target, 'active', (root) => {
    expect(readFileSync(join(root, 'etc/late'), 'utf8')).toBe('late\n');
  });
  copyFileSync(saved, view);
});
