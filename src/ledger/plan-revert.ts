// What it takes that a path of the running system is again what its image has: an owner's request that goes, a file that comes
// back. Pure; what can't be taken back from here is refused with who made it and what to do.

import type { TreeObject } from '../overlay/rebase/tree-object.ts';
import { differences } from '../overlay/rebase/tree-object.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Action, Plan } from '../system/plan.ts';
import { describeObject, type KeptPath, type PathFacts, placeOf } from './why.ts';

/** So many paths in a directory are named in a refusal. */
const NAMED = 5;

export type RevertAction =
  /** The owner's file says no more that this path is kept: as a file, or by a command. */
  | (Action<'forget'> & { path: string; command?: string })
  /** From the image, or from the slot. */
  | (Action<'restore'> & { path: string; from: 'image' | 'slot' })
  | (Action<'remove'> & { path: string });

/**
 * Decides it for one path.
 * @param ownerFile the name of the owner's stage file.
 * @throws HoldfastError HF-STATE when it is nothing that can be taken back.
 */
export function planRevert(facts: PathFacts, ownerFile: string): Plan<RevertAction> {
  const { real: path, place, running, isKeptFile = false, keptCommand, keptBelow = [], isKeptByOverlay } = facts;
  if (place === 'nowhere' || place === 'persistent') {
    throw new HoldfastError(
      'HF-STATE',
      `${path} is this machine's own: no image has it, so there is nothing to go back to`,
      {
        hint: 'holdfast why says where it is kept',
      },
    );
  }
  const actions: RevertAction[] = [];
  if (isKeptFile) actions.push(forget({ path }));
  if (keptCommand !== undefined) actions.push(forget({ path, command: keptCommand }));
  const goal = goalOf(facts);
  const isWritable = place === 'ephemeral' || isKeptByOverlay === true;
  if (running !== undefined && goal !== undefined && isWritable && !isSame(running.object, goal.object)) {
    const { object, from } = goal;
    // Else the next boot would put it there again.
    if (object?.type !== 'directory') actions.push(...keptBelow.map(forget));
    actions.push(
      object === undefined
        ? { kind: 'remove', summary: `Remove ${path}, which the ${from} hasn't got`, path }
        : { kind: 'restore', summary: `Bring back ${path} of the ${from}: ${describeObject(object)}`, path, from },
    );
  }
  if (actions.length > 0) return { title: `Take back what was changed in ${path}`, actions };
  refuseDirectory(facts);
  refuseStep(facts, ownerFile);
  return { title: `${path} is what its image has`, actions };
}

function forget({ path, command }: KeptPath): RevertAction {
  if (command === undefined) return { kind: 'forget', summary: `Keep ${path} no more`, path };
  return { kind: 'forget', summary: `Run no more: ${command}`, path, command };
}

/** What there shall be, and where that is found; undefined where it is kept nowhere, so that only a new system has it. */
function goalOf(facts: PathFacts): { object: TreeObject | undefined; from: 'image' | 'slot' } | undefined {
  const { isKeptFile, keptCommand, inImage, inSlot, imageUnknown, imageIsNotKept, difference } = facts;
  // The slot may have what its owner keeps: that isn't what shall come back.
  const isOwners = isKeptFile || keptCommand !== undefined;
  if (!isOwners || imageUnknown) return { object: inSlot, from: 'slot' };
  if (imageIsNotKept !== true || inImage === undefined) return { object: inImage, from: 'image' };
  return difference === undefined ? { object: inSlot, from: 'slot' } : undefined;
}

/** What differs in a directory that itself comes back: which of that is wanted only its owner knows. */
export function leftBelow({ running, inSlot, differsBelow = [] }: PathFacts): readonly string[] {
  return running?.object?.type === 'directory' && inSlot?.type === 'directory' ? differsBelow : [];
}

function refuseDirectory(facts: PathFacts): void {
  const left = leftBelow(facts);
  if (left.length === 0) return;
  const more = left.length > NAMED ? `, and ${left.length - NAMED} more` : '';
  const named = left.slice(0, NAMED).join(' ');
  throw new HoldfastError('HF-STATE', `${facts.real} itself is as it was; in it differ ${named}${more}`, {
    hint: `name what shall be taken back: holdfast revert ${left[0]}`,
  });
}

/** The step of this boot that will write a path again at the next one, whatever is taken back now: `FILE:LINE "NAME"`. */
export function stepOfNextBoot({ bootChange, isKeptFile }: PathFacts, ownerFile: string): string | undefined {
  if (bootChange === undefined) return undefined;
  const { file, line, name } = bootChange;
  // That one goes with the request.
  return isKeptFile && file.endsWith(`/${ownerFile}`) ? undefined : placeOf(file, line, name);
}

/** Only the step can take back what it does in every new system. */
function refuseStep({ real, difference }: PathFacts, ownerFile: string): void {
  if (difference === undefined) return;
  const { cause } = difference;
  if (cause.by !== 'step') {
    throw new HoldfastError('HF-STATE', `${real} is part of the system, which is read-only while it runs`, {
      hint: 'holdfast apply makes it anew from its image and your stage files',
    });
  }
  const { file, line, name } = cause.step;
  const isOwner = file.endsWith(`/${ownerFile}`);
  throw new HoldfastError('HF-STATE', `${real} is made by ${placeOf(file, line, name)} in every new system`, {
    hint: isOwner
      ? 'holdfast pkg remove, file remove or run --remove takes that back; then: holdfast apply'
      : `change that step in ${file}, then: holdfast apply`,
  });
}

/** An overlay's copy has other times of links, and other flags. */
function isSame(one: TreeObject | undefined, other: TreeObject | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return differences(one, other).every((field) => field === 'time' || field === 'flags');
}
