// Somebody restarts the machine while its assessment wants to write down what it has found, and another action is at work: the
// verdict is written all the same, or GRUB would take a system that works for one that has failed. Two seconds.

import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { realClock, withState } from '../../../src/lifecycle/assess-session.ts';
import { LOCK_FILE } from '../../../src/lifecycle/session.ts';
import { lockUntilEnd } from '../../../src/system/lock.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';
import { DiskImage, machineTraces } from './disk-image.ts';

const disk = DiskImage.create(0);
const undo = new UndoStack();
const before = machineTraces();

beforeAll(async () => {
  truncateSync(disk.file, 64 << 20);
  await runChecked(['mkfs.ext4', '-q', '-F', '-L', 'COS_STATE', disk.file]);
  await attachLoop(undo, disk.file);
});
afterAll(async () => {
  expect(await undo.unwind(false)).toEqual([]);
  disk.remove();
  expect(machineTraces()).toEqual(before);
});

const places = { command: 'assess', now: '2026-01-02T03:04:05Z' };

test('the restart comes before another action has ended', async () => {
  const other = new UndoStack();
  await lockUntilEnd(other, LOCK_FILE, 'another action');
  const interruption = new AbortController();
  const sleep = vi.spyOn(realClock, 'sleep').mockImplementationOnce(async (_, signal) => {
    interruption.abort();
    await other.unwind(false);
    signal.throwIfAborted();
  });
  await withState({ ...places, signal: interruption.signal }, ({ stateDirectory }) => {
    writeFileSync(join(stateDirectory, 'verdict'), 'it works');
  });
  expect(sleep).toHaveBeenCalledOnce();
  expect(await runChecked(['debugfs', '-R', 'cat verdict', disk.file])).toBe('it works');
});

test('the restart comes before it has begun', async () => {
  const written = await withState({ ...places, signal: AbortSignal.abort() }, ({ stateDirectory }) => {
    writeFileSync(join(stateDirectory, 'later'), 'it works');
    return true;
  });
  expect(written).toBe(true);
  expect(await runChecked(['debugfs', '-R', 'cat later', disk.file])).toBe('it works');
});
