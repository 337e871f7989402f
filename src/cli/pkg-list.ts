// `holdfast pkg list`: what is kept by name, and what of it this system has.

import { readPackages } from '../overlay/packages/lists.ts';
import type { LockedPackage } from '../owner/lock.ts';
import { readLock } from '../owner/lock-place.ts';
import { handWrittenSteps, listRequests } from '../owner/owner-file.ts';
import { ownerFilePath, readOwnerFile } from '../owner/owner-place.ts';
import { bareName, type PackageRequest } from '../owner/request.ts';
import { Root } from '../system/root.ts';
import { ownerPlaces } from './owner-change.ts';
import type { CommandContext } from './program.ts';

interface ListFlags {
  root: string;
  /** Also what came along. */
  all?: boolean;
}

export interface ListedPackage {
  name: string;
  wish: PackageRequest['wish'];
  /** In this system; absent where it hasn't got it. */
  installed?: string;
  /** In the system that was made last. */
  locked?: string;
  /** `pending`: this system isn't as was asked. */
  state: 'as-asked' | 'pending';
}

export async function pkgListCommand(
  { reporter, signal }: CommandContext,
  _: string[],
  flags: ListFlags,
): Promise<number> {
  const root = new Root(flags.root);
  const { oemDirectory } = ownerPlaces(root);
  const file = readOwnerFile(oemDirectory);
  const { lock, problem } = readLock(oemDirectory);
  if (problem !== undefined) reporter.events({ type: 'notice', level: 'warning', text: problem });
  const list = await readPackages({ root, run: (argv, options) => root.run(argv, options) }, signal);
  const versions = new Map([...(list?.packages.values() ?? [])].map(({ name, version }) => [name, version]));
  const packages = listRequests(file)
    .filter((one) => one.kind === 'package')
    .map((request) => listed(request, versions, lock?.packages ?? []));
  const along = (lock?.packages ?? []).filter(({ asked }) => !asked);
  const foreign = handWrittenSteps(file).length;
  reporter.result({ packages, ...(flags.all && { along }) }, [
    ...(packages.length === 0 ? ['No package is kept.', '  holdfast pkg add NAME'] : lines(packages)),
    ...(flags.all
      ? along.map(({ name, version, neededBy }) => `  ${name} ${version}  needed by ${neededBy.join(', ')}`)
      : []),
    ...(foreign > 0
      ? [`  besides, ${foreign} ${foreign === 1 ? 'step' : 'steps'} written by hand in ${ownerFilePath(oemDirectory)}`]
      : []),
  ]);
  return 0;
}

function listed(
  { name, wish }: PackageRequest,
  versions: ReadonlyMap<string, string>,
  locked: readonly LockedPackage[],
): ListedPackage {
  const installed = versions.get(bareName(name));
  const entry = locked.find((one) => one.name === bareName(name));
  return {
    name,
    wish,
    ...(installed !== undefined && { installed }),
    ...(entry !== undefined && { locked: entry.version }),
    state: (installed === undefined) === (wish === 'remove') ? 'as-asked' : 'pending',
  };
}

function lines(packages: readonly ListedPackage[]): string[] {
  const width = Math.max(...packages.map(({ name }) => name.length));
  return packages.map(({ name, wish, installed, state }) => {
    const here = wish === 'remove' ? 'removed' : (installed ?? 'asked for');
    const when = state === 'pending' ? '  from the next system on' : '';
    return `${name.padEnd(width)}  ${here}${when}`;
  });
}
