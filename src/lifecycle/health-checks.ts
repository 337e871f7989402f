// Health checks: programs that say whether this system works. Each is run with the argument `check`, as Elemental's
// boot assessment runs its own; status 0 is "works". They come from the image and from the owner, so the same check can
// be in every image of a fleet or on one machine alone.

import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import { run, tailOf } from '../system/process.ts';

/** In this order; within one by name. */
export const CHECK_DIRECTORIES = [
  '/usr/libexec/elemental-checker',
  '/etc/holdfast/health.d',
  '/oem/health.d',
  '/usr/local/holdfast/health.d',
];

const TAIL_BYTES = 2000;

/** Something that can be found well or not. */
export interface Probe {
  /** A program's path, or what holdfast looks at itself. */
  name: string;
  /** @param remainingMs until the bound. */
  run: (remainingMs: number, signal: AbortSignal) => Promise<ProbeResult>;
}

export interface ProbeResult {
  ok: boolean;
  /** What is wrong, half a sentence; empty when all is well. */
  message: string;
  outputTail?: string;
}

/** The programs in the directories; what is there and can't be run is said. */
export function findChecks(directories: readonly string[] = CHECK_DIRECTORIES): {
  checks: string[];
  notices: string[];
} {
  const checks: string[] = [];
  const notices: string[] = [];
  for (const directory of directories) {
    for (const name of namesIn(directory)) {
      const path = join(directory, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) continue;
      if (stat?.isFile() && isExecutable(path)) checks.push(path);
      else notices.push(`${path} is no executable file and is not run`);
    }
  }
  return { checks, notices };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A check's program as a probe. */
export function checkProbe(path: string, options: { timeoutMs: number }): Probe {
  return {
    name: path,
    run: async (remainingMs, signal) => {
      const timeoutMs = Math.max(1000, Math.min(options.timeoutMs, remainingMs));
      try {
        const result = await run([path, 'check'], { cwd: '/', timeoutMs, signal, maxOutputBytes: 64 << 10 });
        if (result.status === 0) return { ok: true, message: '' };
        const how = result.status === null ? `it was ended by ${result.signal}` : `its status was ${result.status}`;
        return { ok: false, message: how, ...tail(result.stdout + result.stderr) };
      } catch (error) {
        if (error instanceof HoldfastError && error.code === 'HF-INTERRUPTED') throw error;
        const timedOut = error instanceof HoldfastError && error.code === 'HF-COMMAND';
        return {
          ok: false,
          message: timedOut
            ? `it did not end within ${Math.round(timeoutMs / 1000)} seconds`
            : `it can't be run: ${messageOf(error)}`,
          ...(timedOut ? tail(error.outputTail ?? '') : {}),
        };
      }
    },
  };
}

/** The last lines of what a program printed, if it printed anything. */
export function tail(output: string): { outputTail?: string } {
  const text = tailOf(output.trim()).slice(-TAIL_BYTES);
  return text === '' ? {} : { outputTail: text };
}
