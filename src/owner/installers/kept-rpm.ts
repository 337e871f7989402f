// Kept rpm files installed by rpm itself: it has no repositories and takes exactly what it is given, so that the files are
// chosen here: first those that came with the packages asked for, then all that ever came as dependencies.

import { readPackages } from '../../overlay/packages/lists.ts';
import type { PackageList } from '../../overlay/packages/model.ts';
import { compareVersions } from '../../overlay/packages/versions.ts';
import type { RunResult } from '../../system/process.ts';
import { type Attempt, type KeptFile, runInTree, type TreeWork } from '../installer.ts';
import type { LockDatabase } from '../lock.ts';
import { bareName } from '../request.ts';

/** @param how `--test` for a look without effect. */
export async function installKeptRpms(
  tree: TreeWork,
  names: readonly string[],
  files: readonly KeptFile[],
  how: readonly string[] = [],
): Promise<Attempt> {
  return installChosen(tree, 'rpm', names, files, (paths) => ['rpm', '-U', '--oldpackage', ...how, '--', ...paths]);
}

/** Tries the narrow choice, then the wide one. */
export async function installChosen(
  tree: TreeWork,
  database: LockDatabase,
  names: readonly string[],
  files: readonly KeptFile[],
  command: (paths: readonly string[]) => readonly [string, ...string[]],
): Promise<Attempt> {
  const list = await readPackages(
    { root: tree.root, run: (argv, options) => tree.root.run(argv, options) },
    tree.signal,
  );
  let result: RunResult | undefined;
  for (const reach of ['narrow', 'wide'] as const) {
    const chosen = chooseKept(names, files, reach).filter((file) => isWanted(file, database, list));
    if (chosen.length === 0) return { outcome: 'ok' };
    const paths = chosen.map(({ path }) => tree.work.put(path, 'kept', fileName(path)));
    result = await runInTree(tree, command(paths));
    if (result.status === 0) return { outcome: 'ok' };
  }
  return result === undefined ? { outcome: 'ok' } : { outcome: 'conflict', result };
}

/** Which of the kept files are handed over. Pure. */
export function chooseKept(names: readonly string[], files: readonly KeptFile[], reach: 'narrow' | 'wide'): KeptFile[] {
  const wanted = new Set(names.map(bareName));
  return files.filter(({ locked }) => {
    if (wanted.has(locked.name)) return true;
    const isForThem = locked.neededBy.some((name) => wanted.has(bareName(name)));
    return reach === 'wide' ? !locked.asked || isForThem : isForThem;
  });
}

/** What the system has in this version or a newer one isn't put over it. */
function isWanted({ locked }: KeptFile, database: LockDatabase, list: PackageList | undefined): boolean {
  const there = [...(list?.packages.values() ?? [])].find(
    ({ name, architecture }) => name === locked.name && architecture === locked.architecture,
  );
  return there === undefined || compareVersions(database, there.version, locked.version) < 0;
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
