// What the commands for one COW take from the command line: the set, the system, and a place for scratch images.

import { dirname, join } from 'node:path';
import { LOCK_FILE } from '../lifecycle/session.ts';
import { type CowPlace, openCow } from '../overlay/cow-place.ts';
import { setOrDefault } from '../overlay/default-set.ts';
import { openSet, type SetPlace } from '../overlay/set-place.ts';
import type { Labels } from '../slots/names.ts';
import { lockUntilEnd } from '../system/lock.ts';
import { UndoStack } from '../system/plan.ts';
import { labelsOf } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';
import { machineSettings } from './settings-option.ts';

export interface CowFlags {
  base?: string;
  dryRun?: boolean;
}

export interface CowTarget {
  place: SetPlace;
  cow: CowPlace;
  labels: Labels;
}

/** Finds the COW that a command is about. */
export async function openTarget(
  context: CommandContext,
  text: string | undefined,
  flags: CowFlags,
): Promise<CowTarget> {
  const labels = labelsOf(await machineSettings(context, {}));
  const place = await openSet(context.undo, setOrDefault(text), { write: flags.dryRun !== true });
  return { place, labels, cow: await openCow(context.undo, place, flags.base, { labels }) };
}

/**
 * Runs what makes, replaces or removes files of a set as the one action of this machine: an upgrade writes such files too.
 * @throws HoldfastError HF-LOCKED while another action runs.
 */
export async function asOnlyAction<T>({ commandLine, reporter }: CommandContext, work: () => Promise<T>): Promise<T> {
  const undo = new UndoStack();
  await lockUntilEnd(undo, LOCK_FILE, commandLine);
  try {
    return await work();
  } finally {
    for (const text of await undo.unwind(true)) reporter.events({ type: 'notice', level: 'warning', text });
  }
}

/** A name for a scratch image: beside the COW, or in the directory that was given. */
export function scratchFile(file: string, work: string | undefined): string {
  return join(work ?? dirname(file), `.holdfast-overlay-${process.pid}.img`);
}

/** Listener for the progress of a long step. */
export function progressOf({ reporter }: CommandContext): (done: number, total: number) => void {
  return (done, total) => reporter.events({ type: 'action-progress', index: 0, done, total, unit: 'bytes' });
}
