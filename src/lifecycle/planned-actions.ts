// The actions that only plans have: keeping apart what hooks write, describing what was built and keeping it, and later
// switching to just that. Until `take-plan` nothing of a kept plan is touched, and before it everything is checked again.

import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { digestContent } from '../overlay/base-digest.ts';
import { conflictsOf } from '../overlay/rebase/losers.ts';
import {
  FETCH_DIRECTORY,
  ledgerFile,
  PLANNED_DETAILS,
  PLANNED_FILE,
  PLANNED_RECORD,
  PLANNED_WRITES,
  pristineFile,
  pristineIndexFile,
  RUNNING_FILE,
  SLOT_FILES,
} from '../slots/names.ts';
import { tryCloneSlotFile } from '../slots/slot-file.ts';
import type { Deployment } from '../slots/state-file.ts';
import { hasPristine } from '../slots/swap.ts';
import { renameDurably, writeFileDurably } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Action, ApplyContext, Performers } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import { type BuildSlotState, newDeployment } from './build-slot.ts';
import type { CarryState } from './carry-overlay.ts';
import { asBytes } from './carry-trees.ts';
import { transitionOf } from './fill-slot.ts';
import { packPlannedDetails } from './planned-details.ts';
import { staleReasons } from './planned-inputs.ts';
import type { ActionTiming, PlanMaterial } from './planned-material.ts';
import { type PlannedInputs, type PlannedRecord, readPlanned, renderPlanned, writePlanned } from './planned-record.ts';
import { applyWrites, coverOwner, type PlannedWrite, staleWrites } from './planned-writes.ts';
import type { Session } from './session.ts';
import type { SpaceWatch } from './space-watch.ts';
import { isReplaced, type NoteResult, type OpenState, type SwitchState, switchPerformers } from './switch.ts';
import { openSlotFile } from './target.ts';
import type { UpgradeAction, UpgradeFacts } from './upgrade.ts';

export type PlannedAction = Action<
  'cover-owner' | 'uncover-owner' | 'describe-plan' | 'keep-plan' | 'take-plan' | 'write-owner-files'
>;

/** What a plan is made with. */
export interface Planning {
  request: PlannedRecord['request'];
  hookSources: readonly string[];
  /** What applying will do. */
  apply: readonly UpgradeAction[];
  describe: (material: PlanMaterial) => Promise<unknown>;
  /** What hooks may read, as it was before anything was built. */
  inputs: PlannedInputs;
  lookAgain: () => PlannedInputs;
  timings: ActionTiming[];
  space: SpaceWatch;
  writes: readonly PlannedWrite[];
  uncover?: () => Promise<PlannedWrite[]>;
  record?: Omit<PlannedRecord, 'details'>;
  document?: unknown;
}

/** What a kept plan is applied with. */
export interface Applying {
  record: PlannedRecord;
  writes: readonly PlannedWrite[];
  lookAgain: () => PlannedInputs;
}

export interface PlannedState extends BuildSlotState, SwitchState, Pick<CarryState, 'carry'> {
  session: Session;
  facts: UpgradeFacts;
  planning?: Planning | undefined;
  applying?: Applying | undefined;
}

export const plannedPerformers: Performers<PlannedAction, PlannedState> = {
  'cover-owner': async (_, context, state) => {
    const planning = planningOf(state);
    planning.space.restart();
    const { covered, uncover } = await coverOwner(context, state, state.owner);
    const own = state.owner;
    state.owner = covered;
    planning.uncover = async () => {
      state.owner = own;
      return uncover();
    };
  },

  'uncover-owner': async (_, __, state) => {
    const planning = planningOf(state);
    planning.writes = (await planning.uncover?.()) ?? [];
  },

  'describe-plan': async (_, context, state) => {
    const planning = planningOf(state);
    const transition = transitionOf(state);
    if (state.built === undefined || state.image === undefined) throw new Error('there is no system to describe');
    const started = performance.now();
    const digest = await digestContent(transition, { signal: context.signal });
    const checkMs = performance.now() - started;
    const { now, command } = state.session;
    const deployment = newDeployment({ ...state, image: state.image }, { now, fromAction: 'upgrade' });
    const id = createHash('sha256').update(`${deployment.uuid} ${digest} ${now}`).digest('hex').slice(0, 12);
    const trees = await openSystems(context, state, deployment);
    planning.document = await planning.describe({
      id,
      created: now,
      command,
      ...trees.opened,
      provenance: state.image.provenance,
      facts: state.facts,
      request: planning.request,
      hooks: state.hookResults ?? [],
      hookSources: planning.hookSources,
      carry: state.carry?.plan,
      writes: planning.writes,
      moved: state.moved,
      apply: planning.apply,
      timings: planning.timings,
      checkMs,
      space: spaceOf(planning.space),
      stateDirectory: state.stateDirectory,
      warnings: state.session.warnings,
      signal: context.signal,
      progress: context.progress,
      warn: context.warn,
    });
    await trees.close();
    planning.record = {
      version: 1,
      id,
      created: now,
      name: state.built.prettyName,
      deployment,
      request: { ...planning.request, takes: [...(state.carry?.plan.takes ?? [])] },
      slot: { uuid: state.built.uuid, sizeBytes: statSync(transition).size, digest },
      inputs: planning.inputs,
      heldBytes: planning.space.heldBytes,
      overlay: overlayKey(state),
    };
  },

  'keep-plan': (_, { undo }, state) => {
    const planning = planningOf(state);
    const { stateDirectory } = state;
    if (planning.record === undefined) throw new Error('there is no plan to keep');
    const changed = staleReasons(planning.record, planning.lookAgain());
    if (changed.length > 0)
      throw refuse('this machine changed while the plan was made', changed, 'make the plan again');
    for (const name of [PLANNED_RECORD, PLANNED_FILE, PLANNED_DETAILS]) {
      undo.onFailure(`remove ${name}`, () => rmSync(join(stateDirectory, name), { force: true }));
    }
    const { bytes: details, digest } = packPlannedDetails({ document: planning.document, writes: planning.writes });
    const record = { ...planning.record, details: digest };
    // What can't be noted is refused while there is nothing to take back.
    renderPlanned(record);
    writeFileDurably(join(stateDirectory, PLANNED_DETAILS), details, { mode: 0o600 });
    renameDurably(transitionOf(state), join(stateDirectory, PLANNED_FILE));
    // All of it is in the slot and its pristine.
    rmSync(join(stateDirectory, FETCH_DIRECTORY), { recursive: true, force: true });
    writePlanned(stateDirectory, record);
  },

  'take-plan': async (_, context, state) => {
    const { record, writes, lookAgain } = applyingOf(state);
    const { stateDirectory } = state;
    refuseStale(record, lookAgain(), staleWrites(writes, state.owner));
    const planned = join(stateDirectory, PLANNED_FILE);
    const digest = await digestContent(planned, { signal: context.signal, progress: asBytes(context) });
    if (digest !== record.slot.digest) {
      const reason = `/${PLANNED_FILE} is damaged: it is not what was built`;
      throw refuse(`the plan ${record.id} can't be applied`, [reason], AGAIN);
    }
    const transition = transitionOf(state);
    if (tryCloneSlotFile(planned, transition)) {
      context.undo.onFailure(`remove ${transition}`, () => rmSync(transition, { force: true }));
    } else {
      renameDurably(planned, transition);
      context.undo.onFailure(`keep ${planned}`, () => {
        if (!state.switched) renameDurably(transition, planned);
      });
    }
  },

  'write-owner-files': async (_, context, state) => {
    const { record, writes } = applyingOf(state);
    const carried = overlayKey(state);
    if (record.overlay !== carried) {
      throw refuse(`the plan ${record.id} can't be applied`, [OVERLAY_CHANGED], AGAIN);
    }
    await applyWrites(context, state, writes, state.owner);
  },
};

const AGAIN = 'make a new plan: holdfast upgrade --plan IMAGE';
const OVERLAY_CHANGED =
  'what was written through the root overlay since then makes other conflicts than the plan shows';

/** @throws HoldfastError HF-PLAN that says all of the reasons. */
export function refuseStale(record: PlannedRecord, now: PlannedInputs, further: readonly string[] = []): void {
  const reasons = [...staleReasons(record, now), ...further];
  if (reasons.length > 0) throw refuse(`the plan ${record.id} no longer holds`, reasons, AGAIN);
}

export function refuse(what: string, reasons: readonly string[], hint: string): HoldfastError {
  return new HoldfastError('HF-PLAN', `${what}: ${reasons.join('; ')}`, { hint });
}

/** What was decided about conflicts of the overlay, as a digest; null where nothing is carried. */
function overlayKey({ carry }: Pick<CarryState, 'carry'>): string | null {
  if (carry === undefined) return null;
  const { rebase, packages } = carry.plan;
  const conflicts = conflictsOf(rebase).map(({ path, conflict }) => [path, conflict.kind, conflict.winner]);
  return sha256(Buffer.from(JSON.stringify([conflicts, rebase.accountConflicts, packages?.conflicts ?? []])));
}

/** Mounts the system that is compared with, the new one, and what both came from. */
async function openSystems(
  { undo }: ApplyContext,
  state: PlannedState,
  deployment: Deployment,
): Promise<{ opened: Pick<PlanMaterial, 'running' | 'next'>; close: () => Promise<void> }> {
  const { stateDirectory, workDirectory, facts } = state;
  const closes: (() => Promise<void>)[] = [];
  const open = async (file: string, name: string): Promise<Root> => {
    const at = join(workDirectory, name);
    mkdirSync(at, { recursive: true });
    const { root, close } = await openSlotFile(undo, file, at, { readOnly: true });
    closes.push(close);
    return root;
  };
  const pristineOf = async (digest: string | undefined, name: string) => {
    if (digest === undefined || !hasPristine(stateDirectory, digest)) return undefined;
    return open(join(stateDirectory, pristineFile(digest)), name);
  };
  const { booted, installed, activeUuid } = facts;
  const slot = booted.slot === 'passive' ? ('passive' as const) : ('active' as const);
  const isRunningFile = slot === 'active' && booted.slot === 'active' && isReplaced(booted, activeUuid);
  const file = isRunningFile ? RUNNING_FILE : SLOT_FILES[slot];
  const path = join(stateDirectory, file);
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
  const before = isRunningFile ? undefined : installed[slot];
  const running = isThere
    ? {
        slot,
        deployment: before,
        root: await open(path, 'running'),
        pristine: await pristineOf(before?.digest, 'running-pristine'),
      }
    : undefined;
  const next = {
    deployment,
    root: await open(transitionOf(state), 'next'),
    pristine: await pristineOf(deployment.digest, 'next-pristine'),
  };
  return {
    opened: { running, next },
    close: async () => {
      for (const close of closes.reverse()) await close();
    },
  };
}

function spaceOf({ sizeBytes, freeBytes, heldBytes, peakBytes }: SpaceWatch): PlanMaterial['space'] {
  return { sizeBytes, freeBytes, heldBytes, peakBytes };
}

export type DiscardAction = OpenState | NoteResult | (Action<'discard-plan'> & { keepDigests: readonly string[] });

export const discardPerformers: Performers<DiscardAction, SwitchState> = {
  'open-state': switchPerformers['open-state'],
  'note-result': switchPerformers['note-result'],
  'discard-plan': async ({ keepDigests }, _, { stateDirectory }) => {
    const kept = await readPlanned(stateDirectory);
    for (const name of PLANNED_NAMES) rmSync(join(stateDirectory, name), { recursive: true, force: true });
    if (kept.state === 'kept') rmSync(join(stateDirectory, ledgerFile(kept.record.slot.uuid)), { force: true });
    const digest = kept.state === 'kept' ? kept.record.deployment.digest : undefined;
    if (digest === undefined || keepDigests.includes(digest)) return;
    for (const name of [pristineFile(digest), pristineIndexFile(digest)])
      rmSync(join(stateDirectory, name), { force: true });
  },
};

/** Everything of a plan but the pristine of its image; first what makes it count. */
const PLANNED_NAMES = [PLANNED_RECORD, PLANNED_FILE, PLANNED_DETAILS, PLANNED_WRITES];

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function planningOf({ planning }: PlannedState): Planning {
  if (planning === undefined) throw new Error('no plan is made');
  return planning;
}

function applyingOf({ applying }: PlannedState): Applying {
  if (applying === undefined) throw new Error('no plan is applied');
  return applying;
}
