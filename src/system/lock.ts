// One lifecycle action at a time. The lock is the kernel's (flock), held by a small child process that ends when this
// one does, however it ends: nothing stale is left behind after a crash. The file's content says who holds it.

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, HoldfastError } from './errors.ts';
import type { UndoStack } from './plan.ts';
import { packageHint } from './tools.ts';

/** flock(1)'s exit status when somebody else holds the lock, chosen so that it can't be mistaken for `cat`'s. */
const CONFLICT_STATUS = 75;

/**
 * Takes an exclusive lock on `file` for as long as the undo stack lives.
 * @param command what this process is doing, shown to whoever comes second.
 * @throws HoldfastError HF-LOCKED with the holder's pid and command.
 */
export async function lockUntilEnd(undo: UndoStack, file: string, command: string): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  // `cat` prints a line back once it runs, that is once flock has the lock, and ends when our end of the pipe closes.
  const child = spawn(
    'flock',
    ['--no-fork', '--nonblock', '--conflict-exit-code', String(CONFLICT_STATUS), file, 'cat'],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    },
  );
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  ended.catch(() => {});
  child.stdin.on('error', () => {});
  child.stdin.write('held\n');
  const held = new Promise<'held'>((resolve) => child.stdout.once('data', () => resolve('held')));
  let first: 'held' | number | null;
  try {
    first = await Promise.race([held, ended]);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new HoldfastError('HF-TOOL-MISSING', 'the program flock is not installed', { hint: packageHint('flock') });
  }
  if (first !== 'held') {
    if (first !== CONFLICT_STATUS) throw new HoldfastError('HF-IO', `the lock ${file} could not be opened`);
    const holder = readFileSync(file, 'utf8').trim() || 'another process';
    throw new HoldfastError('HF-LOCKED', `another action is running: ${holder}`, {
      hint: 'wait until it has finished, or end it; it cleans up after itself',
    });
  }
  undo.always(`release ${file}`, async () => {
    child.stdin.end();
    await ended;
  });
  writeFileSync(file, `${command} (pid ${process.pid})\n`);
}
