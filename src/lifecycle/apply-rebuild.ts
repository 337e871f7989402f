// Carries out the plan of a reset or a deploy. Until `activate` the machine boots as before; from there on it boots the
// new system, and what fails is a warning. What its owner wants wiped is wiped at the very end.

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeGrubEnvironment } from '../boot/grub-environment.ts';
import type { Image } from '../image/image.ts';
import { requirePartition } from '../slots/locate.ts';
import { RUNNING_FILE, SLOT_FILES, TRANSITION_FILE } from '../slots/names.ts';
import {
  allocateSlotFile,
  cloneSlotFile,
  growSlotFile,
  labelSlotFile,
  renewSlotId,
  requireSpace,
} from '../slots/slot-file.ts';
import type { Deployment } from '../slots/state-file.ts';
import {
  activateTransition,
  copyActiveToPassive,
  fetchedBytes,
  removeLeftovers,
  unfinishedBytes,
} from '../slots/swap.ts';
import { formatPartition, makerOf, wipePartition } from '../slots/wipe.ts';
import { linkDurably, writeFileDurably } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import { mount, mountAt, unmount } from '../system/mounts.ts';
import type { Performers, Plan } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import { forgetAssessment } from './assessment.ts';
import { clearOverrides, overridesOf, readBootVariables } from './boot-choice.ts';
import { buildSlotPerformers, newDeployment } from './build-slot.ts';
import { installedVersion, refuseOlderImage } from './inspect-version.ts';
import { keepPackageLock } from './keep-packages.ts';
import { plannedBytes } from './planned-record.ts';
import { planRebuild, type RebuildAction, type RebuildFacts, type RebuildRequest, rebuildSize } from './rebuild.ts';
import { openRebuildSource } from './rebuild-source.ts';
import { putRecord, takeRecord } from './record-across-format.ts';
import { readInstallation, recordedSlot, writeMenu, writeStateFiles, writeTransitionNote } from './records.ts';
import { customFileName, refreshBootLoader } from './refresh-boot-loader.ts';
import {
  applyPlan,
  asWarning,
  mountOwner,
  readPartition,
  type Session,
  type SessionOptions,
  withSession,
} from './session.ts';
import { recordWhileOpen } from './session-record.ts';
import { setOverlayAside } from './set-overlay-aside.ts';
import { type HookState, hookPerformer, switchPerformers } from './switch.ts';
import { UPGRADE_TOOLS } from './upgrade.ts';
import { versionRecord } from './version-rule.ts';

export interface RebuildResult {
  outcome: 'ok' | 'ok-with-warnings' | 'planned';
  plan: Plan<RebuildAction>;
  facts: RebuildFacts;
  warnings: readonly string[];
  durationMs: number;
  prettyName: string | undefined;
}

interface RebuildState extends HookState {
  request: RebuildRequest;
  facts: RebuildFacts;
  /** The recovery system's file when that is what is copied. */
  recoveryFile: string | undefined;
  /** Where COS_OEM is mounted, also while hooks see the new one. */
  oemDirectory: string | undefined;
}

/**
 * Builds the active and the passive system anew.
 * @param image where the system comes from; the recovery system when it is left out.
 * @throws HoldfastError before anything was switched; afterwards problems are in `warnings`.
 */
export function rebuild(
  request: RebuildRequest,
  image: Image | undefined,
  options: SessionOptions,
): Promise<RebuildResult> {
  return withSession(request.action, { ...options, tools: UPGRADE_TOOLS }, async (session) => {
    const { labels, workDirectory } = session;
    const state = requirePartition(session.partitions, 'state', labels);
    // One that is to be formatted may be damaged.
    const stateDirectory = request.formatState ? join(workDirectory, 'state') : await readPartition(session, 'state');
    const installation = await readInstallation(session, request.formatState ? undefined : stateDirectory);
    for (const text of installation.problems) session.events({ type: 'notice', level: 'warning', text });
    const source = await openRebuildSource(session, image);
    const { allowDowngrade = false } = request;
    const facts: RebuildFacts = {
      booted: session.booted,
      stateDevice: state.device,
      stateMountPoint: state.mountPoint,
      installed: installation.state,
      activeUuid: installation.ids.active,
      source: source.facts,
      wiped: {
        ...(session.partitions.oem && { oem: session.partitions.oem.device }),
        ...(session.partitions.persistent && { persistent: session.partitions.persistent.device }),
      },
      hasMenu: !request.formatState && existsSync(join(stateDirectory, 'grub2/grub.cfg')),
    };
    const plan = planRebuild({ ...request, labels }, facts);
    // What this machine has itself, its recovery system, may be older.
    if (image !== undefined) refuseOlderImage({ image, allowDowngrade }, facts);
    const isThere = request.formatState || facts.activeUuid !== undefined;
    const newerThan =
      image === undefined || !isThere ? undefined : { installed: installedVersion(facts), allowDowngrade };
    await requireMakers(request, facts);
    if (!request.formatState) {
      const bytes = rebuildSize(facts.source, request.minimumBytes);
      const reclaimableBytes =
        unfinishedBytes(stateDirectory) + fetchedBytes(stateDirectory) + plannedBytes(stateDirectory);
      requireSpace(stateDirectory, bytes, 'the new system', { reclaimableBytes });
    }
    const base = { plan, facts, warnings: session.warnings, durationMs: 0, prettyName: undefined };
    if (session.dryRun) return { ...base, outcome: 'planned' };

    const wipes = (role: 'oem' | 'persistent') => request.wipe.includes(role);
    const mounted = await mountOwner(session, { wiped: request.wipe });
    const applied: RebuildState = {
      image: source.image,
      recoveryFile: source.file,
      stateDirectory,
      workDirectory,
      // Hooks in the new system see what will be there: nothing of what is wiped.
      owner: {
        oem: wipes('oem') ? newOem(session, request) : mounted.oem,
        persistent: wipes('persistent') ? undefined : mounted.persistent,
      },
      oemDirectory: mounted.oem,
      session,
      installation,
      request,
      facts,
      newerThan,
      switched: false,
      becomes: join(stateDirectory, SLOT_FILES.active),
    };
    const { durationMs } = await applyPlan(session, plan, performers, applied);
    const { warnings } = session;
    const outcome = warnings.length === 0 ? 'ok' : 'ok-with-warnings';
    return { ...base, outcome, warnings, durationMs, prettyName: applied.built?.prettyName };
  });
}

async function requireMakers({ wipe, formatState }: RebuildRequest, facts: RebuildFacts): Promise<void> {
  const programs: string[] = formatState ? ['mkfs.xfs'] : [];
  for (const role of wipe) {
    const device = facts.wiped[role];
    if (device !== undefined) programs.push((await makerOf(device)).program);
  }
  requireTools(programs);
}

/** The /oem that the machine will have after its wipe. */
function newOem({ workDirectory }: Session, { cloudInit }: RebuildRequest): string {
  const directory = join(workDirectory, 'new-oem');
  mkdirSync(directory, { recursive: true });
  for (const [index, { text }] of cloudInit.entries()) {
    writeFileDurably(join(directory, customFileName(index, cloudInit.length)), text, { mode: 0o600 });
  }
  return directory;
}

const performers: Performers<RebuildAction, RebuildState> = {
  ...buildSlotPerformers,
  ...switchPerformers,
  ...hookPerformer,

  'format-state': async ({ device }, context, { stateDirectory, session }) => {
    const { undo } = context;
    const record = await takeRecord(context, device, stateDirectory);
    await formatPartition(device, { type: 'xfs', label: session.labels.partitions.state });
    await mount(device, stateDirectory);
    undo.always(`unmount ${stateDirectory}`, () => unmount(stateDirectory));
    putRecord(context, stateDirectory, record);
    recordWhileOpen(undo, session, stateDirectory);
  },

  'write-cloud-init': async ({ files }, context, state) => {
    const { oemDirectory, switched } = state;
    const write = () => {
      if (oemDirectory === undefined) {
        throw new HoldfastError('HF-STATE', 'there is no OEM partition for the stage files', {
          hint: 'leave out --cloud-init',
        });
      }
      for (const [index, { text }] of files.entries()) {
        const file = join(oemDirectory, customFileName(index, files.length));
        const old = existsSync(file) ? readFileSync(file) : undefined;
        context.undo.onFailure(`restore ${file}`, () => {
          // The new system was built with it.
          if (state.switched) return;
          if (old === undefined) rmSync(file, { force: true });
          else writeFileDurably(file, old);
        });
        // Secrets may be inside.
        writeFileDurably(file, text, { mode: 0o600 });
      }
    };
    if (switched) await asWarning(context, write);
    else write();
  },

  'copy-recovery-system': async ({ sizeBytes }, { undo }, { stateDirectory, recoveryFile: from }) => {
    if (from === undefined) throw new HoldfastError('HF-NO-SOURCE', 'there is no recovery system to copy');
    const transition = join(stateDirectory, TRANSITION_FILE);
    undo.onFailure(`remove ${transition}`, () => rmSync(transition, { force: true }));
    mkdirSync(join(stateDirectory, 'cOS'), { recursive: true });
    const { cloned } = await cloneSlotFile(from, transition);
    if (!cloned) await allocateSlotFile(transition);
    await growSlotFile(transition, sizeBytes);
    await renewSlotId(transition);
    await labelSlotFile(transition, 'COS_TRANSITION');
  },

  'note-transition': (_, __, state) => {
    const { session, stateDirectory, installation } = state;
    writeTransitionNote(session, stateDirectory, installation.state, newRecord(state));
  },

  activate: async ({ keepRunning }, __, state) => {
    await activateTransition(state.stateDirectory, { keepRunning });
    state.switched = true;
  },

  'active-to-passive': ({ keepRunning }, context, { stateDirectory, session, built }) =>
    asWarning(context, async () => {
      if (keepRunning) {
        const running = join(stateDirectory, RUNNING_FILE);
        rmSync(running, { force: true });
        linkDurably(join(stateDirectory, SLOT_FILES.passive), running);
      }
      const mode = built?.rootByImageLabel ? 'copy' : 'share';
      await copyActiveToPassive(stateDirectory, { mode, labels: session.labels });
    }),

  'install-grub': (_, context, state) => asWarning(context, () => refreshBootLoader(context, state)),

  'write-records': async (_, context, state) => {
    const { stateDirectory, session, installation, built, request, owner } = state;
    const record = newRecord(state);
    session.record.describe({ slot: recordedSlot('active', record) });
    const { recovery } = installation.state;
    await writeStateFiles(session, context, stateDirectory, {
      active: record,
      passive: record,
      ...(recovery === undefined ? {} : { recovery }),
    });
    await asWarning(context, () => {
      const title = request.menuTitle ?? built?.wantedMenuEntry;
      writeMenu(stateDirectory, { title, fallbackTitle: built?.menuEntry ?? 'cOS', replaced: ['active', 'passive'] });
      if (request.tty !== undefined) {
        writeGrubEnvironment(join(stateDirectory, 'grub_oem_env'), { extra_cmdline: `console=${request.tty}` });
      }
      forgetAssessment(stateDirectory, { oemDirectory: owner.oem });
    });
    await asWarning(context, () => keepPackageLock(context, state));
    await asWarning(context, () => {
      const directories = { stateDirectory, oemDirectory: owner.oem };
      const overrides = overridesOf(readBootVariables(stateDirectory, owner.oem));
      clearOverrides(overrides, directories);
      for (const { name, value } of overrides) {
        const text = `${name}=${value} was cleared: it would boot something else than the new system`;
        context.events({ type: 'notice', level: 'info', text });
      }
    });
    await asWarning(context, () => setOverlayAside(context, { stateDirectory, oemDirectory: owner.oem }));
  },

  wipe: ({ role, device }, context, { session, oemDirectory }) =>
    asWarning(context, async () => {
      const label = session.labels.partitions[role];
      const at = role === 'oem' ? oemDirectory : mountedPersistent(session);
      const { notice } = await wipePartition(device, at, label);
      if (notice !== undefined) context.events({ type: 'notice', level: 'info', text: notice });
      if (role !== 'oem') return;
      const directory = oemDirectory ?? join(session.workDirectory, 'oem');
      if (mountAt(directory) === undefined) {
        await mount(device, directory);
        context.undo.always(`unmount ${directory}`, () => unmount(directory));
      }
      // GRUB can overwrite the block, but not make it.
      writeGrubEnvironment(join(directory, 'grubenv'), {});
    }),

  'remove-old-pristines': ({ keepDigests, keepRunning }, context, { stateDirectory }) =>
    asWarning(context, () => {
      removeLeftovers(stateDirectory, { keepDigests, keepRunning });
    }),
};

function mountedPersistent({ partitions, workDirectory }: Session): string | undefined {
  const own = join(workDirectory, 'persistent');
  return partitions.persistent?.mountPoint ?? (mountAt(own) === undefined ? undefined : own);
}

/** What is active afterwards: the image's record, or that of the recovery system that was copied or unpacked. */
function newRecord(state: RebuildState): Deployment {
  const { image, built, session, request, installation, changes } = state;
  const options = { now: session.now, fromAction: request.action };
  const own = {
    uuid: built?.uuid ?? '',
    date: options.now,
    fromAction: options.fromAction,
    ...(built && versionRecord(built.version)),
    ...(changes === undefined ? {} : { changes }),
  };
  const isRecovery =
    image === undefined || (image.kind === 'tree' && image.directory.startsWith(session.workDirectory));
  if (!isRecovery) return newDeployment({ image, built, changes }, options);
  const { recovery } = installation.state;
  if (recovery === undefined) return { source: 'unknown', layers: [], verified: 'unknown', ...own };
  const { fs: _, changes: __, ...rest } = recovery;
  return { ...rest, ...own };
}
