// What the commands that change the owner's file share: the file is read under a lock, the change is planned, shown or
// carried out, and then, if that was asked for, built into a new active slot.

import { join } from 'node:path';
import type { OwnerChange } from '../owner/change.ts';
import { type OwnerPlan, ownerPerformers, planOwnerChange, storedFilesIn } from '../owner/change.ts';
import type { OwnerFile } from '../owner/owner-file.ts';
import { readOwnerFile } from '../owner/owner-place.ts';
import { STORED_FILES } from '../owner/request.ts';
import { HoldfastError } from '../system/errors.ts';
import { lockDirectoryUntilEnd } from '../system/lock.ts';
import { mountAt } from '../system/mounts.ts';
import { apply, UndoStack } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import type { ApplyFlags } from './apply.ts';
import { noteChange } from './note-change.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';

export interface OwnerFlags {
  root: string;
  dryRun?: boolean;
}

/** How long a second command waits for a first one, in seconds. */
const PATIENCE_SECONDS = 10;

/** Where a tree keeps what its owner asks for. */
export function ownerPlaces(root: Root): { oemDirectory: string; storedFiles: string } {
  return { oemDirectory: root.resolve('/oem'), storedFiles: root.resolve(STORED_FILES) };
}

/**
 * Changes the owner's file.
 * @param decide gets the file as it is and gives it as it shall be.
 */
export async function changeOwnerFile(
  context: CommandContext,
  flags: OwnerFlags & NowFlags,
  decide: (file: OwnerFile) => { file: OwnerFile; changes: readonly OwnerChange[] },
  contents: ReadonlyMap<string, Uint8Array> = new Map(),
): Promise<OwnerPlan> {
  const { reporter, signal } = context;
  const root = new Root(flags.root);
  if (isNow(flags) && !root.isHost) {
    throw new HoldfastError(
      'HF-USAGE',
      '--now and --apply-live are for the running system, and --root names another tree',
    );
  }
  const { oemDirectory, storedFiles } = ownerPlaces(root);
  if (root.stat('/oem')?.isDirectory() !== true) {
    throw new HoldfastError(
      'HF-STATE',
      `${join(root.directory, 'oem')} isn't there: nothing would keep what you ask for`,
      {
        hint: 'run this on an installed system, where COS_OEM is mounted at /oem',
      },
    );
  }
  if (root.isHost && mountAt('/oem') === undefined) {
    const text = '/oem is no partition of its own here: what you ask for lasts as long as this root';
    reporter.events({ type: 'notice', level: 'warning', text });
  }
  const undo = new UndoStack();
  try {
    if (flags.dryRun !== true) await lockDirectoryUntilEnd(undo, oemDirectory, PATIENCE_SECONDS);
    const before = readOwnerFile(oemDirectory);
    const { file, changes } = decide(before);
    const plan = planOwnerChange(before, file, changes, { oemDirectory, stored: storedFilesIn(storedFiles) });
    if (flags.dryRun || plan.actions.length === 0) return plan;
    const state = { plan, oemDirectory, storedFiles, contents };
    await apply(plan, ownerPerformers, { state, events: reporter.events, signal });
    if (root.isHost) await noteChange(context, wordsOf(plan));
    return plan;
  } finally {
    for (const text of await undo.unwind(false)) reporter.events({ type: 'notice', level: 'warning', text });
  }
}

/** In words, for the record. */
function wordsOf({ changes }: OwnerPlan): string {
  const done = changes.filter(({ change }) => change !== 'kept-already');
  const words = { added: 'added', replaced: 'replaced', removed: 'removed', 'kept-already': '' };
  return done.map(({ what, change }) => `${what} ${words[change]}`).join(', ');
}

/** What `--now` and `--apply-live` do, and the flags of the action that they start. */
export interface NowFlags extends ApplyFlags {
  now?: boolean;
  applyLive?: boolean;
}

function isNow({ now, applyLive }: NowFlags): boolean {
  return now === true || applyLive === true;
}

/**
 * Says what was changed and when it counts, and builds it into a new active slot where that was asked for.
 * @returns the exit status.
 */
export async function finishChange(
  context: CommandContext,
  plan: OwnerPlan,
  flags: OwnerFlags & NowFlags,
): Promise<number> {
  const { reporter } = context;
  const { title, actions, changes } = plan;
  const isSame = actions.length === 0;
  if (isNow(flags)) {
    // The result is that of the action which follows.
    for (const change of changes) reporter.events({ type: 'notice', level: 'info', text: changeLine(change).trim() });
    return buildNow(context, flags, changes);
  }
  if (flags.dryRun) {
    reporter.result({ outcome: 'planned', changes, plan: { title, actions } }, [
      ...planLines(plan),
      ...changes.map(changeLine),
    ]);
    return 0;
  }
  const next = 'it counts from the next system on: an upgrade builds one, holdfast apply does it now';
  reporter.result({ outcome: 'ok', changes }, [
    isSame ? 'Nothing to change.' : 'Written down for every system to come.',
    ...changes.map(changeLine),
    ...(isSame ? [] : [`  next       ${next}`]),
  ]);
  return 0;
}

async function buildNow(
  context: CommandContext,
  flags: OwnerFlags & NowFlags,
  changes: readonly OwnerChange[],
): Promise<number> {
  const { applyNow } = await import('./apply.ts');
  try {
    return await applyNow(context, { ...flags, live: flags.applyLive ?? false });
  } catch (error) {
    const written = changes.filter(({ change }) => change !== 'kept-already').map(({ what }) => what);
    if (written.length > 0 && !flags.dryRun) {
      const text = `what was asked for stays written down, and the next upgrade tries it again: ${written.join(', ')}`;
      context.reporter.events({ type: 'notice', level: 'warning', text });
    }
    throw error;
  }
}

export function changeLine({ change, what }: OwnerChange): string {
  const words = {
    added: 'will be kept',
    replaced: 'will be kept as it is now',
    removed: 'is not kept any more',
    'kept-already': 'is kept already',
  };
  return `  ${what}: ${words[change]}`;
}
