// The actions as on a booted machine: the real executable runs from a slot file as its root, with STATE or RECOVERY where
// the initramfs mounts it, read-only. What becomes of the running system's file, and that a second action undoes or
// repeats the first, shows only there.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { idIn } from '../../../src/preview/plan-name.ts';
import type { SlotName } from '../../../src/slots/names.ts';
import { readState } from '../../../src/slots/state-file.ts';
import { type DiskImage, machineTraces, slotText } from './disk-image.ts';
import { holdfastInSlot, InstalledDisk, prepareDelivery, systemsIn, TOOL_DIRECTORIES } from './installed-disk.ts';

let installed: InstalledDisk;
let delivery: string;
/** Upgraded to version 2 from the running version 1. */
let upgraded: DiskImage;

beforeAll(async () => {
  installed = await InstalledDisk.create({
    v1: TOOL_DIRECTORIES,
    v2: { 'system/oem/50_new.yaml': NEW_HOOKS },
  });
  delivery = await prepareDelivery(installed);
  upgraded = await installed.copy();
  expect(await inSlot(upgraded, 'active', ['upgrade', V2])).toContain('Upgrade completed');
}, 300_000);
afterAll(() => installed?.remove());

/** Stage files that the running image doesn't have; where the partitions are for a hook on the running system. */
const NEW_HOOKS = ['before-upgrade', 'after-upgrade', 'post-upgrade', 'after-upgrade-chroot']
  .map((hook) => `  ${hook}:\n    - commands: ["echo ${hook} $(echo /run/cos/*/) >> /oem/hooks"]\n`)
  .reduce((text, part) => text + part, 'stages:\n');

const V2 = 'oci-layout:/run/delivery/layout:v2';

/** Runs holdfast on a machine that was booted from a slot; what it printed. */
async function inSlot(disk: DiskImage, slot: SlotName, args: readonly string[], status = 0): Promise<string> {
  const result = await holdfastInSlot(delivery, disk, slot, args);
  const text = `${result.stdout}${result.stderr}`;
  expect(result.status, text).toBe(status);
  return text;
}

const systems = (disk: DiskImage) => disk.withMounted('COS_STATE', (state) => systemsIn(state));
const files = (disk: DiskImage, label = 'COS_STATE') =>
  disk.withMounted(label, (directory) =>
    readdirSync(join(directory, 'cOS')).filter((name) => !/^pristine|^ledger/.test(name)),
  );
const recoveryOf = (disk: DiskImage) =>
  disk.withMounted('COS_RECOVERY', (directory) => slotText(directory, 'recovery', '/etc/os-release'));

test('upgrade from active: the running system becomes passive, and its file keeps a name until the reboot', async () => {
  expect(await systems(upgraded)).toEqual(['Tiny 2', 'Tiny 1']);
  expect((await files(upgraded)).sort()).toEqual(['active.img', 'passive.img', 'running.img']);
  await upgraded.withMounted('COS_STATE', (state) => {
    const { active, passive } = readState(join(state, 'state.yaml')).state;
    expect([active?.fromAction, passive?.fromAction]).toEqual(['upgrade', 'install']);
    expect(readState(join(state, 'state.yaml')).state).not.toHaveProperty('transition');
  });
});

test('host hooks after the new system was built include those that only its image brings, with the partitions mounted', async () => {
  const lines = await upgraded.withMounted('COS_OEM', (oem) => readFileSync(join(oem, 'hooks'), 'utf8').split('\n'));
  const places = '/run/cos/oem/ /run/cos/persistent/ /run/cos/recovery/ /run/cos/state/';
  expect(lines).toEqual([
    // In the new system, which shares /run, nothing is mounted there.
    expect.stringMatching(/^after-upgrade-chroot /),
    `after-upgrade ${places}`,
    `post-upgrade ${places}`,
    '',
  ]);
});

test('rollback from active: the two change places, and a second one undoes it', async () => {
  const disk = await installed.copy(upgraded);
  const before = machineTraces();
  expect(await inSlot(disk, 'active', ['rollback'])).toContain('Rollback completed\n');
  expect(machineTraces()).toEqual(before);
  expect(await systems(disk)).toEqual(['Tiny 1', 'Tiny 2']);
  expect((await files(disk)).sort()).toEqual(['active.img', 'passive.img', 'running.img']);
  expect(await inSlot(disk, 'active', ['rollback'])).toContain('Rollback completed\n');
  expect(await systems(disk)).toEqual(['Tiny 2', 'Tiny 1']);
  await disk.withMounted('COS_STATE', (state) => {
    const { active, passive } = readState(join(state, 'state.yaml')).state;
    expect([active?.fromAction, passive?.fromAction]).toEqual(['rollback', 'rollback']);
  });
});

test('rollback from passive: active becomes what runs, which stays', async () => {
  const disk = await installed.copy(upgraded);
  expect(await inSlot(disk, 'passive', ['rollback'])).toContain('Rollback completed\n');
  expect(await systems(disk)).toEqual(['Tiny 1', 'Tiny 1']);
});

test('rollback where both slots hold the system that runs: there is nothing to go back to', async () => {
  const disk = await installed.copy();
  expect(await inSlot(disk, 'active', ['rollback'])).toContain('Nothing to go back to');
});

test('upgrade from passive and from recovery replaces active only', async () => {
  for (const slot of ['passive', 'recovery'] as const) {
    const disk = await installed.copy();
    expect(await inSlot(disk, slot, ['upgrade', V2]), slot).toContain('Upgrade completed\n');
    expect(await systems(disk), slot).toEqual(['Tiny 2', 'Tiny 1']);
  }
});

test.each(['active', 'passive', 'recovery'] as const)(
  'upgrade --recovery from %s: a new recovery system, and the slots as they were',
  async (slot) => {
    const disk = await installed.copy();
    const before = machineTraces();
    expect(await inSlot(disk, slot, ['upgrade', '--recovery', V2])).toContain('Upgrade completed\n');
    expect(machineTraces()).toEqual(before);
    expect(await recoveryOf(disk)).toContain('Tiny 2');
    expect(await systems(disk)).toEqual(['Tiny 1', 'Tiny 1']);
    const names = slot === 'recovery' ? ['recovery.img', 'running.img'] : ['recovery.img'];
    expect((await files(disk, 'COS_RECOVERY')).sort()).toEqual(names);
  },
);

test('reset runs from the recovery system only', async () => {
  const disk = await installed.copy(upgraded);
  const refusal = 'reset can only be called from the recovery system';
  expect(await inSlot(disk, 'active', ['reset'], 33)).toContain(refusal);
  expect(await inSlot(disk, 'recovery', ['reset', '--persistent', '--oem'])).toContain('Reset completed\n');
  expect(await systems(disk)).toEqual(['Tiny 1', 'Tiny 1']);
  await disk.withMounted('COS_OEM', (oem) => expect(readdirSync(oem).sort()).toEqual(['grubenv', 'lost+found']));
  expect(await inSlot(disk, 'active', ['boot'])).toContain('next       active');
});

test('reset --force from active and from passive', async () => {
  for (const slot of ['active', 'passive'] as const) {
    const disk = await installed.copy(upgraded);
    expect(await inSlot(disk, slot, ['reset', '--force']), slot).toContain('Reset completed\n');
    expect(await systems(disk), slot).toEqual(['Tiny 1', 'Tiny 1']);
  }
});

test('a plan on the running machine: what it prints, its page, and the switch to just that', async () => {
  const disk = await installed.copy();
  const printed = await inSlot(disk, 'active', ['upgrade', '--plan', '--json', '--html', '/oem/plan.html', V2]);
  const last: unknown = JSON.parse(printed.trimEnd().split('\n').at(-1) ?? '');
  expect(last).toMatchObject({ type: 'result', outcome: 'plan-kept' });
  const id = idIn(printed);
  expect(id).toMatch(/^[0-9a-f]{12}$/);
  expect(last).toMatchObject({
    plan: {
      id,
      running: { slot: 'active', name: 'Tiny 1' },
      next: { name: 'Tiny 2' },
      passive: 'the system that is running now',
    },
  });
  expect(await systems(disk)).toEqual(['Tiny 1', 'Tiny 1']);
  await disk.withMounted('COS_OEM', (oem) => {
    expect(idIn(readFileSync(join(oem, 'plan.html'), 'utf8'))).toBe(id);
    // The hook in the new system has written it, and the plan keeps it apart.
    expect(readdirSync(oem)).not.toContain('hooks');
  });
  expect(await inSlot(disk, 'active', ['upgrade', '--apply', 'ffff'], 99)).toContain(`that one is ${id}`);
  expect(await inSlot(disk, 'active', ['upgrade', '--apply', '/oem/plan.html'])).toMatch(
    new RegExp(`Tiny 2 in [\\d.]+ s, as planned \\(${id}\\)`),
  );
  expect(await systems(disk)).toEqual(['Tiny 2', 'Tiny 1']);
  await disk.withMounted('COS_OEM', (oem) => {
    const hooks = readFileSync(join(oem, 'hooks'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]);
    expect(hooks).toEqual(['after-upgrade-chroot', 'after-upgrade', 'post-upgrade']);
  });
  expect(await inSlot(disk, 'active', ['upgrade', '--discard-plan'])).toContain('No plan is kept.');
});
