// `upgrade --plan` and `upgrade --apply`: the new system is built as an upgrade builds it, kept, and described by what it
// is; later the machine switches to exactly that file, or refuses and says why. Nothing that boots is touched while a plan
// is made.

import { requirePartition } from '../slots/locate.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Plan } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import {
  type OpenedMachine,
  openMachine,
  stateOf,
  type UpgradeResult,
  type UpgradeState,
  upgradePerformers,
} from './apply-upgrade.ts';
import { refuseFailedImage } from './assessment.ts';
import { readExtraSources } from './extra-sources.ts';
import { displayName } from './image-name.ts';
import { findMachine, inspectUpgrade } from './inspect-upgrade.ts';
import { refuseOlderImage } from './inspect-version.ts';
import { overlaySteps } from './overlay-actions.ts';
import { type DiscardAction, discardPerformers, refuse, refuseStale } from './planned-actions.ts';
import { readPlannedDetails } from './planned-details.ts';
import { collectInputs } from './planned-inputs.ts';
import type { PlanMaterial } from './planned-material.ts';
import { type PlannedInputs, type PlannedRecord, readPlanned } from './planned-record.ts';
import { staleWrites } from './planned-writes.ts';
import { readInstallation } from './records.ts';
import { applyPlan, readPartition, type Session, type SessionOptions, withSession } from './session.ts';
import { ActionWatch, SpaceWatch } from './space-watch.ts';
import { noteResult, openState } from './switch.ts';
import type { OwnerMounts } from './target.ts';
import {
  buildActions,
  finishAction,
  openActions,
  planUpgrade,
  switchActions,
  UPGRADE_TOOLS,
  type UpgradeAction,
  type UpgradeFacts,
  type UpgradeRequest,
  type UpgradeWish,
} from './upgrade.ts';

/** The plan that makes a plan. Pure. */
export function planPlanning(request: UpgradeRequest, facts: UpgradeFacts): Plan<UpgradeAction> {
  // What refuses an upgrade refuses its plan.
  const { title, actions } = planUpgrade(request, facts);
  if (actions.length === 0) return { title, actions };
  return {
    title: `Plan: ${title}`,
    actions: [
      ...openActions(request, facts, { hooks: false }),
      { kind: 'cover-owner', summary: 'Keep apart what hooks write to /oem and /usr/local' },
      ...buildActions(request, facts),
      { kind: 'uncover-owner', summary: 'Find what hooks wrote to /oem and /usr/local' },
      { kind: 'describe-plan', summary: 'Compare the new system with the running one' },
      { kind: 'keep-plan', summary: 'Keep the new system for holdfast upgrade --apply' },
      noteResult,
    ],
  };
}

/** The plan that applies one. Pure. */
export function planApplying(wish: UpgradeWish, facts: UpgradeFacts): Plan<UpgradeAction> {
  return {
    title: `Upgrade to ${displayName(facts.image.source)}, as planned`,
    actions: [
      ...openActions(wish, facts, { keepPlanned: true }),
      {
        kind: 'take-plan',
        summary: 'Check that everything is as it was when the plan was made, and take what it built',
      },
      ...overlaySteps(facts.overlay, wish).beforeFinish,
      finishAction(wish),
      { kind: 'write-owner-files', summary: 'Write what hooks wrote to /oem and /usr/local' },
      ...switchActions(wish, facts),
    ],
  };
}

export interface PlanAheadResult {
  outcome: 'plan-kept' | 'up-to-date' | 'planned';
  plan: Plan<UpgradeAction>;
  facts: UpgradeFacts;
  id?: string;
  /** What `describe` made of it. */
  document?: unknown;
  warnings: readonly string[];
  durationMs: number;
}

/**
 * Builds the new system and keeps it.
 * @param describe says what the plan says, from both systems; plain data that is kept with it.
 * @throws HoldfastError as an upgrade does before its switch; HF-PLAN when the machine changed in between.
 */
export function planAhead(
  request: UpgradeRequest,
  options: SessionOptions,
  describe: (material: PlanMaterial) => Promise<unknown>,
): Promise<PlanAheadResult> {
  const watch = new ActionWatch(options.events);
  const watched = { ...options, events: watch.events, tools: UPGRADE_TOOLS };
  return withSession('plan', watched, async (session) => {
    const machine = await openMachine(session);
    const { facts, prepared } = await inspectUpgrade(request, machine, machine.stateDirectory);
    refuseOlderImage(request, facts);
    for (const text of facts.warnings) session.events({ type: 'notice', level: 'warning', text });
    const wish = { ...request, labels: session.labels };
    const plan = planPlanning(wish, facts);
    session.record.describe({ name: 'upgrade plan', message: plan.title });
    const base = { plan, facts, warnings: session.warnings, durationMs: 0 };
    if (plan.actions.length === 0) return { ...base, outcome: 'up-to-date' };
    if (session.dryRun) return { ...base, outcome: 'planned' };

    const { image, minimumBytes } = request;
    const hookSources = await hookSourcesOf(session);
    const start = await stateOf(machine, request, facts);
    const lookAgain = inputsOf(machine, start.owner, hookSources);
    const space = new SpaceWatch(machine.stateDirectory);
    watch.onEvent = () => space.look();
    const state: UpgradeState = {
      ...start,
      image,
      minimumBytes,
      prepared,
      keepsFetched: true,
      hookResults: [],
      planning: {
        request: {
          strictness: request.strictness,
          assess: request.assess ?? true,
          allowDowngrade: request.allowDowngrade ?? false,
          overlay: request.overlay ?? 'carry',
          takes: [],
        },
        hookSources,
        apply: planApplying(wish, facts).actions,
        describe,
        inputs: lookAgain(),
        lookAgain,
        timings: watch.timings,
        space,
        writes: [],
      },
    };
    const { durationMs } = await applyPlan(session, plan, upgradePerformers, state);
    const { record, document } = state.planning ?? {};
    if (record === undefined) throw new Error('no plan was kept');
    return { ...base, outcome: 'plan-kept', id: record.id, document, durationMs };
  });
}

/**
 * Switches to the system of the kept plan.
 * @param wanted id of the plan; undefined: whichever is kept.
 * @param image the image that is asked for, if one is.
 * @throws HoldfastError HF-PLAN that says why it can't be applied; then nothing was changed.
 */
export function applyPlanned(
  wanted: { id?: string | undefined; image?: string | undefined },
  options: SessionOptions,
): Promise<UpgradeResult & { planId: string }> {
  return withSession('upgrade', { ...options, tools: UPGRADE_TOOLS }, async (session) => {
    const machine = await openMachine(session);
    const { stateDirectory } = machine;
    const record = await wantedPlan(stateDirectory, wanted);
    const { writes } = readPlannedDetails(stateDirectory, record);
    const { deployment, request } = record;
    const image = { digest: deployment.digest, source: deployment.source, layers: deployment.layers.length };
    const facts: UpgradeFacts = { ...findMachine(image, machine, stateDirectory), base: undefined, measured: NOTHING };
    const start = await stateOf(machine, request, facts);
    const lookAgain = inputsOf(machine, start.owner, await hookSourcesOf(session));
    refuseStale(record, lookAgain(), staleWrites(writes, start.owner));
    refuseFailedImage(facts.assessment, image, { force: false });
    for (const text of facts.warnings) session.events({ type: 'notice', level: 'warning', text });
    const plan = planApplying({ ...request, force: false, labels: session.labels }, facts);
    const base = { plan, facts, warnings: session.warnings, durationMs: 0, prettyName: record.name, planId: record.id };
    if (session.dryRun) return { ...base, outcome: 'planned' };
    const state: UpgradeState = { ...start, applying: { record, writes, lookAgain } };
    const { durationMs } = await applyPlan(session, plan, upgradePerformers, state, {
      isDone: () => state.switched,
    });
    const { carry } = state;
    const outcome = session.warnings.length === 0 ? 'ok' : 'ok-with-warnings';
    return { ...base, outcome, durationMs, overlay: carry?.done ?? carry?.plan };
  });
}

const NOTHING = { contentBytes: 0, entries: 0, compressedBytes: 0 };
const DISCARD = 'remove it: holdfast upgrade --discard-plan';

async function wantedPlan(
  stateDirectory: string,
  { id, image }: { id?: string | undefined; image?: string | undefined },
): Promise<PlannedRecord> {
  const kept = await readPlanned(stateDirectory);
  if (kept.state === 'none') {
    throw new HoldfastError('HF-PLAN', id === undefined ? 'no plan is kept' : `the plan ${id} is not kept any more`, {
      hint: 'make one: holdfast upgrade --plan IMAGE; what changes a slot drops the plan that was kept',
    });
  }
  if (kept.state === 'unusable') throw refuse('the kept plan can’t be used', [kept.reason], DISCARD);
  const { record } = kept;
  if (id !== undefined && !(id.length >= 4 && record.id.startsWith(id))) {
    throw refuse(
      `the plan ${id} is not the one that is kept`,
      [`that one is ${record.id} of ${record.created}, ${record.name}`],
      'holdfast upgrade --apply applies the kept one',
    );
  }
  const { source, digest } = record.deployment;
  if (image !== undefined && image !== source && image !== displayName(source) && image !== digest) {
    throw refuse(
      `the plan ${record.id} is of another image`,
      [`it is of ${displayName(source)}, not of ${image}`],
      'make a plan of that one: holdfast upgrade --plan IMAGE',
    );
  }
  return record;
}

async function hookSourcesOf({ hookSources }: Session): Promise<readonly string[]> {
  return (hookSources ?? (await readExtraSources(new Root('/')))).sources;
}

function inputsOf(
  { session, installation }: OpenedMachine,
  owner: OwnerMounts,
  extraSources: readonly string[],
): () => PlannedInputs {
  const { ids } = installation;
  const slots = {
    running: session.booted.uuid ?? null,
    active: ids.active ?? null,
    passive: ids.passive ?? null,
  };
  // Where they are mounted while nothing covers them.
  const places = { owner: { ...owner }, extraSources, slots };
  return () => collectInputs(places);
}

export interface DiscardResult {
  outcome: 'ok' | 'planned' | 'nothing';
  plan: Plan;
  /** What the kept plan was of, or why it was none. */
  name: string | undefined;
  warnings: readonly string[];
}

/** Removes the kept plan, or what is left of one. */
export function discardPlan(options: SessionOptions): Promise<DiscardResult> {
  return withSession('plan', { ...options, tools: UPGRADE_TOOLS }, async (session) => {
    const { device } = requirePartition(session.partitions, 'state', session.labels);
    const stateDirectory = await readPartition(session, 'state');
    const kept = await readPlanned(stateDirectory);
    const name = kept.state === 'kept' ? `${kept.record.id}, ${kept.record.name}` : undefined;
    const base = { name, warnings: session.warnings };
    if (kept.state === 'none') return { ...base, outcome: 'nothing', plan: { title: 'Nothing to do', actions: [] } };
    const installation = await readInstallation(session, stateDirectory);
    const { active, passive } = installation.state;
    const keepDigests = [active?.digest, passive?.digest].filter((digest) => digest !== undefined);
    session.record.describe({ name: 'upgrade plan' });
    const plan: Plan<DiscardAction> = {
      title: 'Discard the kept plan',
      actions: [
        openState(device),
        { kind: 'discard-plan', summary: 'Remove the system that the plan has built', keepDigests },
        noteResult,
      ],
    };
    if (session.dryRun) return { ...base, outcome: 'planned', plan };
    const state = { session, stateDirectory, installation, workDirectory: session.workDirectory, switched: false };
    await applyPlan(session, plan, discardPerformers, state);
    return { ...base, outcome: 'ok', plan };
  });
}
