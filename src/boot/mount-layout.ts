// Carries out the plan of the mount layout in the initramfs. A boot that comes up with a notice is worth more than one
// that stops: only a missing base is an error, everything else falls back to an ephemeral overlay.

import { readFileSync } from 'node:fs';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { listMounts, mountAt } from '../system/mounts.ts';
import { apply } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { type LayoutArguments, readLayoutArguments } from './command-line.ts';
import { type LayoutPlan, planLayout } from './layout.ts';
import { layoutPerformers } from './layout-apply.ts';
import { inspectLayout } from './layout-inspect.ts';
import { type LayoutRecord, RECORD_DIRECTORY, writeLayoutRecord } from './layout-record.ts';
import { readLayoutSettings } from './layout-settings.ts';
import { readLayoutSources } from './layout-sources.ts';
import { LayoutState } from './layout-state.ts';

export interface MountLayoutOptions {
  /** Where the image is mounted, normally /sysroot. */
  sysroot: string;
  /** Plan only. */
  dryRun?: boolean;
  events: EventSink;
  signal?: AbortSignal;
  /** Default: the text of /proc/cmdline. */
  commandLine?: string;
  /** The text of the layout's variables; default: the files below /run, if they are there. */
  layoutEnv?: string;
  /** How long to wait for volumes that aren't there yet; default: as the command line says, else 5 s. */
  deviceTimeoutMs?: number;
  /** Where the base of ephemeral changes is mounted; default /run/overlay. */
  overlayDirectory?: string;
  /** Where the record goes, and where the initramfs left its own marks; default /run/holdfast. */
  runDirectory?: string;
  /** Where the list for SELinux goes; default: systemd's. */
  relabelDirectory?: string;
  /** Called before each action; crash tests throw from here. */
  beforeAction?: (index: number) => Promise<void> | void;
}

export type MountLayoutResult =
  | { outcome: 'skipped'; reason: string }
  | { outcome: 'ok'; plan: LayoutPlan; warnings: readonly string[] };

/**
 * Mounts everything that a new root needs before the system switches to it, and leaves a record of it.
 * @throws HoldfastError HF-MOUNT when the base for ephemeral changes can't be mounted or `sysroot` isn't a mount point.
 */
export async function mountLayout(options: MountLayoutOptions): Promise<MountLayoutResult> {
  const started = performance.now();
  const record = (rest: Partial<LayoutRecord> & Pick<LayoutRecord, 'outcome'>) => {
    if (options.dryRun) return;
    const durationMs = Math.round(performance.now() - started);
    const whole: LayoutRecord = { version: 1, notices: [], mounts: [], durationMs, ...rest };
    try {
      writeLayoutRecord(options.runDirectory ?? RECORD_DIRECTORY, whole);
    } catch (error) {
      const text = `the record of the layout was not written: ${messageOf(error)}`;
      options.events({ type: 'notice', level: 'warning', text });
    }
  };
  try {
    const argument = readLayoutArguments(options.commandLine ?? readFileSync('/proc/cmdline', 'utf8'));
    return await mountAsArgued(options, argument, record);
  } catch (error) {
    record({ outcome: 'failed', reason: messageOf(error) });
    throw error;
  }
}

type Recorder = (rest: Partial<LayoutRecord> & Pick<LayoutRecord, 'outcome'>) => void;

async function mountAsArgued(
  options: MountLayoutOptions,
  argument: LayoutArguments,
  record: Recorder,
): Promise<MountLayoutResult> {
  const { events } = options;
  const skip = (reason: string): MountLayoutResult => {
    record({ outcome: 'skipped', reason });
    return { outcome: 'skipped', reason };
  };
  if (argument.disabled) return skip('rd.cos.disable is on the kernel command line');
  const sysroot = new Root(options.sysroot);
  const root = mountAt(sysroot.directory, listMounts());
  if (root === undefined) {
    throw new HoldfastError('HF-MOUNT', `${sysroot.directory} is not a mount point: no root is mounted there`, {
      hint: 'this is for the initramfs; name where the root is mounted with --sysroot',
    });
  }
  const sources = await readLayoutSources(sysroot, options.layoutEnv);
  if (sources.elemental?.disabled) return skip('mount.disable is set in Elemental’s configuration');
  const settings = readLayoutSettings(sources, argument);
  const runDirectory = options.runDirectory ?? RECORD_DIRECTORY;
  const inspected = await inspectLayout(sysroot, root, settings, argument, { ...options, runDirectory });
  const plan = planLayout(settings, inspected.found);
  for (const text of plan.notices) events({ type: 'notice', level: 'warning', text });
  if (options.dryRun) return { outcome: 'ok', plan, warnings: plan.notices };

  const state = new LayoutState({
    sysroot,
    runDirectory,
    overlayDirectory: inspected.found.overlayDirectory,
    stateTarget: plan.stateTarget,
    hasBase: inspected.found.mounted.has(inspected.found.overlayDirectory),
    imageIdentity: inspected.imageIdentity,
    check: argument.check,
    ...(options.relabelDirectory !== undefined && { relabelDirectory: options.relabelDirectory }),
  });
  const result = await apply(plan, layoutPerformers, {
    state,
    events,
    ...(options.signal && { signal: options.signal }),
    ...(options.beforeAction && { beforeAction: options.beforeAction }),
  });
  const warnings = [...plan.notices, ...result.warnings];
  record({ outcome: 'ok', notices: warnings, mounts: state.recorded() });
  return { outcome: 'ok', plan, warnings };
}
