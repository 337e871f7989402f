// What the commands for one COW take from the command line: the set, the system, and a place for scratch images.

import { dirname, join } from 'node:path';
import { type CowPlace, openCow } from '../overlay/cow-place.ts';
import { setOrDefault } from '../overlay/default-set.ts';
import { openSet, type SetPlace } from '../overlay/set-place.ts';
import type { Labels } from '../slots/names.ts';
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

/** A name for a scratch image: beside the COW, or in the directory that was given. */
export function scratchFile(file: string, work: string | undefined): string {
  return join(work ?? dirname(file), `.holdfast-overlay-${process.pid}.img`);
}

/** Listener for the progress of a long step. */
export function progressOf({ reporter }: CommandContext): (done: number, total: number) => void {
  return (done, total) => reporter.events({ type: 'action-progress', index: 0, done, total, unit: 'bytes' });
}
