// What is different between two mounted trees, path by path: a pristine and its slot, the running slot and a planned one. Nothing
// is written, and a file is read only where its size and times leave the question open.

import type { TreePath } from '../image/targettree.ts';
import { addDigests, readObjects } from '../overlay/rebase/read-object.ts';
import { differences, type Field, type TreeObject } from '../overlay/rebase/tree-object.ts';
import { comparePaths } from '../overlay/rebase/tree-order.ts';
import { type Candidate, look, prefixOf, type Walked, walkBoth } from '../overlay/rebase/walk.ts';
import type { Progress } from '../system/events.ts';
import { findProgram, packageHint } from '../system/tools.ts';

import { Reach } from './reach.ts';

export type { TreePath } from '../image/targettree.ts';
export type { Field, ObjectType, TreeObject } from '../overlay/rebase/tree-object.ts';

export type DifferenceKind = 'added' | 'removed' | 'changed';

/** One path that is not in the one tree what it is in the other. */
export interface TreeDifference {
  /** Bytes as latin1, without a slash at either end; `` is the tree itself. */
  path: TreePath;
  kind: DifferenceKind;
  /** Absent where it was added. */
  before?: TreeObject;
  /** Absent where it was removed. */
  after?: TreeObject;
  /** What is different; empty where it was added or removed. */
  fields: readonly Field[];
}

export interface TreeComparison {
  /** In the order of paths: a directory before what is in it. */
  differences: readonly TreeDifference[];
  /** Names that were looked at, in both trees together. */
  entries: number;
  /** What could not be looked at, such as what another file system is mounted on. */
  warnings: readonly string[];
}

export interface CompareOptions {
  /**
   * One tree is a clone of the other, or both are clones of a third one (slots and pristines on one COS_STATE that were made
   * by cloning): a name with the same inode number and time of change is then the same object, and is not read. Default: false;
   * all files of the same size are read.
   */
  related?: boolean;
  /** The second tree is an overlayfs: its files have other device numbers than its directories. Default: false. */
  isOverlayfs?: boolean;
  /** `needed`: of files that must be read to be compared (default); `all`: of every file that differs, both sides. */
  digests?: 'needed' | 'all';
  /** Only these paths are looked at, each by itself; the trees are not walked. */
  only?: Iterable<TreePath>;
  /** Paths for which this says false are left out, with what is below them. */
  isWanted?: (path: TreePath) => boolean;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/**
 * Compares two trees by type, mode, owner, size, time, links, extended attributes, flags and content. What is never a
 * difference: sockets, the times of directories, labels of a security module.
 * @param before directory of the one tree, mounted.
 * @param after directory of the other one.
 * Where no program can read attributes they are left out, and a warning says so.
 * @throws HoldfastError HF-IO, HF-INTERRUPTED.
 */
export async function compareTrees(
  before: string,
  after: string,
  options: CompareOptions = {},
): Promise<TreeComparison> {
  const { related = false, digests = 'needed', isOverlayfs, isWanted = () => true, signal, onProgress } = options;
  const { only } = options;
  const walked =
    only === undefined
      ? await walkBoth(before, after, { signal, onProgress, areUnrelated: !related, isOverlayfs })
      : lookAt(before, after, only);
  const candidates = walked.candidates.filter(({ path }) => isWanted(path));
  candidates.sort((one, other) => comparePaths(one.path, other.path));
  const names = (side: 'before' | 'after') =>
    candidates.filter((one) => one[side] !== undefined).map(({ path }) => path);
  const missing = ['xargs', 'getfattr', 'lsattr'].filter((program) => findProgram(program) === undefined);
  const warnings = missing.map((program) => `attributes are not compared without ${program}: ${packageHint(program)}`);
  const attributes = missing.length === 0;
  const old = await readObjects(before, names('before'), { attributes });
  const now = await readObjects(after, names('after'), { attributes });
  const alike = candidates.flatMap(({ path }) => {
    const [one, other] = [old.get(path), now.get(path)];
    const mayBeEqual = one?.type === 'file' && other?.type === 'file' && one.sizeBytes === other.sizeBytes;
    return mayBeEqual ? [path] : [];
  });
  await addDigests(before, pick(old, alike), signal);
  await addDigests(after, pick(now, alike), signal);
  const found = candidates.flatMap(({ path }) => differenceOf(path, old.get(path), now.get(path)) ?? []);
  if (digests === 'all') {
    const paths = found.map(({ path }) => path);
    await addDigests(before, pick(old, paths), signal);
    await addDigests(after, pick(now, paths), signal);
  }
  return { differences: found, entries: walked.entries, warnings: [...warnings, ...walked.warnings] };
}

/** As a walk, for paths that are known. */
function lookAt(
  before: string,
  after: string,
  only: Iterable<TreePath>,
): Pick<Walked, 'candidates' | 'entries' | 'warnings'> {
  const sides = [before, after].map((directory) => ({ prefix: prefixOf(directory), reach: new Reach(directory) }));
  const candidates = [...only].flatMap((path): Candidate[] => {
    const [one, other] = sides.map(({ prefix, reach }) => (reach.has(path) ? look(prefix, path) : undefined));
    const isSame = one === undefined ? other === undefined : one.ino === other?.ino && one.ctimeNs === other.ctimeNs;
    return isSame ? [] : [{ path, before: one, after: other }];
  });
  return { candidates, entries: candidates.length, warnings: [] };
}

function differenceOf(
  path: TreePath,
  before: TreeObject | undefined,
  after: TreeObject | undefined,
): TreeDifference | undefined {
  if (before === undefined) return after && { path, kind: 'added', after, fields: [] };
  if (after === undefined) return { path, kind: 'removed', before, fields: [] };
  const fields = differences(before, after);
  return fields.length === 0 ? undefined : { path, kind: 'changed', before, after, fields };
}

function* pick(objects: ReadonlyMap<TreePath, TreeObject>, paths: readonly TreePath[]) {
  for (const path of paths) {
    const object = objects.get(path);
    if (object !== undefined) yield [path, object] as const;
  }
}
