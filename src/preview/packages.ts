// Which packages the new system has in another version, by its own package manager's word: dpkg, rpm or apk. Where the
// manager can't be asked, its list is read where that is a text.

import { parsePackages } from '../image/packages.ts';
import { databaseOf, readPackages } from '../overlay/packages/lists.ts';
import type { DatabaseName } from '../overlay/packages/model.ts';
import { compareVersions } from '../overlay/packages/versions.ts';
import { messageOf } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import { LIMITS, type PackageChange, type PackagesPart } from './document.ts';

/** Versions by `name:architecture`. */
export type Versions = ReadonlyMap<string, { name: string; architecture: string; version: string }>;

export interface PackagesOfTree {
  manager: DatabaseName | undefined;
  versions: Versions;
  /** Why they aren't known. */
  problem?: string;
}

/** The packages of a mounted tree; changes nothing in it. */
export async function packagesOf(root: Root, signal: AbortSignal): Promise<PackagesOfTree> {
  const manager = databaseOf({ root });
  if (manager === undefined) return { manager, versions: new Map() };
  try {
    const list = await readPackages({ root, run: (argv, options) => root.run(argv, options) }, signal);
    return { manager, versions: list?.packages ?? new Map() };
  } catch (error) {
    const [sign] = SIGNS[manager] ?? [];
    const text = sign === undefined ? undefined : root.readTextIfThere(sign);
    if (sign === undefined || text === undefined) {
      return { manager, versions: new Map(), problem: `${manager} could not be asked: ${messageOf(error)}` };
    }
    const parsed = [...parsePackages(sign.slice(1), text)].map(([key, version]) => {
      const [name = key, architecture = ''] = key.split(':');
      return [key, { name, architecture, version }] as const;
    });
    return { manager, versions: new Map(parsed) };
  }
}

const SIGNS: Readonly<Partial<Record<DatabaseName, readonly string[]>>> = {
  dpkg: ['/var/lib/dpkg/status'],
  apk: ['/lib/apk/db/installed'],
};

/** What changes from one tree to the other. Pure. */
export function packagesPart(before: PackagesOfTree | undefined, after: PackagesOfTree): PackagesPart {
  const manager = after.manager ?? before?.manager ?? null;
  const problem = before?.problem ?? after.problem;
  if (problem !== undefined) return { manager, changes: [], note: problem };
  if (manager === null) return { manager, changes: [], note: 'neither system has a list of packages' };
  if (before?.manager !== undefined && after.manager !== undefined && before.manager !== after.manager) {
    return {
      manager,
      changes: [],
      note: `the packages of ${before.manager} and of ${after.manager} can't be compared`,
    };
  }
  const old = before?.versions ?? new Map();
  const keys = [...new Set([...old.keys(), ...after.versions.keys()])].sort();
  const changes = keys.flatMap((key) => changeOf(manager, old.get(key), after.versions.get(key)));
  if (changes.length <= LIMITS.packages) return { manager, changes };
  return { manager, changes: changes.slice(0, LIMITS.packages), note: `and ${changes.length - LIMITS.packages} more` };
}

type Known = { name: string; architecture: string; version: string } | undefined;

function changeOf(manager: DatabaseName, from: Known, to: Known): PackageChange[] {
  const known = to ?? from;
  if (known === undefined || from?.version === to?.version) return [];
  const { name, architecture } = known;
  const head = { name, ...(architecture !== '' && { architecture }) };
  if (from === undefined) return [{ ...head, ...(to && { to: to.version }), change: 'added' }];
  if (to === undefined) return [{ ...head, from: from.version, change: 'removed' }];
  const order = compareVersions(manager, from.version, to.version);
  const change = order < 0 ? 'upgraded' : order > 0 ? 'downgraded' : 'changed';
  return [{ ...head, from: from.version, to: to.version, change }];
}
