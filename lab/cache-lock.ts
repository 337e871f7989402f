// Who builds into the cache is alone: `npm start` and `npm test` in two terminals would otherwise make the same things
// twice and prune each other's. The second waits for the first.

import { join } from 'node:path';
import { HoldfastError } from '../src/system/errors.ts';
import { lockUntilEnd } from '../src/system/lock.ts';
import { UndoStack } from '../src/system/plan.ts';
import { cacheDirectory } from './cache.ts';

const RETRY_MS = 1000;

export interface LockOptions {
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/** Runs `work` while holding the cache's lock; waits, and says so once, while another process holds it. */
export async function lockCache<T>({ log, signal }: LockOptions, work: () => Promise<T>): Promise<T> {
  const undo = new UndoStack();
  for (let said = false; ; said = true) {
    if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while waiting for the cache');
    try {
      await lockUntilEnd(undo, join(cacheDirectory(), 'lock'), `the lab: ${process.argv.slice(1, 3).join(' ')}`);
      break;
    } catch (error) {
      if (!(error instanceof HoldfastError && error.code === 'HF-LOCKED')) throw error;
      if (!said) log(`waiting: ${error.message}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  try {
    return await work();
  } finally {
    await undo.unwind(false);
  }
}
