// Writes what waits in /run to the record on COS_STATE: when a boot has ended, at shutdown, and at once when something failed
// that a power cut must not make forgotten.

import { writeRecord } from '../record/record.ts';
import { readSpool } from '../record/spool.ts';
import { HoldfastError } from '../system/errors.ts';
import { openForWriting, readPartition, type SessionOptions, withSession } from './session.ts';
import { isBootedFromSlot } from './session-record.ts';

const TOOLS = ['blkid', 'flock', 'fsfreeze', 'mount', 'umount'] as const;

export interface FlushResult {
  /** `nothing` waits; `not-ours`: this machine was not booted from a slot; `locked`: the action that is at work writes it at its end. */
  outcome: 'ok' | 'nothing' | 'not-ours' | 'locked' | 'planned';
  written: number;
}

/**
 * Writes what waits.
 * @param options.waitMs how long another action is waited for; default: not at all.
 * @throws HoldfastError when COS_STATE can't be found or written; what waits goes on waiting.
 */
export async function flushRecord(options: SessionOptions & { waitMs?: number }): Promise<FlushResult> {
  const waiting = readSpool();
  if (waiting.entries.length === 0 && waiting.lost === 0) return { outcome: 'nothing', written: 0 };
  if (!isBootedFromSlot()) return { outcome: 'not-ours', written: 0 };
  if (options.dryRun) return { outcome: 'planned', written: waiting.entries.length };
  const until = performance.now() + (options.waitMs ?? 0);
  for (;;) {
    try {
      return await withSession('record', { ...options, tools: TOOLS }, async (session) => {
        const stateDirectory = await readPartition(session, 'state');
        await openForWriting(session.undo, stateDirectory);
        return { outcome: 'ok', written: writeRecord(stateDirectory) };
      });
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'HF-LOCKED') throw error;
      if (performance.now() > until) return { outcome: 'locked', written: 0 };
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}
