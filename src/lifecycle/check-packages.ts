// Whether the packages that the owner keeps fit into the new system, before a hook touches it. What doesn't fit refuses the
// action with a chain, unless the owner has said what becomes of such packages.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkPackages } from '../owner/check.ts';
import { refusePackages } from '../owner/choice.ts';
import { describeConflict } from '../owner/conflict.ts';
import { listRequests, removeRequest } from '../owner/owner-file.ts';
import { OEM_DIRECTORY, packagePlaces, readOwnerFile, writeOwnerFile } from '../owner/owner-place.ts';
import type { PackageChoice, PackagePolicy } from '../owner/policy.ts';
import { wantedName } from '../owner/request.ts';
import { messageOf } from '../system/errors.ts';
import { mountUntilEnd } from '../system/mounts.ts';
import type { Action, ApplyContext, Performers } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import type { BuildSlotState } from './build-slot.ts';
import { openTransition } from './fill-slot.ts';
import { markChanges } from './owner-changes.ts';
import { furnishTarget } from './target.ts';

export interface CheckPackages extends Action<'check-packages'> {
  /** As they are asked for. */
  names: readonly string[];
  policy: PackagePolicy;
}

/** The packages that the owner asks for; a file that isn't understood is the hook's to judge. */
export function askedPackages(oemDirectory: string | undefined, warn: (text: string) => void): string[] {
  if (oemDirectory === undefined) return [];
  try {
    return listRequests(readOwnerFile(oemDirectory)).flatMap((one) =>
      one.kind === 'package' && one.wish === 'install' ? [one.name] : [],
    );
  } catch (error) {
    warn(`packages are not looked at before the hook: ${messageOf(error)}`);
    return [];
  }
}

const MEANING: Readonly<Record<PackagePolicy, string>> = {
  refuse: '',
  hold: '; one that doesn’t is held at the version installed last',
  drop: '; one that doesn’t is kept no more',
  defer: '; one that doesn’t is left out this time',
};

/** The action, where there is something to look at. */
export function checkPackagesActions(names: readonly string[] = [], policy: PackagePolicy = 'refuse'): CheckPackages[] {
  if (names.length === 0) return [];
  const which = names.length > 3 ? `${names.length} packages` : names.join(', ');
  const summary = `Find out whether ${which} ${names.length === 1 ? 'fits' : 'fit'} into the new system${MEANING[policy]}`;
  return [{ kind: 'check-packages', summary, names, policy }];
}

export const checkPackagesPerformers: Performers<CheckPackages, BuildSlotState> = {
  'check-packages': async ({ names, policy }, context, state) => {
    const { root: built, close } = await openTransition(context, state);
    const { root, uncover } = await coverTree(context, built, join(state.workDirectory, 'check-packages'));
    const unfurnish = await furnishTarget(context, root, state.owner);
    const { conflicts, problems } = await checkPackages({
      root,
      places: state.owner,
      names,
      signal: context.signal,
      onOutput: (text) => context.events({ type: 'output', text }),
    });
    await unfurnish();
    await uncover();
    await close();
    for (const problem of problems) context.warn(problem);
    // Where to find what isn't there may be a step's of the hook; that says in its own words what it can't get.
    const unfit = policy === 'refuse' ? conflicts.filter(({ isMissing }) => isMissing !== true) : conflicts;
    if (unfit.length === 0) return;
    if (policy === 'refuse') throw refusePackages(unfit, placesOf(state.owner.oem));
    const requests = unfit.map(({ request }) => request);
    for (const conflict of unfit) context.warn(`${describeConflict(conflict)}: ${WHAT_IS_DONE[policy]}`);
    state.packageChoices = new Map(requests.map((name) => [wantedName(name), policy]));
    // While a plan is made, what is written here is thrown away with it.
    if (policy === 'drop' && state.owner.caches !== undefined) dropRequests(state.owner.oem, requests);
  },
};

/** A view of a tree that can be written to: package managers leave logs and locks even where they only look. */
async function coverTree(
  { undo }: ApplyContext,
  tree: Root,
  directory: string,
): Promise<{ root: Root; uncover: () => Promise<void> }> {
  const [upper, work, at] = [join(directory, 'upper'), join(directory, 'work'), join(directory, 'root')];
  for (const path of [upper, work, at]) mkdirSync(path, { recursive: true });
  const options = [`lowerdir=${tree.directory}`, `upperdir=${upper}`, `workdir=${work}`];
  // The session takes its directories away once nothing is mounted there.
  const uncover = await mountUntilEnd(undo, 'overlay', at, { type: 'overlay', options });
  return { root: new Root(at), uncover };
}

function placesOf(oem: string | undefined): Map<string, string> {
  return oem === undefined ? new Map() : packagePlaces('after-upgrade-chroot', oem);
}

const WHAT_IS_DONE: Readonly<Record<PackageChoice, string>> = {
  hold: 'held at the version installed last',
  drop: 'kept no more',
  defer: 'left out this time',
};

/**
 * Takes the requests that were dropped out of the owner's file. Only once the new system is what boots: until then the old one
 * needs them.
 */
export async function dropPackages(state: BuildSlotState): Promise<void> {
  const dropped = [...(state.packageChoices ?? [])].flatMap(([name, choice]) => (choice === 'drop' ? [name] : []));
  if (dropped.length === 0 || state.owner.oem === undefined) return;
  dropRequests(state.owner.oem, dropped);
  // The slot was built without them, which is what the stage files say now.
  state.changes = state.owner.oem === OEM_DIRECTORY ? await markChanges(new Root('/')) : undefined;
}

function dropRequests(oem: string | undefined, names: readonly string[]): void {
  if (oem === undefined) return;
  let file = readOwnerFile(oem);
  for (const name of names) file = removeRequest(file, { kind: 'package', name, wish: 'install' });
  writeOwnerFile(file, oem);
}
