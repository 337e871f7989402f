// Which paths of the view the package manager answers for: they are installed or removed again by it, so the file replay
// leaves them alone. What the owner edited after it was installed isn't among them.

import { createHash } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, readSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { TreePath } from '../../image/targettree.ts';
import type { Root } from '../../system/root.ts';
import { madeByScripts } from './made-by-scripts.ts';
import type { DatabaseName, PackagedEntry, PackageStep } from './model.ts';

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
  const [inBase, inView] = [new Directories(base.root), new Directories(view.root)];
  for (const { key } of steps) {
    const entries = view.contents.get(key) ?? [];
    const parents = new Set(entries.map((entry) => dirname(entry.path)));
    for (const entry of entries) {
      const path = inView.pathOf(entry.path);
      const state = stateOf(entry, view.root, path, parents.has(entry.path));
      const wasThere = lstatIn(base.root, path) !== undefined;
      if (state === 'packaged' || (state === 'directory' && !wasThere)) owned.set(treePath(path), key);
      // What was missing in the old base already isn't missing because somebody removed it.
      const isFile = entry.digest !== undefined || entry.isConfig;
      const wasMissing = !wasThere && (base.contents.get(key) ?? []).some((other) => other.path === entry.path);
      if (state === 'missing' && isFile && !wasMissing) absent.add(treePath(path));
      // So that a machine with thousands of packages stays answerable.
      if (owned.size % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const entry of base.contents.get(key) ?? []) {
      const path = inBase.pathOf(entry.path);
      // Only what went with the package: a file that is still there is somebody's.
      if (
        lstatIn(view.root, path) === undefined &&
        lstatIn(base.root, path) !== undefined &&
        !absent.has(treePath(path))
      )
        owned.set(treePath(path), key);
    }
  }
  if (database === 'dpkg') {
    const files = steps.flatMap(({ key }) => [base, view].flatMap(({ contents }) => contents.get(key) ?? []));
    const names = new Set(steps.map(({ name }) => name));
    const packaged = new Set(files.map(({ path }) => path));
    for (const path of madeByScripts(base.root, view.root, packaged, names)) {
      owned.set(treePath(inView.pathOf(path)), MADE_BY_SCRIPTS);
    }
  }
  const sorted = [...owned].map(([path, key]) => ({ key, path })).sort((a, b) => (a.path < b.path ? -1 : 1));
  return { owned: sorted, absent: [...absent].sort() };
}

type EntryState = 'packaged' | 'edited' | 'directory' | 'missing';

/** @param isDirectory the package has something below it: then a link there (/bin) is the system's, not the package's. */
function stateOf(entry: PackagedEntry, root: Root, path: string, isDirectory: boolean): EntryState {
  const stats = lstatIn(root, path);
  if (stats === undefined) return 'missing';
  if (stats.isDirectory()) return 'directory';
  const { digest } = entry;
  // dpkg keeps no targets of links; a link of the package is the package's.
  if (stats.isSymbolicLink()) return isDirectory ? 'edited' : 'packaged';
  if (!stats.isFile()) return 'edited';
  // Without a digest it can't be told from an edited one; programs keep theirs, configuration may be the owner's.
  if (digest === undefined) return entry.isConfig ? 'edited' : 'packaged';
  return fileDigest(join(root.directory, path), digest.algorithm) === digest.hex ? 'packaged' : 'edited';
}

/** Where the packages' paths really are: with /bin as a link, /bin/sh is /usr/bin/sh. */
class Directories {
  readonly #root: Root;
  readonly #known = new Map<string, string>();

  constructor(root: Root) {
    this.#root = root;
  }

  /** Inside the root, without links in the directories above it. */
  pathOf(path: string): string {
    const directory = dirname(path);
    let real = this.#known.get(directory);
    if (real === undefined) {
      real = this.#resolved(directory);
      this.#known.set(directory, real);
    }
    return join(real, basename(path));
  }

  #resolved(directory: string): string {
    try {
      return this.#root.inside(this.#root.resolve(directory));
    } catch {
      // Links that lead in a circle, or nowhere that can be looked at: nothing is there.
      return directory;
    }
  }
}

/** Nothing is followed: the directories of `path` were resolved. */
function lstatIn(root: Root, path: string) {
  try {
    return lstatSync(join(root.directory, path), { throwIfNoEntry: false });
  } catch {
    // A file where a directory was, or a name that is too long: then the path isn't there.
    return undefined;
  }
}

function treePath(path: string): TreePath {
  return Buffer.from(path.slice(1), 'utf8').toString('latin1');
}

const BUFFER = Buffer.alloc(1 << 18);

/** Of a regular file; undefined when it can't be read as one. */
export function fileDigest(path: string, algorithm: string): string | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const hash = createHash(algorithm);
    for (let count = readSync(fd, BUFFER); count > 0; count = readSync(fd, BUFFER))
      hash.update(BUFFER.subarray(0, count));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}
