// Carries out an upgrade's plan. From `activate` on the upgrade is done: whatever goes wrong after it is a warning,
// because an error would make a controller repeat the upgrade and lose the old system (elemental-cli#431).

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readGrubEnvironment, writeGrubEnvironment } from '../boot/grub-environment.ts';
import { mountPointOf } from '../slots/booted.ts';
import { PARTITION_LABELS } from '../slots/names.ts';
import { type Deployment, writeState } from '../slots/state-file.ts';
import { activateTransition, copyActiveToPassive, removeLeftovers } from '../slots/swap.ts';
import { freezeAndThaw } from '../system/durable.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { type EventSink, silent } from '../system/events.ts';
import { devicesWithLabel } from '../system/filesystems.ts';
import { lockUntilEnd } from '../system/lock.ts';
import { mount, mountAt, unmount } from '../system/mounts.ts';
import { type ApplyContext, type ApplyResult, apply, type Performers, type Plan, UndoStack } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { parseFailedSlots } from './boot-report.ts';
import { type BuildSlotState, buildSlotPerformers, describeVerification } from './build-slot.ts';
import { RUN_DIRECTORY, removeRemains } from './leftovers.ts';
import type { OwnerMounts } from './target.ts';
import {
  inspectUpgrade,
  locateInstallation,
  planUpgrade,
  type UpgradeAction,
  type UpgradeFacts,
  type UpgradeRequest,
} from './upgrade.ts';

const LOCK_FILE = `${RUN_DIRECTORY}/lock`;

export interface UpgradeOptions {
  events?: EventSink;
  signal?: AbortSignal;
  dryRun?: boolean;
  /** The command line, shown to whoever tries at the same time. */
  command: string;
  /** RFC 3339 time for the records. */
  now: string;
  beforeAction?: (index: number) => Promise<void> | void;
}

export interface UpgradeResult {
  outcome: 'ok' | 'ok-with-warnings' | 'up-to-date' | 'planned';
  plan: Plan<UpgradeAction>;
  facts: UpgradeFacts;
  warnings: readonly string[];
  durationMs: number;
  /** What is active now: the new system's own name for itself. */
  prettyName: string | undefined;
}

interface UpgradeState extends BuildSlotState {
  facts: UpgradeFacts;
  now: string;
  switched: boolean;
}

/**
 * Upgrades this machine.
 * @throws HoldfastError before anything was switched; afterwards problems are in `warnings`.
 */
export async function upgrade(request: UpgradeRequest, options: UpgradeOptions): Promise<UpgradeResult> {
  const events = options.events ?? silent;
  const signal = options.signal ?? new AbortController().signal;
  const setup = new UndoStack();
  const workDirectory = `${RUN_DIRECTORY}/upgrade-${process.pid}`;
  setup.always(`remove ${workDirectory}`, () => rmSync(workDirectory, { recursive: true, force: true }));
  try {
    await lockUntilEnd(setup, LOCK_FILE, options.command);
    for (const text of await removeRemains()) events({ type: 'notice', level: 'warning', text });
    const located = await locateInstallation();
    const stateDirectory = located.state.mountPoint ?? join(workDirectory, 'state');
    if (located.state.mountPoint === undefined) {
      await mount(located.state.device, stateDirectory, { options: ['ro'] });
      setup.always(`unmount ${stateDirectory}`, () => unmount(stateDirectory));
    }
    const facts = await inspectUpgrade(request, located, stateDirectory, {
      signal,
      onProgress: (progress) => events({ type: 'action-progress', index: -1, ...progress }),
    });
    for (const text of facts.warnings) events({ type: 'notice', level: 'warning', text });
    const plan = planUpgrade(request, facts);
    const base = { plan, facts, warnings: facts.warnings, durationMs: 0, prettyName: undefined };
    if (plan.actions.length === 0) return { ...base, outcome: 'up-to-date' };
    if (options.dryRun) return { ...base, outcome: 'planned' };

    const state: UpgradeState = {
      image: request.image,
      stateDirectory,
      workDirectory,
      owner: await ownerMounts(setup, workDirectory),
      facts,
      now: options.now,
      switched: false,
    };
    const result = await apply(plan, performers, {
      state,
      events,
      signal,
      ...(options.beforeAction && { beforeAction: options.beforeAction }),
    });
    return finished(result, state, base);
  } finally {
    const failed = await setup.unwind(true);
    for (const text of failed) events({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
  }
}

function finished(
  result: ApplyResult,
  state: UpgradeState,
  base: Pick<UpgradeResult, 'plan' | 'facts' | 'warnings'>,
): UpgradeResult {
  const warnings = [...base.warnings, ...result.warnings];
  return {
    ...base,
    outcome: warnings.length === 0 ? 'ok' : 'ok-with-warnings',
    warnings,
    durationMs: result.durationMs,
    prettyName: state.built?.prettyName,
  };
}

/** Where COS_OEM and COS_PERSISTENT are mounted; what isn't mounted but there is mounted for the hooks. */
async function ownerMounts(undo: UndoStack, workDirectory: string): Promise<OwnerMounts> {
  const place = async (label: string, name: string) => {
    const [device] = await devicesWithLabel(label);
    if (device === undefined) return undefined;
    const mounted = mountPointOf(device);
    if (mounted !== undefined) return mounted;
    const mountPoint = join(workDirectory, name);
    await mount(device, mountPoint);
    undo.always(`unmount ${mountPoint}`, () => unmount(mountPoint));
    return mountPoint;
  };
  return {
    oem: await place(PARTITION_LABELS.oem, 'oem'),
    persistent: await place(PARTITION_LABELS.persistent, 'persistent'),
  };
}

const performers: Performers<UpgradeAction, UpgradeState> = {
  ...buildSlotPerformers,

  'open-state': async (_, { undo }, { stateDirectory }) => {
    const mounted = mountAt(stateDirectory);
    if (mounted === undefined || !isReadOnly(mounted)) return;
    await runChecked(['mount', '-o', 'remount,rw', stateDirectory]);
    undo.always(`remount ${stateDirectory} read-only`, async () => {
      // The records were written after the last freeze of the swap, and GRUB shall see them too.
      await freezeAndThaw(stateDirectory);
      await runChecked(['mount', '-o', 'remount,ro', stateDirectory]);
    });
  },

  'remove-leftovers': ({ keepDigests, keepRunning }, { events }, { stateDirectory }) => {
    for (const name of removeLeftovers(stateDirectory, { keepDigests, keepRunning })) {
      events({ type: 'notice', level: 'info', text: `removed /cOS/${name}, left by an interrupted action` });
    }
  },

  'run-hook': async (action, context, state) => {
    const perform = buildSlotPerformers['run-hook'];
    if (!state.switched) return perform(action, context, state);
    await asWarning(context, () => perform(action, context, state));
  },

  'copy-to-passive': (_, __, { stateDirectory }) => copyActiveToPassive(stateDirectory),

  activate: async ({ keepRunning }, __, state) => {
    await activateTransition(state.stateDirectory, { keepRunning });
    state.switched = true;
  },

  'write-records': async ({ movePassive }, context, state) => {
    const { facts, stateDirectory, now } = state;
    await asWarning(context, () => {
      const passive = movePassive ? facts.installed.active : facts.installed.passive;
      writeState(
        join(stateDirectory, 'state.yaml'),
        { ...facts.installed, active: newDeployment(state), ...(passive === undefined ? {} : { passive }) },
        now,
      );
    });
    await asWarning(context, () => {
      const file = join(stateDirectory, 'grub_oem_env');
      writeGrubEnvironment(file, {
        default_menu_entry: state.built?.menuEntry ?? 'cOS',
        boot_failure: stillFailed(readGrubEnvironment(file).get('boot_failure'), movePassive),
      });
    });
  },

  'remove-old-pristines': ({ keepDigests, keepRunning }, context, { stateDirectory }) =>
    asWarning(context, () => {
      removeLeftovers(stateDirectory, { keepDigests, keepRunning });
    }),
};

/** What the initramfs noted about slots that did not boot, without those whose content is another now. */
function stillFailed(noted = '', movePassive: boolean): string | undefined {
  const left = parseFailedSlots(noted).filter(({ slot }) => slot === 'passive' && !movePassive);
  return left.length === 0 ? undefined : left.map(({ slot, reason }) => `${slot}:${reason}`).join(';');
}

function newDeployment({ image, built, now }: UpgradeState): Deployment {
  if (built === undefined) throw new HoldfastError('HF-DEPLOY', 'the new system was not finished');
  return {
    source: image.source,
    ...(image.kind === 'oci' ? { digest: image.digest } : {}),
    layers: image.kind === 'oci' ? image.layers.map(({ diffId }) => diffId) : [],
    uuid: built.uuid,
    date: now,
    fromAction: 'upgrade',
    verified: describeVerification(image),
  };
}

function isReadOnly({
  options,
  superOptions,
}: {
  options: readonly string[];
  superOptions: readonly string[];
}): boolean {
  return options.includes('ro') || superOptions.includes('ro');
}

/** After the switch nothing may fail the upgrade any more. */
async function asWarning(context: ApplyContext, work: () => Promise<unknown> | unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.warn(messageOf(error));
  }
}
