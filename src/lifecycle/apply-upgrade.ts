// Carries out an upgrade's plan. From `activate` on the upgrade is done: whatever goes wrong after it is a warning,
// because an error would make a controller repeat the upgrade and lose the old system (elemental-cli#431).

import { join } from 'node:path';
import type { Image } from '../image/image.ts';
import { shortFingerprint } from '../overlay/fingerprint.ts';
import { requirePartition } from '../slots/locate.ts';
import { SLOT_FILES } from '../slots/names.ts';
import type { Deployment } from '../slots/state-file.ts';
import { activateTransition, copyActiveToPassive, removeAtOnce, removeLeftovers } from '../slots/swap.ts';
import type { Performers, Plan } from '../system/plan.ts';
import { armAssessment } from './assessment.ts';
import { clearOverrides } from './boot-choice.ts';
import { buildSlotPerformers, newDeployment } from './build-slot.ts';
import type { CarryPlan } from './carry-engine.ts';
import { carryPerformers } from './carry-overlay.ts';
import { type Moved, transitionOf } from './fill-slot.ts';
import { type Carried, type FoundOverlay, findOverlay } from './find-overlay.ts';
import { inspectUpgrade } from './inspect-upgrade.ts';
import { installedVersion, refuseOlderImage } from './inspect-version.ts';
import { overlayFacts } from './overlay-actions.ts';
import { type UpkeepState, upkeepPerformers } from './overlay-upkeep.ts';
import { readPendingCarry, removePendingCarry } from './pending-carry.ts';
import { readInstallation, writeMenu, writeStateFiles, writeTransitionNote } from './records.ts';
import {
  applyPlan,
  asWarning,
  mountOwner,
  readPartition,
  readPartitionIfThere,
  type SessionOptions,
  withSession,
} from './session.ts';
import { type HookState, hookPerformer, switchPerformers } from './switch.ts';
import {
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
}

interface UpgradeState extends HookState, UpkeepState {
  image: Image;
  facts: UpgradeFacts;
}

/**
 * Upgrades this machine.
 * @throws HoldfastError before anything was switched; afterwards problems are in `warnings`.
 */
export function upgrade(request: UpgradeRequest, options: UpgradeOptions): Promise<UpgradeResult> {
  return carryOut(request, options, planUpgrade);
}

/**
 * Shows what an image would make of this machine's overlay: the new system is built as an upgrade would, and thrown away.
 * @throws HoldfastError with the statuses of refused carrying, and what `upgrade` throws.
 */
export function previewOverlay(request: UpgradeRequest, options: UpgradeOptions): Promise<UpgradeResult> {
  return carryOut({ ...request, force: true }, options, planOverlayPreview);
}

function carryOut(
  request: UpgradeRequest,
  options: UpgradeOptions,
  decide: (request: UpgradeRequest, facts: UpgradeFacts) => Plan<UpgradeAction>,
): Promise<UpgradeResult> {
  return withSession('upgrade', { ...options, tools: UPGRADE_TOOLS }, async (session) => {
    const { labels, events, workDirectory } = session;
    const { device: stateDevice } = requirePartition(session.partitions, 'state', labels);
    const stateDirectory = await readPartition(session, 'state');
    const installation = await readInstallation(session, stateDirectory);
    const oemDirectory = await readPartitionIfThere(session, 'oem');
    const foundOverlay = await findOverlay(session, { stateDirectory, oemDirectory, write: !session.dryRun });
    const overlay = overlayFacts(foundOverlay);
    const machine = { session, stateDevice, installation, overlay, oemDirectory };
    const { facts, prepared } = await inspectUpgrade(request, machine, stateDirectory);
    refuseOlderImage(request, facts);
    for (const text of facts.warnings) events({ type: 'notice', level: 'warning', text });
    const plan = decide({ ...request, labels }, facts);
    const isPreview = decide === planOverlayPreview;
    const base = { plan, facts, warnings: facts.warnings, durationMs: 0, prettyName: undefined };
    if (plan.actions.length === 0) return { ...base, outcome: 'up-to-date' };
    if (session.dryRun) return { ...base, outcome: 'planned' };

    const state: UpgradeState = {
      image: request.image,
      minimumBytes: request.minimumBytes,
      prepared,
      keepsFetched: true,
      stateDirectory,
      workDirectory,
      owner: await mountOwner(session),
      session,
      installation,
      facts,
      newerThan: { installed: installedVersion(facts), allowDowngrade: request.allowDowngrade ?? false },
      switched: false,
      becomes: join(stateDirectory, SLOT_FILES.active),
      foundOverlay,
      overlay: carriedOf(foundOverlay),
    };
    const { durationMs } = await applyPlan(session, plan, performers, state);
    const { warnings } = session;
    const { built, moved, carry } = state;
    const done = { ...base, warnings, durationMs, moved, overlay: carry?.done ?? carry?.plan };
    if (isPreview) return { ...done, outcome: 'previewed' };
    const outcome = warnings.length === 0 ? 'ok' : 'ok-with-warnings';
    return { ...done, outcome, prettyName: built?.prettyName };
  });
}

function carriedOf(found: FoundOverlay | undefined): Carried | undefined {
  const { set, from, view, cow } = found ?? {};
  if (found === undefined || set === undefined || from === undefined || view === undefined) return undefined;
  return cow === undefined ? undefined : { ...found, set, from, view, cow };
}

function newRecord(state: UpgradeState): Deployment {
  const { session, overlay, carry } = state;
  const record = newDeployment(state, { now: session.now, fromAction: 'upgrade' });
  if (overlay === undefined || carry?.sealed === undefined) return record;
  return { ...record, overlay: `${overlay.device}:${overlay.path}, carried from ${shortFingerprint(overlay.from)}` };
}

const performers: Performers<UpgradeAction, UpgradeState> = {
  ...buildSlotPerformers,
  ...carryPerformers,
  ...upkeepPerformers,
  ...switchPerformers,
  ...hookPerformer,

  'note-transition': (_, __, state) => {
    const { session, stateDirectory, installation } = state;
    writeTransitionNote(session, stateDirectory, installation.state, newRecord(state));
  },

  'copy-to-passive': ({ mode }, _, { stateDirectory, session }) =>
    copyActiveToPassive(stateDirectory, { mode, labels: session.labels }),

  // Before the switch: it speaks of this image alone, and a power cut after the switch must not find it missing.
  'arm-assessment': ({ enabled }, context, state) =>
    asWarning(context, async () => {
      const { source, digest, uuid } = newDeployment(state, { now: state.session.now, fromAction: 'upgrade' });
      const { warnings, notices } = await armAssessment(state.stateDirectory, {
        image: { uuid, source, digest, name: state.built?.prettyName },
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
