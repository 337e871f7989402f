// One lifecycle action at a time. The lock is the kernel's (flock), held by a small child process that ends when this
// one does, however it ends: nothing stale is left behind after a crash. The file's content says who holds it.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, HoldfastError } from './errors.ts';
import type { UndoStack } from './plan.ts';
import { maskSecrets } from './secrets.ts';
import { packageHint } from './tools.ts';

/** flock(1)'s exit status when somebody else holds the lock, chosen so that it can't be mistaken for `cat`'s. */
const CONFLICT_STATUS = 75;
/** How long a holder that is there for a moment is waited for, and one that hasn't said who it is. */
const BRIEF_SECONDS = 60;
const UNKNOWN_SECONDS = 1;
const BRIEF = ', for a moment';

/**
 * Takes an exclusive lock on a directory (or a file) for as long as the undo stack lives, waiting for whoever has it. For
 * changes of a moment to a file in it: nothing is written, so it leaves no trace.
 * @throws HoldfastError HF-LOCKED when it isn't free within `waitSeconds`.
 */
export async function lockDirectoryUntilEnd(undo: UndoStack, directory: string, waitSeconds: number): Promise<void> {
  await holdLock(
    undo,
    directory,
    ['--timeout', String(waitSeconds)],
    () => `${directory} is locked by another process`,
  );
}

/**
 * Takes an exclusive lock on `file` for as long as the undo stack lives. Whoever has it for a moment only is waited for.
 * @param command what this process is doing, shown to whoever comes second.
 * @param options.brief it is for a moment: nobody shall be refused for it.
 * @throws HoldfastError HF-LOCKED with the holder's pid and command.
 */
export async function lockUntilEnd(
  undo: UndoStack,
  file: string,
  command: string,
  { brief = false }: { brief?: boolean } = {},
): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  const conflict = () => `another action is running: ${readHolder(file)?.text ?? 'another process'}`;
  const isTaken = (error: unknown) => error instanceof HoldfastError && error.code === 'HF-LOCKED';
  let patience: readonly string[] = ['--nonblock'];
  // Asked again after each wait: who has only just got it says so a little later.
  for (const mostSeconds of [BRIEF_SECONDS, BRIEF_SECONDS, 0]) {
    try {
      await holdLock(undo, file, patience, conflict);
      break;
    } catch (error) {
      const seconds = Math.min(mostSeconds, patienceWith(readHolder(file)));
      if (!isTaken(error) || seconds === 0) throw error;
      patience = ['--timeout', String(seconds)];
    }
  }
  // It is there, for everybody to read, until the next one.
  writeFileSync(file, `${maskSecrets(command)} (pid ${process.pid}${brief ? BRIEF : ''})\n`);
}

interface Holder {
  text: string;
  brief: boolean;
  isAlive: boolean;
}

/** Who wrote into the lock last; undefined where nobody has. */
function readHolder(file: string): Holder | undefined {
  const text = readFileSync(file, 'utf8').trim();
  const pid = /\(pid (\d+)(?:, [a-z ]+)?\)$/.exec(text)?.[1];
  if (pid === undefined) return undefined;
  return { text, brief: text.endsWith(`${BRIEF})`), isAlive: existsSync(`/proc/${pid}`) };
}

/** In seconds. What stands there may be of the one before, when the holder has only just got the lock. */
function patienceWith(holder: Holder | undefined): number {
  if (holder?.brief) return BRIEF_SECONDS;
  return holder?.isAlive ? 0 : UNKNOWN_SECONDS;
}

/** @param conflict the message for when somebody else has it. */
async function holdLock(
  undo: UndoStack,
  file: string,
  patience: readonly string[],
  conflict: () => string,
): Promise<void> {
  // `cat` prints a line back once it runs, that is once flock has the lock, and ends when our end of the pipe closes.
  const child = spawn(
    'flock',
    ['--no-fork', ...patience, '--conflict-exit-code', String(CONFLICT_STATUS), file, 'cat'],
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
    throw new HoldfastError('HF-LOCKED', conflict(), {
      hint: 'wait until it has finished, or end it; it cleans up after itself',
    });
  }
  undo.always(`release ${file}`, async () => {
    child.stdin.end();
    await ended;
  });
}
