// Which paths of the view the package manager answers for: they are installed or removed again by it, so the file replay
// leaves them alone. What the owner edited after it was installed isn't among them.

import { dirname } from 'node:path';
import type { TreePath } from '../../image/targettree.ts';
import type { Root } from '../../system/root.ts';
import { fileDigest } from './file-digest.ts';
import { madeByScripts } from './made-by-scripts.ts';
import type { DatabaseName, PackagedEntry, PackageStep } from './model.ts';
import { isOwnPolicy, POLICY } from './services.ts';
import { TreeFiles, treePathOf } from './tree-files.ts';

export interface OwnedPath {
  key: string;
  path: TreePath;
}

export interface Ownership {
  owned: OwnedPath[];
  /** Packaged files that the user removed. */
  absent: TreePath[];
}

/** In place of a package's key where several may have their part in it. */
export const MADE_BY_SCRIPTS = 'dpkg';

export type Contents = ReadonlyMap<string, readonly PackagedEntry[]>;

interface Side {
  root: Root;
  contents: Contents;
}

/** Looks at the files of each package of the delta in the old base and in the view. */
export async function findOwned(
  database: DatabaseName,
  steps: readonly PackageStep[],
  base: Side,
  view: Side,
): Promise<Ownership> {
  const owned = new Map<TreePath, string>();
  const absent = new Set<TreePath>();
  const [inBase, inView] = [new TreeFiles(base.root), new TreeFiles(view.root)];
  for (const step of steps) {
    const { key } = step;
    const entries = view.contents.get(key) ?? [];
    const parents = new Set(entries.map((entry) => dirname(entry.path)));
    const unpackedAt = database === 'dpkg' ? unpackTime(step, inView) : undefined;
    for (const entry of entries) {
      const path = treePathOf(inView.pathOf(entry.path));
      const state = stateOf(entry, inView, { isDirectory: parents.has(entry.path), unpackedAt });
      const wasThere = inBase.lstat(entry.path) !== undefined;
      if (state === 'packaged' || (state === 'directory' && !wasThere)) owned.set(path, key);
      // What was missing in the old base already isn't missing because somebody removed it.
      const isFile = entry.digest !== undefined || entry.isConfig;
      const wasMissing = !wasThere && (base.contents.get(key) ?? []).some((other) => other.path === entry.path);
      if (state === 'missing' && isFile && !wasMissing) absent.add(path);
      // So that a machine with thousands of packages stays answerable.
      if (owned.size % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const entry of base.contents.get(key) ?? []) {
      const path = treePathOf(inBase.pathOf(entry.path));
      // Only what went with the package: a file that is still there is somebody's.
      const isGone = inView.lstat(entry.path) === undefined && inBase.lstat(entry.path) !== undefined;
      if (isGone && !absent.has(path)) owned.set(path, key);
    }
  }
  if (database === 'dpkg') {
    const files = steps.flatMap(({ key }) => [base, view].flatMap(({ contents }) => contents.get(key) ?? []));
    const names = new Set(steps.map(({ name }) => name));
    const made = madeByScripts(base.root, view.root, new Set(files.map(({ path }) => path)), names);
    // What a power cut left of ours must not go from system to system.
    if (isOwnPolicy(view.root)) made.push(POLICY);
    for (const path of made) owned.set(treePathOf(inView.pathOf(path)), MADE_BY_SCRIPTS);
  }
  const sorted = [...owned].map(([path, key]) => ({ key, path })).sort((a, b) => (a.path < b.path ? -1 : 1));
  return { owned: sorted, absent: [...absent].sort() };
}

type EntryState = 'packaged' | 'edited' | 'directory' | 'missing';

interface EntryFacts {
  /** The package has something below it: then a link there (/bin) is the system's, not the package's. */
  isDirectory: boolean;
  /** When the package was unpacked, in milliseconds. */
  unpackedAt: number | undefined;
}

function stateOf(entry: PackagedEntry, files: TreeFiles, { isDirectory, unpackedAt }: EntryFacts): EntryState {
  const stats = files.lstat(entry.path);
  if (stats === undefined) return 'missing';
  if (stats.isDirectory()) return 'directory';
  const { digest } = entry;
  // dpkg keeps no targets of links; a link of the package is the package's.
  if (stats.isSymbolicLink()) return isDirectory ? 'edited' : 'packaged';
  if (!stats.isFile()) return 'edited';
  if (digest === undefined) {
    // Many packages bring no digests. What nobody touched since it was unpacked is the package's; what somebody did stays
    // with the file replay, where it does no harm if it is the same.
    return !entry.isConfig && unpackedAt !== undefined && stats.ctimeMs <= unpackedAt ? 'packaged' : 'edited';
  }
  return fileDigest(files.at(entry.path), digest.algorithm) === digest.hex ? 'packaged' : 'edited';
}

/** dpkg writes a package's list of files when it has unpacked them. */
function unpackTime({ name, architecture }: PackageStep, files: TreeFiles): number | undefined {
  const lists = [`${name}:${architecture}.list`, `${name}.list`];
  return lists.map((list) => files.lstat(`/var/lib/dpkg/info/${list}`)?.mtimeMs).find((time) => time !== undefined);
}
