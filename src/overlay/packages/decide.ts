// What becomes of the packages that the owner added, removed or changed, once there is a new base: decided from three lists
// and nothing else. The image's own packages are held back by default; the owner's additions and removals are kept.

import type { InstalledPackage, PackageConflict, PackageDecisions, PackageList, PackageStep } from './model.ts';
import { packageKey } from './model.ts';
import { compareVersions } from './versions.ts';

export interface PackageSides {
  /** The old base. */
  base: PackageList;
  view: PackageList;
  /** The new base, hooks included. */
  next: PackageList;
}

export interface PackageChoices {
  /** Who wins a conflict of this package, where the owner has chosen; default: the new base. */
  winner?: (step: PackageStep) => 'user' | 'new' | undefined;
  /** Why a package only comes with the image (a kernel); undefined: it can be carried. */
  imageOnly?: (key: string) => string | undefined;
}

/** The packages of the view that differ from the old base, in the order of their keys. */
export function packageDelta({ base, view, next }: PackageSides): PackageStep[] {
  const keys = [...new Set([...base.packages.keys(), ...view.packages.keys()])].sort();
  return keys.flatMap((key) => {
    const [was, is] = [base.packages.get(key), view.packages.get(key)];
    const known = is ?? was;
    if (known === undefined || was?.version === is?.version) return [];
    const step: PackageStep = {
      key,
      name: known.name,
      architecture: known.architecture,
      automatic: is?.automatic ?? false,
      purge: is === undefined && !view.remains.has(key),
      ...(was && { before: was.version }),
      ...(is && { wanted: is.version }),
    };
    const there = next.packages.get(key) ?? replacementOf(known, next);
    return [{ ...step, ...(there && { next: there.version }) }];
  });
}

/** The same package of another architecture word: what was `amd64` can be `all` in the next version. */
function replacementOf({ name, architecture }: InstalledPackage, list: PackageList): InstalledPackage | undefined {
  const independent = ['all', 'noarch'];
  const others = independent.includes(architecture)
    ? [...list.packages.values()].filter((other) => other.name === name)
    : independent.flatMap((word) => list.packages.get(packageKey({ name, architecture: word })) ?? []);
  return others[0];
}

/** Decides about each package of the delta. Pure: the same lists and choices give the same plan. */
export function decidePackages(sides: PackageSides, choices: PackageChoices = {}): PackageDecisions {
  const { base, view, next } = sides;
  const { database } = view;
  const install: PackageStep[] = [];
  const remove: PackageStep[] = [];
  const converged: PackageStep[] = [];
  const conflicts: PackageConflict[] = [];
  const skipped: (PackageStep & { reason: string })[] = [];
  for (const step of packageDelta(sides)) {
    const { key, before, wanted, next: there } = step;
    const reason = choices.imageOnly?.(key);
    if (reason !== undefined) skipped.push({ ...step, reason });
    else if (wanted === undefined) (there === undefined ? converged : remove).push(step);
    else if (there === undefined) install.push(step);
    else if (before !== undefined && compareVersions(database, wanted, before) < 0) {
      // The owner went back to an older version: no version of the image is "newer, so never mind".
      if (compareVersions(database, there, wanted) === 0) converged.push(step);
      else decide(step, compareVersions(database, there, wanted) > 0 ? 'held-back' : 'downgrade');
    } else if (compareVersions(database, there, wanted) >= 0) converged.push(step);
    else decide(step, 'downgrade');
  }
  function decide(step: PackageStep, kind: PackageConflict['kind']): void {
    const winner = choices.winner?.(step) ?? 'new';
    conflicts.push({ ...step, kind, winner });
    if (winner === 'user') install.push(step);
  }
  const holdsIn = (list: PackageList) => [...list.packages].filter(([, { held }]) => held).map(([key]) => key);
  const [heldBefore, held] = [new Set(holdsIn(base)), new Set(holdsIn(view))];
  return {
    database,
    install,
    remove,
    converged,
    conflicts,
    skipped,
    hold: [...held].filter((key) => !heldBefore.has(key) && !next.packages.get(key)?.held).sort(),
    unhold: [...heldBefore]
      .filter((key) => view.packages.has(key) && !held.has(key) && next.packages.get(key)?.held)
      .sort(),
    addArchitectures: view.foreignArchitectures.filter(
      (word) => !base.foreignArchitectures.includes(word) && !next.foreignArchitectures.includes(word),
    ),
  };
}

/** Whether the plan changes nothing in the new system. */
export function isNothing({ install, remove, hold, unhold, addArchitectures }: PackageDecisions): boolean {
  return [install, remove, hold, unhold, addArchitectures].every(({ length }) => length === 0);
}
