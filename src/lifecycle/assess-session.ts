// A verdict is written down as the one action of this machine, and waits for another that is at work: it must not be lost
// because somebody upgrades or restarts the machine meanwhile. GRUB would take a good system for one that has failed.

import type { SlotName } from '../slots/names.ts';
import type { Deployment } from '../slots/state-file.ts';
import { HoldfastError } from '../system/errors.ts';
import type { HealthClock } from './assess-health.ts';
import type { VerdictPlaces } from './assessment-verdict.ts';
import { readInstallation } from './records.ts';
import { openForWriting, readPartition, type Session, type SessionOptions, withSession } from './session.ts';

const ASSESS_TOOLS = ['blkid', 'flock', 'fsfreeze', 'mount', 'umount'] as const;

/** How long a verdict waits for another action that is at work. */
const PATIENCE_MS = 300_000;
const LOCK_INTERVAL_MS = 1000;

export const realClock: HealthClock = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      const onAbort = () => {
        clearTimeout(timer);
        reject(new HoldfastError('HF-INTERRUPTED', 'interrupted while waiting for another try'));
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      }, milliseconds);
      signal.addEventListener('abort', onAbort, { once: true });
    }),
};

export interface SlotIdsAndState {
  ids: Readonly<Record<SlotName, string | undefined>>;
  state: { active?: Deployment };
}

/**
 * Works on COS_STATE as the one action of this machine, waiting for another to end. An interruption doesn't stop it: the
 * shutdown waits for a moment.
 */
export async function withState<T>(
  interruptible: SessionOptions,
  work: (places: VerdictPlaces, session: Session, installation: SlotIdsAndState) => T,
  readFirst?: (places: VerdictPlaces, installation: SlotIdsAndState) => T | undefined,
): Promise<T> {
  const { signal: _, ...options } = interruptible;
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await withSession('assess', { ...options, tools: ASSESS_TOOLS }, async (session) => {
        const stateDirectory = await readPartition(session, 'state');
        const places = { stateDirectory, oemDirectory: session.partitions.oem?.mountPoint };
        const { ids, state } = await readInstallation(session, stateDirectory);
        const written = readFirst?.(places, { ids, state });
        if (written !== undefined) return written;
        await openForWriting(session.undo, stateDirectory);
        return work(places, session, { ids, state });
      });
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'HF-LOCKED' || performance.now() > until) throw error;
      await realClock.sleep(LOCK_INTERVAL_MS, new AbortController().signal);
    }
  }
}
