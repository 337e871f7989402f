// Rollbacks on real disk images: from outside, as live media see it. What the slots hold afterwards, what GRUB would
// boot, what was cut off in the middle, and what refuses.

import { existsSync, linkSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readGrubEnvironment, writeGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { rollback } from '../../../src/lifecycle/apply-rollback.ts';
import { readLastAction } from '../../../src/lifecycle/last-action.ts';
import { slotId } from '../../../src/slots/identify.ts';
import { readState } from '../../../src/slots/state-file.ts';
import { probeFilesystem } from '../../../src/system/filesystems.ts';
import { type DiskImage, machineTraces } from './disk-image.ts';
import { grubSlot } from './grub-view.ts';
import { ALL_LABELS, InstalledDisk, LATER, systemsIn } from './installed-disk.ts';

let installed: InstalledDisk;
/** Active is version 2, passive version 1. */
let upgraded: DiskImage;

beforeAll(async () => {
  installed = await InstalledDisk.create();
  upgraded = await installed.copy();
  await installed.upgrade(upgraded, 'v2');
});
afterAll(() => installed?.remove());

const rollBack = (disk: DiskImage, options: { dryRun?: boolean } = {}) =>
  disk.withPartitions(ALL_LABELS, () => rollback({ command: 'test', now: LATER, ...options }));

test('the passive system becomes active for Linux and for GRUB, passive stays, and nothing is left behind', async () => {
  const disk = await installed.copy(upgraded);
  const before = machineTraces();
  await disk.withMounted(
    'COS_STATE',
    (state) => writeGrubEnvironment(join(state, 'grub_oem_env'), { boot_failure: 'active:no init;passive:no image' }),
    { writable: true },
  );
  await disk.withMounted('COS_OEM', (oem) => writeGrubEnvironment(join(oem, 'grubenv'), { saved_entry: 'fallback' }), {
    writable: true,
  });
  const result = await rollBack(disk);
  expect(result).toMatchObject({ outcome: 'ok', warnings: [] });
  expect(machineTraces()).toEqual(before);

  await disk.withMounted('COS_STATE', async (state) => {
    expect(await systemsIn(state)).toEqual(['Tiny 1', 'Tiny 1']);
    const active = await probeFilesystem(join(state, 'cOS/active.img'));
    expect(active.label).toBe('COS_ACTIVE');
    expect(grubSlot(disk.file, 'cOS/active.img')).toEqual({ uuid: active.uuid, label: 'COS_ACTIVE' });
    const { state: records } = readState(join(state, 'state.yaml'));
    expect(records.active).toMatchObject({ uuid: active.uuid, fromAction: 'rollback', date: LATER });
    expect(records.passive).toMatchObject({ uuid: active.uuid, fromAction: 'install' });
    expect(readGrubEnvironment(join(state, 'grub_oem_env')).get('boot_failure')).toBe('passive:no image');
    for (const name of ['transition.img', 'outgoing.img', 'running.img']) {
      expect(existsSync(join(state, 'cOS', name)), name).toBe(false);
    }
    expect(readLastAction(state)).toMatchObject({ action: 'rollback', outcome: 'ok' });
  });
  await disk.withMounted('COS_RECOVERY', (recovery) => {
    expect(readState(join(recovery, 'state.yaml')).state.active).toMatchObject({ fromAction: 'rollback' });
  });
  await disk.withMounted('COS_OEM', (oem) => {
    expect(readGrubEnvironment(join(oem, 'grubenv')).has('saved_entry')).toBe(false);
  });
});

test('a dry run changes nothing', async () => {
  const { outcome, plan } = await rollBack(upgraded, { dryRun: true });
  expect(outcome).toBe('planned');
  expect(plan.title).toBe('Go back to Tiny 1');
  await upgraded.withMounted('COS_STATE', async (state) => {
    expect(await systemsIn(state)).toEqual(['Tiny 2', 'Tiny 1']);
  });
});

test('one that was cut off between its two halves is completed by the next', async () => {
  const disk = await installed.copy(upgraded);
  // As the power leaves it: active is the copy of passive already, and what was active has only the third name.
  const outgoing = await disk.withMounted(
    'COS_STATE',
    async (state) => {
      const file = (name: string) => join(state, 'cOS', `${name}.img`);
      linkSync(file('active'), file('outgoing'));
      rmSync(file('active'));
      linkSync(file('passive'), file('active'));
      return slotId(file('outgoing'));
    },
    { writable: true },
  );
  const { plan } = await rollBack(disk);
  expect(plan.actions.map(({ kind }) => kind)).toContain('outgoing-to-passive');
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await systemsIn(state)).toEqual(['Tiny 1', 'Tiny 2']);
    const { state: records } = readState(join(state, 'state.yaml'));
    expect(records.passive).toMatchObject({ uuid: outgoing, fromAction: 'upgrade' });
    expect(await probeFilesystem(join(state, 'cOS/passive.img'))).toMatchObject({ label: 'COS_PASSIVE' });
    expect(existsSync(join(state, 'cOS/outgoing.img'))).toBe(false);
  });
});

test.each([
  ['is missing', (file: string) => rmSync(file), 'cOS/passive.img is missing'],
  ['is cut short', (file: string) => truncateSync(file, 4096), 'there is no passive system to go back to'],
])('without a passive system that boots (it %s) it is refused, and active stays', async (_, spoil, message) => {
  const disk = await installed.copy(upgraded);
  await disk.withMounted('COS_STATE', (state) => spoil(join(state, 'cOS/passive.img')), { writable: true });
  await expect(rollBack(disk)).rejects.toMatchObject({
    code: 'HF-STATE',
    message: expect.stringContaining(message),
  });
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await systemsIn(state, ['active'])).toEqual(['Tiny 2']);
  });
});

test('a second disk with the same labels is a refusal that names both, not a guess', async () => {
  const other = await installed.copy(upgraded);
  await expect(other.withPartitions(['COS_STATE'], () => rollBack(upgraded))).rejects.toMatchObject({
    code: 'HF-STATE',
    message: expect.stringMatching(
      /^the label COS_STATE is on several partitions: \/dev\/loop\d+ \(disk .*disk\.img\), \/dev\/loop\d+ \(disk .*disk\.img\)$/,
    ),
  });
});
