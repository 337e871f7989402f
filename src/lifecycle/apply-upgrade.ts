// Carries out an upgrade's plan. From `activate` on the upgrade is done: whatever goes wrong after it is a warning,
// because an error would make a controller repeat the upgrade and lose the old system (elemental-cli#431).

import { join } from 'node:path';
import type { Image } from '../image/image.ts';
import { shortFingerprint } from '../overlay/fingerprint.ts';
import { requirePartition } from '../slots/locate.ts';
import { SLOT_FILES } from '../slots/names.ts';
import type { Deployment, RolloutRound } from '../slots/state-file.ts';
import { activateTransition, copyActiveToPassive, removeAtOnce, removeLeftovers } from '../slots/swap.ts';
import type { Performers, Plan } from '../system/plan.ts';
import { armAssessment } from './assessment.ts';
import { clearOverrides } from './boot-choice.ts';
import { buildSlotPerformers, newDeployment } from './build-slot.ts';
import type { CarryPlan } from './carry-engine.ts';
import { carryPerformers } from './carry-overlay.ts';
import { checkPackagesPerformers, dropPackages } from './check-packages.ts';
import { type Moved, transitionOf } from './fill-slot.ts';
import { type Carried, type FoundOverlay, findOverlay } from './find-overlay.ts';
import { type GoLiveState, type LiveResult, livePerformer } from './go-live.ts';
import { inspectUpgrade, type UpgradedMachine } from './inspect-upgrade.ts';
import { installedVersion, refuseOlderImage } from './inspect-version.ts';
import { keepPackageLock } from './keep-packages.ts';
import { overlayFacts } from './overlay-actions.ts';
import { type UpkeepState, upkeepPerformers } from './overlay-upkeep.ts';
import { readPendingCarry, removePendingCarry } from './pending-carry.ts';
import { type PlannedState, plannedPerformers } from './planned-actions.ts';
import {
  type Installation,
  readInstallation,
  recordedSlot,
  writeMenu,
  writeStateFiles,
  writeTransitionNote,
} from './records.ts';
import {
  applyPlan,
  asWarning,
  mountOwner,
  readPartition,
  readPartitionIfThere,
  type Session,
  type SessionOptions,
  withSession,
} from './session.ts';
import { type HookState, hookPerformer, switchPerformers } from './switch.ts';
import {
  type LocalChange,
  planOverlayPreview,
  planUpgrade,
  UPGRADE_TOOLS,
  type UpgradeAction,
  type UpgradeFacts,
  type UpgradeRequest,
} from './upgrade.ts';

export type UpgradeOptions = SessionOptions;

export interface UpgradeResult {
  /** `previewed`: what would become of the overlay was found out, and nothing was kept. */
  outcome: 'ok' | 'ok-with-warnings' | 'up-to-date' | 'planned' | 'previewed';
  plan: Plan<UpgradeAction>;
  facts: UpgradeFacts;
  warnings: readonly string[];
  durationMs: number;
  /** What is active now: the new system's own name for itself. */
  prettyName: string | undefined;
  /** What was fetched and written for it. */
  moved?: Moved | undefined;
  /** What became of the overlay, path by path. */
  overlay?: CarryPlan | undefined;
  /** What came of bringing a local change to the running system, where that was wanted. */
  live?: LiveResult | undefined;
}

/** What the actions of an upgrade leave for each other. */
export interface UpgradeState extends HookState, UpkeepState, PlannedState, GoLiveState {
  image?: Image | undefined;
  facts: UpgradeFacts;
  local: LocalChange | undefined;
  round?: RolloutRound | undefined;
}

/** What is asked for once it is known what is installed; COS_STATE can be read at `stateDirectory`. */
export type Ask = (session: Session, installation: Installation, stateDirectory: string) => Promise<UpgradeRequest>;

/**
 * Upgrades this machine.
 * @throws HoldfastError before anything was switched; afterwards problems are in `warnings`.
 */
export function upgrade(request: UpgradeRequest, options: UpgradeOptions): Promise<UpgradeResult> {
  return carryOut(request, options, planUpgrade);
}

/**
 * Builds the installed image anew, with an upgrade's plan.
 * @param ask what image that is.
 * @throws HoldfastError as `upgrade` and `ask`.
 */
export function rebuildInstalled(ask: Ask, options: UpgradeOptions): Promise<UpgradeResult> {
  return carryOut(ask, options, planUpgrade, 'apply');
}

/**
 * Shows what an image would make of this machine's overlay: the new system is built as an upgrade would, and thrown away.
 * @throws HoldfastError with the statuses of refused carrying, and what `upgrade` throws.
 */
export function previewOverlay(request: UpgradeRequest, options: UpgradeOptions): Promise<UpgradeResult> {
  return carryOut({ ...request, force: true }, options, planOverlayPreview);
}

function carryOut(
  asked: UpgradeRequest | Ask,
  options: UpgradeOptions,
  decide: (request: UpgradeRequest, facts: UpgradeFacts) => Plan<UpgradeAction>,
  name: 'upgrade' | 'apply' = 'upgrade',
): Promise<UpgradeResult> {
  return withSession(name, { ...options, tools: UPGRADE_TOOLS }, async (session) => {
    const machine = await openMachine(session);
    const { installation, stateDirectory } = machine;
    const request = typeof asked === 'function' ? await asked(session, installation, stateDirectory) : asked;
    const { facts, prepared } = await inspectUpgrade(request, machine, stateDirectory);
    refuseOlderImage(request, facts);
    for (const text of facts.warnings) session.events({ type: 'notice', level: 'warning', text });
    const plan = decide({ ...request, labels: session.labels }, facts);
    const isPreview = decide === planOverlayPreview;
    const base = { plan, facts, warnings: facts.warnings, durationMs: 0, prettyName: undefined };
    if (plan.actions.length === 0) {
      session.record.skip(`the active system already is ${facts.image.source}`);
      return { ...base, outcome: 'up-to-date' };
    }
    if (session.dryRun) return { ...base, outcome: 'planned' };
    if (isPreview) session.record.describe({ name: 'overlay plan' });

    const { image, minimumBytes } = request;
    const state: UpgradeState = {
      ...(await stateOf(machine, request, facts)),
      image,
      minimumBytes,
      prepared,
      keepsFetched: true,
    };
    const { durationMs } = await applyPlan(session, plan, upgradePerformers, state, {
      isDone: () => state.switched,
    });
    const { warnings } = session;
    const { built, moved, carry, live } = state;
    const done = { ...base, warnings, durationMs, moved, overlay: carry?.done ?? carry?.plan, live };
    if (isPreview) return { ...done, outcome: 'previewed' };
    const outcome = warnings.length === 0 ? 'ok' : 'ok-with-warnings';
    return { ...done, outcome, prettyName: built?.prettyName };
  });
}

/** The machine as every way to upgrade it sees it. */
export interface OpenedMachine extends UpgradedMachine {
  stateDirectory: string;
  foundOverlay: FoundOverlay | undefined;
}

/** Finds what is installed and the overlay, for an upgrade. */
export async function openMachine(session: Session): Promise<OpenedMachine> {
  const { device: stateDevice } = requirePartition(session.partitions, 'state', session.labels);
  const stateDirectory = await readPartition(session, 'state');
  const installation = await readInstallation(session, stateDirectory);
  const oemDirectory = await readPartitionIfThere(session, 'oem');
  const foundOverlay = await findOverlay(session, { stateDirectory, oemDirectory, write: !session.dryRun });
  const overlay = overlayFacts(foundOverlay);
  return { session, stateDevice, stateDirectory, installation, oemDirectory, foundOverlay, overlay };
}

/** What the actions of an upgrade begin with; the image is added where there is one. */
export async function stateOf(
  { session, stateDirectory, installation, foundOverlay }: OpenedMachine,
  { allowDowngrade = false, local, round }: Pick<UpgradeRequest, 'allowDowngrade' | 'local' | 'round'>,
  facts: UpgradeFacts,
): Promise<UpgradeState> {
  return {
    stateDirectory,
    workDirectory: session.workDirectory,
    owner: await mountOwner(session),
    session,
    installation,
    facts,
    // The installed image is as new as itself.
    newerThan: local === undefined ? { installed: installedVersion(facts), allowDowngrade } : undefined,
    local,
    round,
    switched: false,
    becomes: join(stateDirectory, SLOT_FILES.active),
    foundOverlay,
    overlay: carriedOf(foundOverlay),
  };
}

function carriedOf(found: FoundOverlay | undefined): Carried | undefined {
  const { set, from, view, cow } = found ?? {};
  if (found === undefined || set === undefined || from === undefined || view === undefined) return undefined;
  return cow === undefined ? undefined : { ...found, set, from, view, cow };
}

function newRecord(state: UpgradeState): Deployment {
  const { overlay, carry } = state;
  const record = imageRecord(state);
  if (overlay === undefined || carry?.sealed === undefined) return record;
  return { ...record, overlay: `${overlay.device}:${overlay.path}, carried from ${shortFingerprint(overlay.from)}` };
}

/** Of an image that was built now, or of one that a plan has built. */
function imageRecord(state: UpgradeState): Deployment {
  const { session, image, applying, local } = state;
  if (applying !== undefined) return { ...applying.record.deployment, date: session.now };
  if (image === undefined) throw new Error('there is no image to upgrade to');
  const record = newDeployment(
    { ...state, image },
    { now: session.now, fromAction: local === undefined ? 'upgrade' : 'apply' },
  );
  if (local !== undefined) {
    // The same image with other changes: whose work that image was stays.
    const { verified, round } = local.deployment;
    return { ...record, verified, ...(round !== undefined && { round }) };
  }
  return state.round === undefined ? record : { ...record, round: state.round };
}

export const upgradePerformers: Performers<UpgradeAction, UpgradeState> = {
  ...buildSlotPerformers,
  ...plannedPerformers,
  ...carryPerformers,
  ...upkeepPerformers,
  ...switchPerformers,
  ...hookPerformer,
  ...livePerformer,
  ...checkPackagesPerformers,

  'note-transition': (_, __, state) => {
    const { session, stateDirectory, installation } = state;
    writeTransitionNote(session, stateDirectory, installation.state, newRecord(state));
  },

  'copy-to-passive': ({ mode }, _, { stateDirectory, session }) =>
    copyActiveToPassive(stateDirectory, { mode, labels: session.labels }),

  // Before the switch: it speaks of this image alone, and a power cut after the switch must not find it missing.
  'arm-assessment': ({ enabled }, context, state) =>
    asWarning(context, async () => {
      const { source, uuid, ...record } = imageRecord(state);
      // What fails then is the change, not the image: it may be upgraded to again.
      const { digest, round } = state.local === undefined ? record : {};
      const { warnings, notices } = await armAssessment(state.stateDirectory, {
        image: { uuid, source, digest, name: state.built?.prettyName, round },
        now: state.session.now,
        enabled,
        oemDirectory: state.owner.oem,
      });
      for (const warning of warnings) context.warn(warning);
      for (const text of notices) context.events({ type: 'notice', level: 'info', text });
    }),

  activate: async ({ keepRunning }, __, state) => {
    await activateTransition(state.stateDirectory, { keepRunning });
    state.switched = true;
    state.keepOverlay?.();
  },

  'write-records': async ({ movePassive }, context, state) => {
    const { facts, stateDirectory, session, built } = state;
    const { active, passive, recovery } = facts.installed;
    await asWarning(context, () => dropPackages(state));
    session.record.describe({ slot: recordedSlot('active', newRecord(state)) });
    const newPassive = movePassive ? active : passive;
    await writeStateFiles(session, context, stateDirectory, {
      active: newRecord(state),
      ...(newPassive === undefined ? {} : { passive: newPassive }),
      ...(recovery === undefined ? {} : { recovery }),
    });
    await asWarning(context, () =>
      writeMenu(stateDirectory, {
        title: built?.wantedMenuEntry,
        fallbackTitle: built?.menuEntry ?? 'cOS',
        replaced: movePassive ? ['active', 'passive'] : ['active'],
      }),
    );
    await asWarning(context, () => keepPackageLock(context, state));
  },

  'drop-transition': (_, __, state) => removeAtOnce(transitionOf(state)),

  'clear-overrides': ({ overrides }, context, { stateDirectory, owner }) =>
    asWarning(context, () => {
      clearOverrides(overrides, { stateDirectory, oemDirectory: owner.oem });
      // One that this upgrade has written is for its own shutdown.
      if (readPendingCarry(stateDirectory)?.state === 'failed') removePendingCarry(stateDirectory);
    }),

  'remove-old-pristines': ({ keepDigests, keepRunning }, context, { stateDirectory }) =>
    asWarning(context, () => {
      removeLeftovers(stateDirectory, { keepDigests, keepRunning });
    }),
};
