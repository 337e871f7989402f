// The swap on a real XFS, step by step, seen by Linux and by GRUB: after each step both must agree on what is active and
// what is passive, although GRUB never replays the journal. Without the freezes they don't.

import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDisk, readPartitions, writePartitionTable } from '../../../src/slots/disk.ts';
import { RUNNING_FILE, SLOT_FILES, TRANSITION_FILE } from '../../../src/slots/names.ts';
import { planPartitions } from '../../../src/slots/partitions.ts';
import { createSlotFile, growSlotFile, labelSlotFile, renewSlotId } from '../../../src/slots/slot-file.ts';
import { activateTransition, copyActiveToPassive, fetchedBytes, removeLeftovers } from '../../../src/slots/swap.ts';
import { probeFilesystem } from '../../../src/system/filesystems.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { DiskImage } from '../lifecycle/disk-image.ts';
import { grubSlot } from '../lifecycle/grub-view.ts';

const SLOT_BYTES = 64 << 20;
const undo = new UndoStack();
let disk: DiskImage;
let state: string;

beforeAll(async () => {
  disk = DiskImage.create(4096);
  const partitions = planPartitions({ diskBytes: 4096 * 2 ** 20, slotBytes: SLOT_BYTES });
  await writePartitionTable(await openDisk(disk.file), partitions);
  const [, , , stateAt] = await readPartitions(await openDisk(disk.file));
  const { device } = await attachLoop(undo, disk.file, {
    offsetBytes: stateAt?.startBytes ?? 0,
    sizeBytes: stateAt?.sizeBytes ?? 0,
  });
  await runChecked(['mkfs.xfs', '-q', '-f', '-m', 'reflink=1', '-L', 'COS_STATE', device]);
  state = join(disk.directory, 'mounted');
  await mount(device, state);
  undo.always('unmount', () => unmount(state));
  mkdirSync(join(state, 'cOS'));
  for (const slot of ['active', 'passive'] as const) {
    await createSlotFile(join(state, SLOT_FILES[slot]), { sizeBytes: SLOT_BYTES, label: `COS_${slot.toUpperCase()}` });
  }
  await runChecked(['fsfreeze', '--freeze', state]);
  await runChecked(['fsfreeze', '--unfreeze', state]);
});
afterAll(async () => {
  expect(await undo.unwind(false)).toEqual([]);
  disk?.remove();
});

/** UUID and label of both slots as GRUB would find them if the power went now, and as Linux sees them. */
async function bothViews() {
  const cut = join(disk.directory, 'cut.img');
  await runChecked(['cp', '--sparse=always', disk.file, cut]);
  const grub = { active: grubSlot(cut, SLOT_FILES.active), passive: grubSlot(cut, SLOT_FILES.passive) };
  rmSync(cut);
  const look = async (slot: 'active' | 'passive') => {
    const { uuid, label } = await probeFilesystem(join(state, SLOT_FILES[slot]));
    return { uuid, label };
  };
  return { grub, linux: { active: await look('active'), passive: await look('passive') } };
}

test('active is copied to passive, then the transition becomes active; Linux and GRUB agree after each step', async () => {
  const first = await bothViews();
  expect(first.grub).toEqual(first.linux);

  const transition = join(state, TRANSITION_FILE);
  await createSlotFile(transition, { sizeBytes: SLOT_BYTES, label: 'COS_TRANSITION' });
  await labelSlotFile(transition, 'COS_ACTIVE');
  const { uuid } = await probeFilesystem(transition);

  await copyActiveToPassive(state);
  const copied = await bothViews();
  expect(copied.grub).toEqual(copied.linux);
  expect(copied.linux.active).toEqual(first.linux.active);
  expect(copied.linux.passive).toEqual({ uuid: first.linux.active.uuid, label: 'COS_PASSIVE' });

  await activateTransition(state, { keepRunning: true });
  const switched = await bothViews();
  expect(switched.grub).toEqual(switched.linux);
  expect(switched.linux.active).toEqual({ uuid, label: 'COS_ACTIVE' });
  expect(switched.linux.passive).toEqual(copied.linux.passive);
  expect((await probeFilesystem(join(state, RUNNING_FILE))).uuid).toBe(first.linux.active.uuid);
});

test('what interrupted actions leave is removed, what is in use or in a slot is kept', async () => {
  const put = (name: string) => copyFileSync(join(state, SLOT_FILES.active), join(state, 'cOS', name));
  const [kept, gone] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`);
  for (const name of [
    'transition.img',
    'passive.img.new',
    'pristine-aaaaaaaaaaaaaaaa.img',
    'pristine-bbbbbbbbbbbbbbbb.img',
    'pristine-aaaaaaaaaaaaaaaa.index',
    'pristine-aaaaaaaaaaaaaaaa.index.new',
    'pristine-bbbbbbbbbbbbbbbb.index',
    'mine.img',
  ])
    put(name);
  mkdirSync(join(state, 'cOS/.fetch'));
  put('.fetch/aaaa.chunks');
  put('.fetch/bbbb.part');
  expect(gone).toContain('bbbb');
  const keepDigests = [kept ?? ''];
  const bytes = fetchedBytes(state, ['sha256:aaaa']);
  expect(bytes).toBeGreaterThan(0);
  expect(fetchedBytes(state)).toBeGreaterThan(bytes);
  expect(removeLeftovers(state, { keepDigests, keepRunning: true, keepFetched: ['sha256:aaaa'] }).sort()).toEqual([
    '.fetch/bbbb.part',
    'passive.img.new',
    'pristine-aaaaaaaaaaaaaaaa.index.new',
    'pristine-bbbbbbbbbbbbbbbb.img',
    'pristine-bbbbbbbbbbbbbbbb.index',
    'transition.img',
  ]);
  expect(readdirSync(join(state, 'cOS/.fetch'))).toEqual(['aaaa.chunks']);
  expect(removeLeftovers(state, { keepDigests, keepRunning: false }).sort()).toEqual(['.fetch', 'running.img']);
  expect((await runChecked(['ls', join(state, 'cOS')])).split('\n').filter((name) => name !== '')).toEqual([
    'active.img',
    'mine.img',
    'passive.img',
    'pristine-aaaaaaaaaaaaaaaa.img',
    'pristine-aaaaaaaaaaaaaaaa.index',
  ]);
  expect(existsSync(join(state, 'cOS/.fetch'))).toBe(false);
});

test('a slot file is preallocated, can grow, and gets a fresh identity', async () => {
  const file = join(state, TRANSITION_FILE);
  await createSlotFile(file, { sizeBytes: SLOT_BYTES, label: 'x' });
  expect(Number(await runChecked(['stat', '--format=%b', file])) * 512).toBeGreaterThanOrEqual(SLOT_BYTES);
  const before = await probeFilesystem(file);
  await growSlotFile(file, 2 * SLOT_BYTES);
  await renewSlotId(file);
  const after = await probeFilesystem(file);
  expect(after.uuid).not.toBe(before.uuid);
  expect((await run(['e2fsck', '-fn', file])).status).toBe(0);
  expect(await runChecked(['dumpe2fs', '-h', file])).toContain(
    `Block count:              ${(2 * SLOT_BYTES) / 4096}\n`,
  );
});
