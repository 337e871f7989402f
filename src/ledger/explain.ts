// Holds what differs now against what a ledger says: a difference is explained only while the path still is what it was when the
// slot was made. Pure.

import type { TreePath } from '../image/targettree.ts';
import type { TreeObject } from '../overlay/rebase/tree-object.ts';
import type { StageChange } from '../stages/stagechanges.ts';
import type { TreeDifference } from './compare-trees.ts';
import type { Cause, Ledger, LedgerEntry, PackageName, StepCause } from './entry.ts';

/** The clock of file times lags behind by some milliseconds; programs of a step may end a little later. */
const PATIENCE_MS = 1000;

/**
 * Who made the running system different from its slot. earlier-stage: a stage of a boot before this one, on a root overlay.
 * hand: somebody or some program, since the boot or, on a root overlay, ever.
 * live: `--apply-live`, which brought it from the system that the next reboot starts.
 */
export type RunningCause = Cause | { by: 'earlier-stage' } | { by: 'live' } | { by: 'hand' };

/** A difference and who made it. */
export interface ExplainedDifference<C = Cause> extends TreeDifference {
  cause: C;
  /** Steps that changed it before, the latest last. */
  earlier: readonly StepCause[];
  package?: PackageName;
  /** It has changed again since the ledger was written, by nobody that is known. */
  isChangedSince?: true;
}

/** The entries of a ledger by their paths. */
export function entriesOf(ledger: Ledger | undefined): ReadonlyMap<TreePath, LedgerEntry> {
  return new Map((ledger?.entries ?? []).map((entry) => [entry.path, entry]));
}

export function explainDifferences(
  differences: readonly TreeDifference[],
  ledger: Ledger | undefined,
): ExplainedDifference[] {
  const entries = entriesOf(ledger);
  return differences.map((difference) => explainDifference(difference, entries.get(difference.path)));
}

export function explainDifference(difference: TreeDifference, entry: LedgerEntry | undefined): ExplainedDifference {
  if (entry === undefined) return { ...difference, cause: { by: 'unknown' }, earlier: [] };
  const owner = entry.package === undefined ? {} : { package: entry.package };
  if (!isSameObject(entry.after, difference.after)) {
    return { ...difference, cause: { by: 'unknown' }, earlier: stepsOf(entry), ...owner, isChangedSince: true };
  }
  return { ...difference, cause: entry.cause, earlier: entry.earlier, ...owner };
}

/** A ledger's entries as differences, where there is no unchanged copy to compare with. */
export function differencesOf(ledger: Ledger): ExplainedDifference[] {
  return ledger.entries.map((entry) => ({ ...entry }));
}

/** Links of units are what a step may have noted because it removed them. */
const MAY_BE_REMOVED = /^\/etc\/systemd\//;

/**
 * Whether somebody has changed, since its stage ended, what a step of this boot wrote. By the time of change, which no program
 * can set; that of a directory counts only where it isn't from a name in it that came or went.
 */
export function isChangedSinceStage({ path, at }: StageChange, now: TreeObject | undefined): boolean {
  if (now === undefined) return !MAY_BE_REMOVED.test(path);
  const ended = Date.parse(at);
  if (Number.isNaN(ended) || (now.type === 'directory' && now.ctimeNs === now.mtimeNs)) return false;
  return now.ctimeNs > BigInt(ended + PATIENCE_MS) * 1_000_000n;
}

function stepsOf({ cause, earlier }: LedgerEntry): readonly StepCause[] {
  return cause.by === 'step' ? [...earlier, cause.step] : earlier;
}

/** Whether an object is still what was noted; digests count where both sides have one. */
export function isSameObject(noted: TreeObject | undefined, now: TreeObject | undefined): boolean {
  if (noted === undefined || now === undefined) return noted === now;
  const isAlike =
    noted.type === now.type &&
    noted.mode === now.mode &&
    noted.uid === now.uid &&
    noted.gid === now.gid &&
    noted.sizeBytes === now.sizeBytes &&
    noted.linkTarget === now.linkTarget &&
    noted.device === now.device;
  if (!isAlike) return false;
  if (noted.digest !== undefined && now.digest !== undefined) return noted.digest === now.digest;
  return noted.type === 'directory' || noted.mtimeNs === now.mtimeNs;
}
