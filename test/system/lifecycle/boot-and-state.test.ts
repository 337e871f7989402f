// `boot` and `state` on real disk images: what would boot and why, what is written for it, what refuses; and a state.yaml
// that is right although the file is not.

import { existsSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { type BootRequest, chooseBoot } from '../../../src/lifecycle/choose-boot.ts';
import { showState } from '../../../src/lifecycle/show-state.ts';
import { slotId } from '../../../src/slots/identify.ts';
import { DEFAULT_LABELS } from '../../../src/slots/names.ts';
import { parseState, readState } from '../../../src/slots/state-file.ts';
import { type DiskImage, machineTraces } from './disk-image.ts';
import { ALL_LABELS, InstalledDisk, LATER } from './installed-disk.ts';

let installed: InstalledDisk;
/** Active is version 2, passive version 1. */
let upgraded: DiskImage;

beforeAll(async () => {
  installed = await InstalledDisk.create();
  upgraded = await installed.copy();
  await installed.upgrade(upgraded, 'v2');
  // The trial of the new system is another test's business.
  await upgraded.withMounted('COS_STATE', (state) => rmSync(join(state, 'boot_assessment'), { force: true }), {
    writable: true,
  });
});
afterAll(() => installed?.remove());

describe('boot', () => {
  const boot = (disk: DiskImage, request: BootRequest = {}, options: { dryRun?: boolean } = {}) =>
    disk.withPartitions(ALL_LABELS, () => chooseBoot(request, { command: 'test', now: LATER, ...options }));
  const block = (disk: DiskImage) =>
    disk.withMounted('COS_OEM', (oem) => Object.fromEntries(readGrubEnvironment(join(oem, 'grubenv'))));

  test('without a choice the first entry boots, and nothing is written', async () => {
    const before = machineTraces();
    expect(await boot(upgraded)).toEqual({
      outcome: 'shown',
      next: { slot: 'active', entry: 'cos', why: 'first entry' },
    });
    expect(await boot(upgraded, { once: 'recovery' }, { dryRun: true })).toMatchObject({ outcome: 'planned' });
    expect(await block(upgraded)).toEqual({});
    expect(machineTraces()).toEqual(before);
  });

  test('once, by default, and back', async () => {
    const disk = await installed.copy(upgraded);
    expect((await boot(disk, { always: 'passive' })).next).toEqual({
      slot: 'passive',
      entry: 'fallback',
      why: 'saved_entry',
    });
    expect((await boot(disk, { once: 'recovery' })).next).toMatchObject({ slot: 'recovery', why: 'next_entry' });
    expect(await block(disk)).toEqual({ next_entry: 'recovery', saved_entry: 'fallback' });
    expect((await boot(disk, { always: 'active' })).next).toMatchObject({ slot: 'recovery', why: 'next_entry' });
    expect(await block(disk)).toEqual({ next_entry: 'recovery' });
  });

  test('a block that is missing is made, where GRUB can find it', async () => {
    const disk = await installed.copy(upgraded);
    await disk.withMounted('COS_OEM', (oem) => rmSync(join(oem, 'grubenv')), { writable: true });
    await boot(disk, { once: 'passive' });
    expect(await block(disk)).toEqual({ next_entry: 'fallback' });
  });

  test.each([
    ['is missing', (file: string) => rmSync(file), 'HF-STATE'],
    ['is cut short', (file: string) => truncateSync(file, 1 << 20), 'HF-NOT-BOOTABLE'],
  ])('a slot whose file %s is not chosen', async (_, spoil, code) => {
    const disk = await installed.copy(upgraded);
    await disk.withMounted('COS_STATE', (state) => spoil(join(state, 'cOS/passive.img')), { writable: true });
    await expect(boot(disk, { always: 'passive' })).rejects.toMatchObject({ code });
    expect(await block(disk)).toEqual({});
  });
});

describe('state', () => {
  const show = (disk: DiskImage) => disk.withPartitions(ALL_LABELS, () => showState(DEFAULT_LABELS, LATER));

  test('a sound file comes out as it is, and nothing is left behind', async () => {
    const before = machineTraces();
    const { text, repaired } = await show(upgraded);
    expect(machineTraces()).toEqual(before);
    expect(repaired).toEqual([]);
    const there = await upgraded.withMounted('COS_STATE', (state) => readState(join(state, 'state.yaml')).state);
    expect(parseState(text)).toEqual(there);
    expect(text).toContain('fromAction: upgrade');
  });

  test('records follow the slot files: swapped by hand, damaged on STATE, and of a file that nobody knows', async () => {
    const disk = await installed.copy(upgraded);
    const swapped = await disk.withMounted(
      'COS_STATE',
      async (state) => {
        const file = (name: string) => join(state, 'cOS', `${name}.img`);
        renameSync(file('active'), file('x'));
        renameSync(file('passive'), file('active'));
        renameSync(file('x'), file('passive'));
        return { active: await slotId(file('active')), passive: await slotId(file('passive')) };
      },
      { writable: true },
    );
    const first = await show(disk);
    expect(first.repaired).toEqual(['active', 'passive']);
    expect(parseState(first.text)).toMatchObject({
      active: { uuid: swapped.active, fromAction: 'install' },
      passive: { uuid: swapped.passive, fromAction: 'upgrade' },
    });

    await disk.withMounted('COS_STATE', (state) => writeFileSync(join(state, 'state.yaml'), 'state: ['), {
      writable: true,
    });
    const second = await show(disk);
    expect(second.problems.join()).toContain("state.yaml can't be read");
    // RECOVERY's copy knows both.
    expect(parseState(second.text)).toEqual(parseState(first.text));

    await disk.withMounted('COS_RECOVERY', (recovery) => rmSync(join(recovery, 'state.yaml')), { writable: true });
    const third = await show(disk);
    expect(parseState(third.text).active).toMatchObject({ uuid: swapped.active, source: 'unknown' });
  });

  test('an upgrade whose records were cut off is known by the note that it left', async () => {
    const disk = await installed.copy(upgraded);
    await disk.withMounted(
      'COS_STATE',
      (state) => {
        const file = join(state, 'state.yaml');
        const { active, ...rest } = readState(file).state;
        // As it is between the rename and the records.
        expect(active?.fromAction).toBe('upgrade');
        const old = { ...active, uuid: 'of-another-file' };
        writeFileSync(file, JSON.stringify({ state: { ...rest, active: old, transition: withDigest(active) } }));
        expect(existsSync(file)).toBe(true);
      },
      { writable: true },
    );
    const { text, repaired } = await show(disk);
    expect(repaired).toContain('active');
    expect(parseState(text).active).toMatchObject({ fromAction: 'upgrade', source: expect.stringContaining('oci') });
  });
});

function withDigest<T extends { digest?: string } | undefined>(deployment: T) {
  return { ...deployment, 'source-metadata': { digest: deployment?.digest } };
}
