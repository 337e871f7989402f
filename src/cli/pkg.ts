// `holdfast pkg add` and `pkg remove`: packages that every system to come has or lacks, by name.

import { readPackages } from '../overlay/packages/lists.ts';
import type { OwnerChange } from '../owner/change.ts';
import { ownerChange } from '../owner/change.ts';
import type { PackageLock } from '../owner/lock.ts';
import { readLock } from '../owner/lock-place.ts';
import { addRequest, listRequests, type OwnerFile, removeRequest } from '../owner/owner-file.ts';
import { bareName, type PackageRequest, wantedName } from '../owner/request.ts';
import { checkName } from '../stages/packages/name.ts';
import { HoldfastError } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import { changeOwnerFile, finishChange, type NowFlags, type OwnerFlags, ownerPlaces } from './owner-change.ts';
import type { CommandContext } from './program.ts';

type PkgFlags = OwnerFlags & NowFlags;

export async function pkgAddCommand(context: CommandContext, names: string[], flags: PkgFlags): Promise<number> {
  const wanted = checkedNames(names);
  const plan = await changeOwnerFile(context, flags, (file) => {
    const changes: OwnerChange[] = [];
    let next = file;
    for (const name of wanted) {
      const request: PackageRequest = { kind: 'package', name, wish: 'install' };
      const after = addRequest(next, request);
      const isThere = after === next;
      const wasThere = listRequests(next).some(
        (one) => one.kind === 'package' && wantedName(one.name) === wantedName(name),
      );
      changes.push(ownerChange(isThere ? 'kept-already' : wasThere ? 'replaced' : 'added', request));
      next = after;
    }
    return { file: next, changes };
  });
  return finishChange(context, plan, flags);
}

export async function pkgRemoveCommand(context: CommandContext, names: string[], flags: PkgFlags): Promise<number> {
  const unwanted = checkedNames(names);
  const root = new Root(flags.root);
  const { lock, problem } = readLock(ownerPlaces(root).oemDirectory);
  if (problem !== undefined) context.reporter.events({ type: 'notice', level: 'warning', text: problem });
  const installed = await installedNames(root, context.signal);
  const notes: string[] = [];
  const plan = await changeOwnerFile(context, flags, (file) => {
    const changes: OwnerChange[] = [];
    let next = file;
    for (const name of unwanted) {
      const decided = withoutName(next, name, lock, installed);
      next = decided.file;
      if (decided.change !== undefined) changes.push(decided.change);
      if (decided.note !== undefined) notes.push(decided.note);
    }
    return { file: next, changes };
  });
  for (const text of notes) context.reporter.events({ type: 'notice', level: 'info', text });
  return finishChange(context, plan, flags);
}

/**
 * What was asked for is asked for no more; a package of the image is to be removed from each system.
 * @throws HoldfastError HF-USAGE for one that is neither here nor asked for.
 */
function withoutName(
  file: OwnerFile,
  name: string,
  lock: PackageLock | undefined,
  installed: ReadonlySet<string>,
): { file: OwnerFile; change?: OwnerChange; note?: string } {
  const request: PackageRequest = { kind: 'package', name, wish: 'remove' };
  const same = listRequests(file).find((one) => one.kind === 'package' && wantedName(one.name) === wantedName(name));
  if (same?.kind === 'package' && same.wish === 'remove') return { file, change: ownerChange('kept-already', same) };
  const isOurs = lock?.packages.some((one) => one.name === bareName(name)) ?? false;
  const isHere = installed.has(bareName(name));
  if (same !== undefined) {
    const again = `if the image itself has ${name}, it stays; "holdfast pkg remove ${name}" once more removes it from each system`;
    const change = ownerChange('removed', same);
    return { file: removeRequest(file, same), change, ...(isHere && !isOurs && { note: again }) };
  }
  if (!isHere) {
    throw new HoldfastError('HF-USAGE', `${name} is neither kept nor installed: there is nothing to remove`, {
      hint: 'see what is kept: holdfast pkg list',
    });
  }
  // It goes with what needs it, and nothing else may have it.
  if (isOurs && !(lock?.packages.some((one) => one.name === bareName(name) && one.asked) ?? false)) {
    throw new HoldfastError('HF-USAGE', `${name} isn't kept by itself: another package that is kept needed it`, {
      hint: 'see which: holdfast pkg list --all',
    });
  }
  // Built in, and taken back already: the next system hasn't got it.
  if (isOurs) return { file, note: `${name} is asked for no more; it goes with the next system` };
  return { file: addRequest(file, request), change: ownerChange('added', request) };
}

async function installedNames(root: Root, signal: AbortSignal): Promise<Set<string>> {
  const list = await readPackages({ root, run: (argv, options) => root.run(argv, options) }, signal);
  return new Set([...(list?.packages.values() ?? [])].map(({ name }) => name));
}

/** @throws HoldfastError HF-USAGE for what can't be a package's name. */
function checkedNames(names: readonly string[]): string[] {
  for (const name of names) {
    try {
      checkName(name, 'the name of a package');
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      throw new HoldfastError('HF-USAGE', error.message, { ...(error.hint !== undefined && { hint: error.hint }) });
    }
    // An address or a file would not be there when the next system is made.
    if (!/^[A-Za-z0-9][A-Za-z0-9+._:=~<>@^-]*$/.test(name)) {
      throw new HoldfastError('HF-USAGE', `${JSON.stringify(name)} is no name of a package`, {
        hint: 'a file of a package is kept by "holdfast file add" and installed by "holdfast run"',
      });
    }
    // apt-get(8): a minus behind a name removes the package.
    if (name.endsWith('-')) {
      throw new HoldfastError('HF-USAGE', `${JSON.stringify(name)} is no name of a package`, {
        hint: `to be without a package: holdfast pkg remove ${name.replace(/-+$/, '')}`,
      });
    }
  }
  return [...new Set(names)];
}
