// The lock between two actions.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockUntilEnd } from '../../../src/system/lock.ts';
import { UndoStack } from '../../../src/system/plan.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-lock-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('the second is told who holds the lock, and gets it after the first has let go', async () => {
  const file = join(directory, 'lock');
  const first = new UndoStack();
  await lockUntilEnd(first, file, 'holdfast upgrade a');
  const second = new UndoStack();
  await expect(lockUntilEnd(second, file, 'holdfast upgrade b')).rejects.toMatchObject({
    code: 'HF-LOCKED',
    message: `another action is running: holdfast upgrade a (pid ${process.pid})`,
  });
  expect(await first.unwind(false)).toEqual([]);
  await lockUntilEnd(second, file, 'holdfast upgrade b');
  expect(await second.unwind(false)).toEqual([]);
});

test('a holder that was killed leaves no lock behind', async () => {
  const file = join(directory, 'lock');
  const holder = spawn('flock', ['--no-fork', file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  const undo = new UndoStack();
  await expect(lockUntilEnd(undo, file, 'b')).rejects.toMatchObject({ code: 'HF-LOCKED' });
  const gone = new Promise((resolve) => holder.once('close', resolve));
  holder.kill('SIGKILL');
  await gone;
  await lockUntilEnd(undo, file, 'b');
  expect(await undo.unwind(false)).toEqual([]);
});
