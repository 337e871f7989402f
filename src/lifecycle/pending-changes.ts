// What waits on this machine: a plan that could be applied, changes of the owner that no slot has yet, and what was brought to
// the running system for this boot only.

import { existsSync } from 'node:fs';
import type { InstallationState } from '../slots/state-file.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import { type LiveRecord, readLive } from './live-record.ts';
import { isMarkOf } from './owner-changes.ts';
import { readPlanned } from './planned-record.ts';

export interface PendingChanges {
  /** A plan is kept: `holdfast upgrade --apply`. */
  plan?: { id: string; name: string; image: string; created: string };
  /** What stands where a plan should be, and why it is none. */
  planProblem?: string;
  /** What the owner's stage files want of a system is not what the active one was built with. Absent where nobody knows. */
  ownerChanges?: boolean;
  /** Changes that were brought to the running system and are gone with its end. */
  live?: Pick<LiveRecord, 'uuid' | 'date' | 'directories' | 'added' | 'copied'>;
}

/**
 * Looks at what waits. What can't be found out is left out, with a sentence in `problems`.
 * @param stateDirectory where COS_STATE can be read.
 */
export async function inspectPending(
  stateDirectory: string,
  installed: InstallationState,
  problems: string[],
): Promise<PendingChanges> {
  const pending: PendingChanges = {};
  const kept = await readPlanned(stateDirectory);
  if (kept.state === 'kept') {
    const { id, name, created, deployment } = kept.record;
    pending.plan = { id, name, image: deployment.source, created };
  } else if (kept.state === 'unusable') pending.planProblem = kept.reason;
  const built = installed.active?.changes;
  if (built !== undefined && existsSync('/oem')) {
    try {
      pending.ownerChanges = !(await isMarkOf(built, new Root('/')));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      problems.push(`the owner's stage files can't be read: ${messageOf(error)}`);
    }
  }
  const live = readLive();
  if (live !== undefined) {
    const { uuid, date, directories, added, copied } = live;
    pending.live = { uuid, date, directories, added, copied };
  }
  return pending;
}
