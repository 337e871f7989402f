// Carries out the plan of an upgrade of the recovery system. The active and the passive slot and the boot menu are not
// touched; from `activate-recovery` on what fails is a warning.

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../image/image.ts';
import { slotId } from '../slots/identify.ts';
import { requirePartition } from '../slots/locate.ts';
import { FETCH_DIRECTORY, NEW_SQUASHFS, RECOVERY_SQUASHFS, SLOT_FILES, TRANSITION_FILE } from '../slots/names.ts';
import { activateRecovery, makeSquashfs, type RecoveryKind } from '../slots/recovery-swap.ts';
import { checkSlotFile, cloneSlotFile } from '../slots/slot-file.ts';
import type { Deployment } from '../slots/state-file.ts';
import { removeLeftovers, unfinishedBytes } from '../slots/swap.ts';
import { freeBytes } from '../system/filesystems.ts';
import type { ApplyContext, Performers, Plan } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import { buildSlotPerformers, newDeployment } from './build-slot.ts';
import type { Moved } from './fill-slot.ts';
import { findMeasuredStart } from './inspect-upgrade.ts';
import { recoveryVersion } from './inspect-version.ts';
import type { PreparedDelta } from './prepare-delta.ts';
import { type Installation, readInstallation, recordedSlot, writeStateFiles, writeTransitionNote } from './records.ts';
import {
  applyPlan,
  asWarning,
  mountOwner,
  openForWriting,
  readPartition,
  type Session,
  type SessionOptions,
  withSession,
} from './session.ts';
import { moveLedger } from './slot-ledger.ts';
import { type HookState, hookPerformer, switchPerformers } from './switch.ts';
import { openSlotFile } from './target.ts';
import { UPGRADE_TOOLS } from './upgrade.ts';
import {
  isRecoveryUpToDate,
  placeRecovery,
  planRecovery,
  type RecoveryAction,
  type RecoveryFacts,
  type RecoveryRequest,
  recoverySize,
} from './upgrade-recovery.ts';
import { askForRoom, sayWhatGoes } from './upgrade-room.ts';

export interface RecoveryResult {
  outcome: 'ok' | 'ok-with-warnings' | 'up-to-date' | 'planned';
  plan: Plan<RecoveryAction>;
  facts: RecoveryFacts;
  warnings: readonly string[];
  durationMs: number;
  prettyName: string | undefined;
  moved?: Moved | undefined;
}

interface RecoveryState extends HookState {
  image: Image;
  facts: RecoveryFacts;
  kind: RecoveryKind;
  recoveryDirectory: string;
  /** The finished file on RECOVERY, before it takes its name. */
  finished: string;
}

/**
 * Upgrades the recovery system of this machine.
 * @throws HoldfastError before anything was switched; afterwards problems are in `warnings`.
 */
export function upgradeRecovery(request: RecoveryRequest, options: SessionOptions): Promise<RecoveryResult> {
  return withSession('upgrade-recovery', { ...options, tools: UPGRADE_TOOLS }, async (session) => {
    const stateDirectory = await readPartition(session, 'state');
    const recoveryDirectory = await readPartition(session, 'recovery');
    const installation = await readInstallation(session, stateDirectory);
    for (const text of installation.problems) session.events({ type: 'notice', level: 'warning', text });
    const { facts, prepared } = await inspectRecovery(session, request, installation, {
      stateDirectory,
      recoveryDirectory,
    });
    const plan = planRecovery(request, facts);
    const base = { plan, facts, warnings: session.warnings, durationMs: 0, prettyName: undefined };
    if (plan.actions.length === 0) {
      session.record.skip(`the recovery system already is ${facts.image.source}`);
      return { ...base, outcome: 'up-to-date' };
    }
    if (session.dryRun) return { ...base, outcome: 'planned' };

    const kind = request.kind ?? facts.found ?? 'image';
    const onRecovery = placeRecovery(kind, facts, recoverySize(request, facts)) === 'recovery';
    const buildDirectory = onRecovery ? recoveryDirectory : stateDirectory;
    const state: RecoveryState = {
      image: request.image,
      minimumBytes: request.minimumBytes,
      prepared,
      stateDirectory,
      recoveryDirectory,
      buildDirectory,
      workDirectory: session.workDirectory,
      owner: await mountOwner(session),
      session,
      installation,
      facts,
      newerThan:
        facts.found === undefined
          ? undefined
          : { installed: recoveryVersion(facts), allowDowngrade: request.allowDowngrade ?? false },
      kind,
      finished: join(
        recoveryDirectory,
        kind === 'squashfs' ? NEW_SQUASHFS : onRecovery ? TRANSITION_FILE : `${SLOT_FILES.recovery}.new`,
      ),
      switched: false,
      becomes: undefined,
    };
    const { durationMs } = await applyPlan(session, plan, performers, state);
    const { warnings } = session;
    const outcome = warnings.length === 0 ? 'ok' : 'ok-with-warnings';
    return { ...base, outcome, warnings, durationMs, prettyName: state.built?.prettyName, moved: state.moved };
  });
}

async function inspectRecovery(
  session: Session,
  request: RecoveryRequest,
  installation: Installation,
  { stateDirectory, recoveryDirectory }: { stateDirectory: string; recoveryDirectory: string },
): Promise<{ facts: RecoveryFacts; prepared: PreparedDelta | undefined }> {
  const { image } = request;
  const { partitions, labels } = session;
  const has = (file: string) => existsSync(join(recoveryDirectory, file));
  const found = has(RECOVERY_SQUASHFS) ? 'squashfs' : has(SLOT_FILES.recovery) ? 'image' : undefined;
  if ((request.kind ?? found) === 'squashfs') requireTools(['mksquashfs']);
  const facts = {
    booted: session.booted,
    stateDevice: requirePartition(partitions, 'state', labels).device,
    recoveryDevice: requirePartition(partitions, 'recovery', labels).device,
    found,
    deployment: installation.state.recovery,
    recoveryId: installation.ids.recovery,
    image: {
      digest: image.kind === 'oci' ? image.digest : undefined,
      source: image.source,
      layers: image.kind === 'oci' ? image.layers.length : 0,
    },
    freeBytes: {
      state: freeBytes(stateDirectory),
      recovery: freeBytes(recoveryDirectory) + unfinishedBytes(recoveryDirectory),
    },
  } satisfies Omit<RecoveryFacts, 'measured' | 'base'>;
  if (isRecoveryUpToDate(facts) && !request.force) {
    const measured = { contentBytes: 0, entries: 0, compressedBytes: 0 };
    return { facts: { ...facts, base: undefined, measured }, prepared: undefined };
  }
  let room: Pick<RecoveryFacts, 'freeBytes' | 'keepFetched'> = facts;
  const { state: installed } = installation;
  const { prepared, ...start } = await findMeasuredStart(session, installed, image, stateDirectory, (measured) => {
    const { recovery, state } = facts.freeBytes;
    const keepFetched = askForRoom(stateDirectory, image, (reclaimableBytes) => {
      room = { freeBytes: { recovery, state: state + reclaimableBytes } };
      const sized = { ...facts, ...measured, ...room };
      placeRecovery(request.kind ?? found ?? 'image', sized, recoverySize(request, sized));
    });
    room = { ...room, keepFetched };
  });
  sayWhatGoes(session, { stateDirectory, image, kept: room.keepFetched ?? [] });
  return { facts: { ...facts, ...start, ...room }, prepared };
}

const performers: Performers<RecoveryAction, RecoveryState> = {
  ...buildSlotPerformers,
  ...switchPerformers,
  ...hookPerformer,

  'open-recovery': (_, { undo }, { recoveryDirectory }) =>
    openForWriting(undo, recoveryDirectory, { endsReadOnly: true }),

  'remove-leftovers': (_, context, { stateDirectory, recoveryDirectory, facts, installation }) => {
    const { booted } = facts;
    const { active, passive } = installation.state;
    const keepDigests = [active?.digest, passive?.digest].filter((digest) => digest !== undefined);
    const replaced = booted.replaced || (booted.slot === 'active' && booted.uuid !== installation.ids.active);
    const said = (names: string[], where: string) => {
      for (const name of names) {
        const text = `removed /cOS/${name} on ${where}, left by an earlier action`;
        context.events({ type: 'notice', level: 'info', text });
      }
    };
    // An interrupted rollback is for the next rollback to complete.
    const keepRunning = booted.slot !== 'recovery' && replaced;
    const onState = { keepDigests, keepRunning, keepOutgoing: true, keepFetched: facts.keepFetched ?? [] };
    said(removeLeftovers(stateDirectory, onState), 'the state partition');
    const onRecovery = { keepDigests: [], keepRunning: booted.slot === 'recovery' && booted.replaced };
    said(removeLeftovers(recoveryDirectory, onRecovery), 'the recovery partition');
  },

  'make-squashfs': async (_, context, state) => {
    const { undo, signal } = context;
    const transition = join(state.buildDirectory ?? state.stateDirectory, TRANSITION_FILE);
    undo.onFailure(`remove ${state.finished}`, () => rmSync(state.finished, { force: true }));
    const mountPoint = join(state.workDirectory, 'target');
    mkdirSync(mountPoint, { recursive: true });
    const { root, close } = await openSlotFile(undo, transition, mountPoint, { readOnly: true });
    await makeSquashfs(root.directory, state.finished, signal);
    await close();
    rmSync(transition);
    await takeId(context, state);
  },

  'copy-to-recovery': async (_, { undo }, state) => {
    const transition = join(state.stateDirectory, TRANSITION_FILE);
    undo.onFailure(`remove ${state.finished}`, () => rmSync(state.finished, { force: true }));
    await cloneSlotFile(transition, state.finished);
    await checkSlotFile(state.finished);
    rmSync(transition);
  },

  'activate-recovery': async ({ file, keepRunning }, _, state) => {
    const { session, stateDirectory, installation } = state;
    writeTransitionNote(session, stateDirectory, installation.state, newRecord(state));
    mkdirSync(join(state.recoveryDirectory, 'cOS'), { recursive: true });
    await activateRecovery(state.recoveryDirectory, state.finished, file, { keepRunning });
    state.switched = true;
  },

  'write-records': (_, context: ApplyContext, state) => {
    const { session, installation, stateDirectory } = state;
    session.record.describe({ slot: recordedSlot('recovery', newRecord(state)) });
    return writeStateFiles(session, context, stateDirectory, { ...installation.state, recovery: newRecord(state) });
  },

  'remove-fetched': (_, context, { stateDirectory }) =>
    asWarning(context, () => rmSync(join(stateDirectory, FETCH_DIRECTORY), { recursive: true, force: true })),
};

function newRecord(state: RecoveryState): Deployment {
  const deployment = newDeployment(state, { now: state.session.now, fromAction: 'upgrade-recovery' });
  return state.kind === 'squashfs' ? { ...deployment, fs: state.kind } : deployment;
}

/** A squashfs is known by its own identity, not by that of the file that it was packed from. */
async function takeId(context: ApplyContext, state: RecoveryState): Promise<void> {
  if (state.built === undefined) return;
  const { uuid: old } = state.built;
  state.built = { ...state.built, uuid: (await slotId(state.finished)) ?? '' };
  moveLedger(context, state.stateDirectory, { from: old, to: state.built.uuid, unfinished: state.finished });
}
