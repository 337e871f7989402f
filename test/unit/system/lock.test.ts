// The lock between two actions.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

test('whoever holds it is told without the password in its command', async () => {
  const file = join(directory, 'lock');
  const undo = new UndoStack();
  await lockUntilEnd(undo, file, 'holdfast run --now -- curl -u bob:Hunter22x https://x');
  expect(readFileSync(file, 'utf8')).toBe(`holdfast run --now -- curl -u bob:*** https://x (pid ${process.pid})\n`);
  expect(await undo.unwind(false)).toEqual([]);
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

test('whoever has it for a moment is waited for', async () => {
  const file = join(directory, 'brief');
  const first = new UndoStack();
  await lockUntilEnd(first, file, 'holdfast record', { brief: true });
  expect(readFileSync(file, 'utf8')).toBe(`holdfast record (pid ${process.pid}, for a moment)\n`);
  const second = new UndoStack();
  const order: string[] = [];
  const waiting = lockUntilEnd(second, file, 'holdfast upgrade b').then(() => order.push('second'));
  // It has been told "no" once by then, or it has not asked yet: either way it gets the lock only afterwards.
  await new Promise((resolve) => setTimeout(resolve, 300));
  order.push('first ends');
  await first.unwind(false);
  await waiting;
  expect(order).toEqual(['first ends', 'second']);
  expect(readFileSync(file, 'utf8')).toBe(`holdfast upgrade b (pid ${process.pid})\n`);
  await second.unwind(false);
});

test('one that says only after a while that it is there for a moment is waited for, too', async () => {
  const file = join(directory, 'late');
  writeFileSync(file, 'holdfast upgrade of long ago (pid 4194305)\n');
  const undo = new UndoStack();
  const holding = spawn('flock', ['--no-fork', file, 'sleep', '1.6'], { stdio: 'ignore' });
  undo.always('end', () => void holding.kill());
  const waiting = lockUntilEnd(undo, file, 'holdfast upgrade b');
  await new Promise((resolve) => setTimeout(resolve, 300));
  writeFileSync(file, `holdfast record (pid ${process.pid}, for a moment)\n`);
  await waiting;
  await undo.unwind(false);
});

test('one that has only just got it, and has not said who it is, is asked again', async () => {
  const file = join(directory, 'new');
  writeFileSync(file, 'holdfast upgrade of long ago (pid 4194305)\n');
  const first = new UndoStack();
  const holding = spawn('flock', ['--no-fork', file, 'sleep', '0.5'], { stdio: 'ignore' });
  first.always('end', () => void holding.kill());
  await lockUntilEnd(first, file, 'holdfast upgrade b');
  await first.unwind(false);
});
