// One pod's work on its node, from what is found there to the restart. The restart kills the pod: until then it must not end
// well, or the controller counts a node as done that has not started its new system; so it waits for its end and fails.

import type { TreeImage } from '../image/tree.ts';
import { type UpgradeResult, upgrade } from '../lifecycle/apply-upgrade.ts';
import { RUN_DIRECTORY } from '../lifecycle/leftovers.ts';
import { bootId } from '../lifecycle/pending-carry.ts';
import { takeDown } from '../lifecycle/power.ts';
import type { SessionOptions } from '../lifecycle/session.ts';
import type { UpgradeRequest } from '../lifecycle/upgrade.ts';
import type { Labels } from '../slots/names.ts';
import type { RolloutRound } from '../slots/state-file.ts';
import { HoldfastError } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { lockUntilEnd } from '../system/lock.ts';
import { UndoStack } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { type Decision, decideUpgrade, type NodeFacts, type Wanted } from './decide-upgrade.ts';
import { explainDone, explainRefusal } from './explain.ts';
import { inspectNode, readOsRelease } from './inspect-node.ts';
import type { Pod } from './pod.ts';
import { describeRound, namedDigest, type Round, roundId } from './round.ts';
import { identifyTree } from './tree-content.ts';

/** One pod at a time: the second finds what the first has done, not what it is doing. */
const LOCK_FILE = `${RUN_DIRECTORY}/suc-upgrade.lock`;
const VERDICT_EVERY_MS = 3000;
/** A trial has a bound of its own, which is shorter. */
const VERDICT_MS = 900_000;
/** How long a node may take to go down; services are given 90 seconds each to end. */
const DOWN_MS = 600_000;

/** What a pod's work came to. */
export type NodeResult =
  | { outcome: 'done'; text: string; osRelease: string | undefined }
  | { outcome: 'planned'; decision: Decision; text: string; plan?: UpgradeResult['plan'] }
  /** The node was told to restart; the pod has outlived that. */
  | { outcome: 'not-restarted'; text: string };

/** How an upgrade is going, for those who are not here. */
export type Tell = (outcome: 'done' | 'rebooting', text: string) => Promise<void>;

export interface NodeUpgradeOptions extends SessionOptions {
  labels: Labels;
  signal: AbortSignal;
  events: EventSink;
  round: Round;
  pod: Pod;
  tell: Tell;
  /** What is asked of the upgrade; the image is the pod's tree, or the one that is named. */
  request: (source: { kind: 'pod'; directory: string } | { kind: 'named'; text: string }) => Promise<UpgradeRequest>;
  /** Takes the node down; default: as other actions do. */
  restart?: () => Promise<void>;
}

/**
 * Brings the node that this process runs on to what its pod stands for.
 * @throws HoldfastError HF-FAILED-IMAGE and HF-STATE for a refusal, HF-LOCKED while another pod is at work, and whatever an
 *   upgrade throws.
 */
export async function upgradeNode(options: NodeUpgradeOptions): Promise<NodeResult> {
  const undo = new UndoStack();
  try {
    await lockUntilEnd(undo, LOCK_FILE, options.command);
    return await work(options);
  } finally {
    await undo.unwind(false);
  }
}

async function work(options: NodeUpgradeOptions): Promise<NodeResult> {
  const what = describeRound(options.round);
  const leftOut = options.round.image === undefined ? options.pod.mountPoints() : [];
  const wanted = await findWanted(options, leftOut);
  const decision = await decide(options, wanted);
  if (decision.kind !== 'upgrade') return conclude(options, decision);

  const { plan, outcome, prettyName, facts } = await carryOut(options, wanted, decision, leftOut);
  if (outcome === 'up-to-date') {
    // It is there under another digest than it was named with, that of its index.
    const found = await decide(options, { ...wanted, digest: facts.image.digest });
    if (found.kind !== 'upgrade') return conclude(options, found);
    throw new HoldfastError('HF-STATE', `${what} is the active system, and the node does not know it`);
  }
  if (options.dryRun) return { outcome: 'planned', decision, text: `${what} is to be installed`, plan };
  if (options.signal.aborted) {
    throw new HoldfastError('HF-INTERRUPTED', `upgraded to ${prettyName ?? what}; the next pod restarts the node`);
  }
  return restartNode(options, `upgraded to ${prettyName ?? what}; the node restarts to start it`);
}

/** What follows from a decision that needs no new system. */
async function conclude(
  options: NodeUpgradeOptions,
  decision: Exclude<Decision, { kind: 'upgrade' }>,
): Promise<NodeResult> {
  const what = describeRound(options.round);
  switch (decision.kind) {
    case 'done': {
      const text = explainDone(decision.why, what);
      if (!options.dryRun) await options.tell('done', text);
      return { outcome: 'done', text, osRelease: readOsRelease(new Root('/')) };
    }
    case 'refuse': {
      const { text, hint } = explainRefusal(decision, what);
      const code = decision.why === 'failed' ? 'HF-FAILED-IMAGE' : 'HF-STATE';
      throw new HoldfastError(code, text, hint === undefined ? {} : { hint });
    }
    case 'await-verdict':
      return { outcome: 'planned', decision, text: `${what} runs on trial; there will be a verdict` };
    case 'reboot': {
      const text = `${what} is the active system already and starts with the next boot`;
      if (options.dryRun) return { outcome: 'planned', decision, text };
      return restartNode(options, `${text}; the node restarts`);
    }
  }
}

async function findWanted({ round, pod, signal }: NodeUpgradeOptions, leftOut: readonly string[]): Promise<Wanted> {
  const isNamed = round.image !== undefined;
  return {
    round: roundId(round),
    planHash: round.planHash,
    content: isNamed ? undefined : await identifyTree(pod.imageDirectory, { leftOut, signal }),
    digest: namedDigest(round.image),
    force: round.force,
    retry: round.retry !== undefined,
    osRelease: isNamed ? undefined : readOsRelease(new Root(pod.imageDirectory)),
  };
}

function look({ labels, signal, events }: NodeUpgradeOptions): Promise<NodeFacts> {
  return inspectNode({ labels, signal, events, root: new Root('/') });
}

/** Decides, once it is known whether the running system works. */
async function decide(options: NodeUpgradeOptions, wanted: Wanted): Promise<Decision> {
  const until = performance.now() + VERDICT_MS;
  for (let first = true; ; first = false) {
    const decision = decideUpgrade(wanted, await look(options));
    if (decision.kind !== 'await-verdict' || options.dryRun) return decision;
    if (performance.now() > until) {
      throw new HoldfastError('HF-STATE', 'this node runs the new system on trial, and there is no verdict yet', {
        hint: 'the next pod looks again; on the node: holdfast assess, journalctl -u holdfast-assess',
      });
    }
    if (first) {
      const text = 'this node runs the new system on trial; waiting for the verdict';
      options.events({ type: 'notice', level: 'info', text });
    }
    await pause(VERDICT_EVERY_MS, options.signal);
    if (options.signal.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while waiting for the verdict');
  }
}

async function carryOut(
  options: NodeUpgradeOptions,
  wanted: Wanted,
  { force }: { force: boolean },
  leftOut: readonly string[],
): Promise<UpgradeResult> {
  const { round, pod, request: makeRequest, events } = options;
  const source =
    round.image === undefined
      ? { kind: 'pod' as const, directory: pod.imageDirectory }
      : { kind: 'named' as const, text: round.image };
  const asked = await makeRequest(source);
  const { image } = asked;
  const mark: RolloutRound = {
    ...(wanted.round !== undefined && { id: wanted.round }),
    ...(wanted.content !== undefined && { content: wanted.content }),
    bootId: bootId(),
  };
  const request: UpgradeRequest = {
    ...asked,
    image: image.kind === 'tree' ? asContainer(image, round, leftOut) : image,
    force: force || asked.force,
    round: mark,
  };
  const { beforeAction, command, now, labels, hookSources, signal, dryRun = false } = options;
  const session = { events, command, now, labels, hookSources, signal, dryRun };
  return upgrade(request, { ...session, ...(beforeAction && { beforeAction }) });
}

/** Where the tree is now tells nobody anything later. */
function asContainer(image: TreeImage, { version }: Round, leftOut: readonly string[]): TreeImage {
  return { ...image, source: `container:${version ?? 'unknown'}`, leftOut };
}

/** Restarts the node and waits to be killed by that. */
async function restartNode(
  { tell, signal, events, restart = () => takeDown('reboot') }: NodeUpgradeOptions,
  text: string,
): Promise<NodeResult> {
  // Afterwards there may be no time for it.
  await tell('rebooting', text);
  events({ type: 'notice', level: 'info', text: 'the node is told to restart; this pod ends with it' });
  await restart();
  await pause(DOWN_MS, signal);
  return { outcome: 'not-restarted', text: `${text}, which this pod has outlived` };
}

/** Waits, or until the signal is aborted. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end, { once: true });
  });
}
