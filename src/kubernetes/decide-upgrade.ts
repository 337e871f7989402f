// What a pod of the System Upgrade Controller does on its node. The controller starts pods until one ends well, and a restart
// of the node kills the pod that asked for it, so each pod must see from what is on the node alone how far the one before came.
// Two things must never come of that: a node that restarts again and again, and an image that is put back after it has failed.

import type { Deployment, RolloutRound } from '../slots/state-file.ts';

/** What is asked for. */
export interface Wanted {
  /** See roundId; undefined without a controller. */
  round: string | undefined;
  /** The plan's hash alone. */
  planHash: string | undefined;
  /** What the container's root holds; undefined where an image is named instead. */
  content: string | undefined;
  /** The digest of the image that is named. */
  digest: string | undefined;
  force: boolean;
  retry: boolean;
  /** Its os-release, byte for byte; undefined where an image is named instead. */
  osRelease: string | undefined;
}

export interface FailedDeployment {
  uuid: string;
  digest?: string | undefined;
  round?: RolloutRound | undefined;
  failedAt: string;
  reason: string;
}

/** What is on the node. */
export interface NodeFacts {
  bootId: string;
  /** File system UUID of the slot that runs; undefined where the node doesn't run from one. */
  runningUuid: string | undefined;
  runningSlot: 'active' | 'passive' | 'recovery' | undefined;
  /** What state.yaml knows of it; undefined for a system that somebody else installed. */
  running: Deployment | undefined;
  activeUuid: string | undefined;
  active: Deployment | undefined;
  /** Systems that have failed after an upgrade, newest first. */
  failed: readonly FailedDeployment[];
  /** The running system is on trial and has not proved itself. */
  onTrial: boolean;
  osRelease: string | undefined;
}

export type Decision =
  /** The node runs what is wanted. */
  | { kind: 'done'; why: 'round' | 'content' | 'os-release' }
  /** It runs it, and hasn't proved that it works: there will be a verdict. */
  | { kind: 'await-verdict' }
  /** It is there, and starts with the next boot. */
  | { kind: 'reboot' }
  | { kind: 'upgrade'; force: boolean }
  /** It has been tried, and the node went back. */
  | { kind: 'refuse'; why: 'failed'; failure: FailedDeployment }
  /** The node was started since, and not with it. */
  | { kind: 'refuse'; why: 'passed-over' };

/** Decides. Pure. */
export function decideUpgrade(wanted: Wanted, facts: NodeFacts): Decision {
  const failure = facts.failed.find((each) => isFailureOf(wanted, facts, each));
  if (failure !== undefined) return { kind: 'refuse', why: 'failed', failure };

  const runs = reasonOf(wanted, facts.running) ?? (isSameByName(wanted, facts) ? 'os-release' : undefined);
  if (runs !== undefined) return facts.onTrial ? { kind: 'await-verdict' } : { kind: 'done', why: runs };

  const { active, activeUuid, runningUuid } = facts;
  if (active !== undefined && activeUuid !== runningUuid && reasonOf(wanted, active) !== undefined) {
    return isOfThisBoot(active, facts) ? { kind: 'reboot' } : { kind: 'refuse', why: 'passed-over' };
  }
  return { kind: 'upgrade', force: wanted.force || wanted.retry };
}

/**
 * Why a deployment is what is wanted; undefined when it is not. Whatever a round has made counts for all of it, even if the
 * content of its image is another by now: otherwise a tag that moves, or a content that reads differently each time, would
 * restart the node once per pod.
 */
function reasonOf(wanted: Wanted, deployment: Deployment | undefined): 'round' | 'content' | undefined {
  if (deployment === undefined) return undefined;
  if (wanted.round !== undefined && deployment.round?.id === wanted.round) return 'round';
  if (wanted.force || wanted.retry) return undefined;
  return hasContent(wanted, deployment) ? 'content' : undefined;
}

function hasContent(wanted: Wanted, { digest, round }: Pick<Deployment, 'digest' | 'round'>): boolean {
  if (wanted.digest !== undefined && wanted.digest === digest) return true;
  return wanted.content !== undefined && wanted.content === round?.content;
}

/** A further try counts the failures of its own round alone. */
function isFailureOf(wanted: Wanted, facts: NodeFacts, failed: FailedDeployment): boolean {
  const round = failed.round ?? (failed.uuid === facts.activeUuid ? upgradedBy(facts.active) : undefined);
  if (wanted.retry) return wanted.round !== undefined && round?.id === wanted.round;
  const hash = round?.id?.split('/')[0];
  if (wanted.planHash !== undefined && hash === wanted.planHash) return true;
  return hasContent(wanted, { ...(failed.digest !== undefined && { digest: failed.digest }), ...(round && { round }) });
}

/** What was built anew with the owner's changes fails for those, not for its image. */
function upgradedBy(active: Deployment | undefined): RolloutRound | undefined {
  return active?.fromAction === 'upgrade' ? active.round : undefined;
}

/** cOS's own rule, for a system of which nobody has noted what it was made from. */
function isSameByName(wanted: Wanted, { running, osRelease }: NodeFacts): boolean {
  if (wanted.force || wanted.retry || running?.round?.content !== undefined) return false;
  return wanted.osRelease !== undefined && wanted.osRelease === osRelease;
}

/**
 * Whether the node has not been started since the active system was made. Where nobody noted when that was, the system that
 * it replaced must be the one that runs.
 */
function isOfThisBoot({ round }: Deployment, { bootId, runningSlot }: NodeFacts): boolean {
  return round === undefined ? runningSlot === 'active' : round.bootId === bootId;
}
