// What every lifecycle action does before and after its plan: one action at a time, what a killed one left is taken away,
// the machine's partitions are found and STATE can be read; at the end all of that is undone, however it ended.

import { join } from 'node:path';
import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import { ActionRecord } from '../record/action-record.ts';
import { type BootedSystem, inspectBooted } from '../slots/booted.ts';
import { locatePartitions, type Partitions, requirePartition } from '../slots/locate.ts';
import { BOOTED_PARTITION, DEFAULT_LABELS, type Labels, LIVE_PARTITION, type PartitionRole } from '../slots/names.ts';
import { freezeAndThaw } from '../system/durable.ts';
import { messageOf } from '../system/errors.ts';
import { type EventSink, silent } from '../system/events.ts';
import { lockUntilEnd } from '../system/lock.ts';
import { isReadOnly, mount, mountAt, unmount } from '../system/mounts.ts';
import {
  type Action,
  type ApplyContext,
  type ApplyOptions,
  type ApplyResult,
  apply,
  type Performers,
  type Plan,
  UndoStack,
} from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { requireTools } from '../system/tools.ts';
import { removeWorkDirectory } from '../system/work-directory.ts';
import type { ExtraSources } from './extra-sources.ts';
import { type ActionName, RUN_DIRECTORY, removeRemains } from './leftovers.ts';
import { closeRecord } from './session-record.ts';
import type { OwnerMounts } from './target.ts';

export const LOCK_FILE = `${RUN_DIRECTORY}/lock`;

/** How an action runs. */
export interface SessionOptions {
  events?: EventSink;
  signal?: AbortSignal;
  dryRun?: boolean;
  /** The command line, shown to whoever tries at the same time. */
  command: string;
  /** RFC 3339 time for the records. */
  now: string;
  /** This machine's labels; default: cOS's. */
  labels?: Labels;
  /** Stage files for hooks beyond the default places; default: what settings and environment name. */
  hookSources?: readonly string[] | undefined;
  beforeAction?: (index: number) => Promise<void> | void;
}

/** An action that holds the lock. */
export interface Session {
  name: ActionName;
  events: EventSink;
  signal: AbortSignal;
  dryRun: boolean;
  command: string;
  now: string;
  labels: Labels;
  hookSources: ExtraSources | undefined;
  /** Undone at the very end. */
  undo: UndoStack;
  /** An own directory below /run for mount points. */
  workDirectory: string;
  booted: BootedSystem;
  partitions: Partitions;
  /** Warnings so far, the plan's included. */
  warnings: readonly string[];
  /** What is recorded of it. */
  record: ActionRecord;
  beforeAction?: SessionOptions['beforeAction'];
}

/** Runs `work` as the one action of this machine. */
export async function withSession<T>(
  name: ActionName,
  options: SessionOptions & { tools: readonly string[] },
  work: (session: Session) => Promise<T>,
): Promise<T> {
  requireTools(options.tools);
  const warnings: string[] = [];
  const record = new ActionRecord(name, {
    command: options.command,
    kind: name === 'carry' ? 'overlay' : 'action',
  });
  const sink = options.events ?? silent;
  const events: EventSink = (event) => {
    if (event.type === 'notice' && event.level === 'warning') warnings.push(event.text);
    record.observe(event);
    sink(event);
  };
  const undo = new UndoStack();
  const workDirectory = join(RUN_DIRECTORY, `${name}-${process.pid}`);
  undo.always(`remove ${workDirectory}`, () => removeWorkDirectory(workDirectory));
  try {
    // What waits in /run is written in a moment, at times of the units' own choosing: nobody's action may fail for it.
    await lockUntilEnd(undo, LOCK_FILE, options.command, { brief: name === 'record' });
    for (const text of await removeRemains()) sink({ type: 'notice', level: 'warning', text });
    const { labels = DEFAULT_LABELS, command, now, beforeAction } = options;
    const session: Session = {
      name,
      events,
      signal: options.signal ?? new AbortController().signal,
      dryRun: options.dryRun ?? false,
      command,
      now,
      labels,
      hookSources: options.hookSources && { sources: options.hookSources, problems: [] },
      undo,
      workDirectory,
      booted: await inspectBooted(),
      partitions: await locatePartitions(labels),
      warnings,
      record,
      ...(beforeAction && { beforeAction }),
    };
    return await recorded(session, work);
  } finally {
    const failed = await undo.unwind(true);
    for (const text of failed) sink({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
  }
}

/** Runs the work and records how it ended, whatever that was. */
async function recorded<T>(session: Session, work: (session: Session) => Promise<T>): Promise<T> {
  try {
    const result = await work(session);
    session.record.succeed();
    return result;
  } catch (error) {
    session.record.fail(error);
    throw error;
  } finally {
    await closeRecord(session, async (undo) => {
      const stateDirectory = await readPartition(session, 'state');
      await openForWriting(undo, stateDirectory);
      return stateDirectory;
    });
  }
}

/**
 * Where a partition of this machine can be read: where it is mounted, else mounted read-only until the end.
 * @throws HoldfastError HF-STATE when there is none.
 */
export async function readPartition(session: Session, role: PartitionRole): Promise<string> {
  const { device, mountPoint } = requirePartition(session.partitions, role, session.labels);
  if (mountPoint !== undefined) return mountPoint;
  const at = join(session.workDirectory, role);
  if (mountAt(at) === undefined) {
    await mount(device, at, { options: ['ro'] });
    session.undo.always(`unmount ${at}`, () => unmount(at));
  }
  return at;
}

/** The same for a partition that an action can do without; what can't be mounted is a warning. */
export async function readPartitionIfThere(session: Session, role: PartitionRole): Promise<string | undefined> {
  const partition = session.partitions[role];
  if (partition === undefined || partition.blank) return undefined;
  try {
    return await readPartition(session, role);
  } catch (error) {
    session.events({ type: 'notice', level: 'warning', text: messageOf(error) });
    return undefined;
  }
}

/**
 * Makes a partition writable until the plan ends; GRUB sees by then what was written.
 * @param options.endsReadOnly a partition that the initramfs mounted ends read-only even if it is found writable: that is
 *   what a killed action leaves, but not a root that is writable itself (rd.cos.debugrw).
 */
export async function openForWriting(
  undo: UndoStack,
  directory: string,
  options: { endsReadOnly?: boolean } = {},
): Promise<void> {
  const mounted = mountAt(directory);
  if (mounted === undefined) return;
  const wasReadOnly = isReadOnly(mounted);
  if (wasReadOnly) await runChecked(['mount', '-o', 'remount,rw', directory]);
  const fromBoot = directory === BOOTED_PARTITION || directory === LIVE_PARTITION;
  const root = mountAt('/');
  // With a root overlay / is writable, and what is below it is not.
  const isClosed = (root !== undefined && isReadOnly(root)) || readAttachedOverlay()?.used === true;
  const closes = options.endsReadOnly && fromBoot && isClosed;
  if (!wasReadOnly && !closes) return;
  undo.always(`remount ${directory} read-only`, async () => {
    await freezeAndThaw(directory);
    await runChecked(['mount', '-o', 'remount,ro', directory]);
  });
}

/**
 * Where COS_OEM and COS_PERSISTENT are mounted; what isn't mounted but there is mounted until the end.
 * @param options.wiped what will be made anew: it may be in any state.
 */
export async function mountOwner(
  session: Session,
  { wiped = [] }: { wiped?: readonly PartitionRole[] } = {},
): Promise<OwnerMounts> {
  const place = async (role: 'oem' | 'persistent') => {
    const partition = session.partitions[role];
    if (partition === undefined || partition.mountPoint !== undefined) return partition?.mountPoint;
    const notice = (level: 'info' | 'warning', text: string) => session.events({ type: 'notice', level, text });
    if (partition.blank) {
      const text = `the ${role} partition (${partition.device}) has no file system; a reset with --${role} makes it`;
      notice(wiped.includes(role) ? 'info' : 'warning', text);
      return undefined;
    }
    const at = join(session.workDirectory, role);
    if (mountAt(at) !== undefined) {
      // It was looked at before.
      await openForWriting(session.undo, at);
      return at;
    }
    try {
      await mount(partition.device, at);
    } catch (error) {
      // The owner's stage files are on OEM, and a system without what they install is not the one that was asked for.
      if (role === 'oem' && !wiped.includes(role)) throw error;
      notice(wiped.includes(role) ? 'info' : 'warning', `${messageOf(error)}; the action goes on without it`);
      return undefined;
    }
    session.undo.always(`unmount ${at}`, () => unmount(at));
    return at;
  };
  return { oem: await place('oem'), persistent: await place('persistent') };
}

/**
 * Carries a session's plan out.
 * @param options.isDone as of `apply`.
 */
export function applyPlan<A extends Action, S>(
  session: Session,
  plan: Plan<A>,
  performers: Performers<A, S>,
  state: S,
  { isDone }: Pick<ApplyOptions<S>, 'isDone'> = {},
): Promise<ApplyResult> {
  const { events, signal, beforeAction } = session;
  return apply(plan, performers, { state, events, signal, isDone, ...(beforeAction && { beforeAction }) });
}

/** After the switch nothing may fail the action any more: a controller would do it again (elemental-cli#431). */
export async function asWarning(context: ApplyContext, work: () => Promise<unknown> | unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.warn(messageOf(error));
  }
}
