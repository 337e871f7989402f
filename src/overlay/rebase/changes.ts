// What the user changed: the names that are not in the view what they are in its base. The walk says which ones may differ;
// these are looked at closely, so that nothing that was only touched by a backup or a boot is taken for an edit.

import type { TreePath } from '../../image/targettree.ts';
import { isCarried } from './classes.ts';
import type { Change, Changes } from './model.ts';
import { addDigests, readObjects } from './read-object.ts';
import { seenMark } from './seen-index.ts';
import { differences, objectOf, type TreeObject } from './tree-object.ts';
import { comparePaths } from './tree-order.ts';
import { type Candidate, type Walked, type WalkOptions, walkBoth } from './walk.ts';

/**
 * Compares a view with its base. Both are directories where they are mounted; nothing is written.
 * @throws HoldfastError HF-IO, HF-INTERRUPTED, HF-TOOL-MISSING.
 */
export async function findChanges(
  trees: { oldBase: string; oldView: string },
  options: Omit<WalkOptions, 'onSeen'> = {},
): Promise<Changes> {
  const { oldBase, oldView } = trees;
  const seen = new Map<TreePath, string>();
  const walked = await walkBoth(oldBase, oldView, {
    ...options,
    onSeen: (path, stats) => {
      if (isCarried(path)) seen.set(path, seenMark(stats));
    },
  });
  const { candidates } = walked;
  candidates.sort((one, other) => comparePaths(one.path, other.path));
  const close = candidates.filter(({ path }) => isCarried(path));
  const there = (side: 'before' | 'after') => close.filter((one) => one[side] !== undefined).map(({ path }) => path);
  const before = await readObjects(oldBase, there('before'));
  const after = await readObjects(oldView, there('after'));
  await addComparedDigests(trees, there('before'), before, after, options.signal);
  const names = linkNames(walked);
  const changes: Change[] = [];
  for (const candidate of candidates) {
    const change = isCarried(candidate.path)
      ? changeOf(candidate.path, before.get(candidate.path), after.get(candidate.path), names)
      : roughChangeOf(candidate);
    if (change !== undefined) changes.push(change);
  }
  await findRenames(trees, changes, options.signal);
  const changed = new Set(changes.map(({ path }) => path));
  const linked = [...walked.linkedAfter.values()]
    .filter((paths) => paths.length > 1 && paths.some((path) => changed.has(path)))
    .map((paths) => paths.toSorted(comparePaths));
  linked.sort((one, other) => comparePaths(one[0] ?? '', other[0] ?? ''));
  return {
    changes,
    linked,
    entries: walked.entries,
    ...costOf(changes),
    seen,
    warnings: walked.warnings,
  };
}

/** Files that are as long as before must be read to know whether they are the same. */
async function addComparedDigests(
  { oldBase, oldView }: { oldBase: string; oldView: string },
  paths: readonly TreePath[],
  before: ReadonlyMap<TreePath, TreeObject>,
  after: ReadonlyMap<TreePath, TreeObject>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const alike = paths.filter((path) => {
    const [one, other] = [before.get(path), after.get(path)];
    return one?.type === 'file' && other?.type === 'file' && one.sizeBytes === other.sizeBytes;
  });
  await addDigests(oldBase, pick(before, alike), signal);
  await addDigests(oldView, pick(after, alike), signal);
}

function* pick(objects: ReadonlyMap<TreePath, TreeObject>, paths: readonly TreePath[]) {
  for (const path of paths) {
    const object = objects.get(path);
    if (object !== undefined) yield [path, object] as const;
  }
}

interface LinkNames {
  before: ReadonlyMap<TreePath, readonly TreePath[]>;
  after: ReadonlyMap<TreePath, readonly TreePath[]>;
  /** Names that the view has; an object that lost or got a name was touched, so all of its names are candidates. */
  there: ReadonlySet<TreePath>;
}

/** For each name of an object with several, all of them. */
function linkNames({ candidates, linkedBefore, linkedAfter }: Walked): LinkNames {
  const byName = (linked: Walked['linkedBefore']) =>
    new Map([...linked.values()].flatMap((paths) => paths.map((path) => [path, paths] as const)));
  const there = new Set(candidates.filter(({ after }) => after !== undefined).map(({ path }) => path));
  return { before: byName(linkedBefore), after: byName(linkedAfter), there };
}

function changeOf(
  path: TreePath,
  before: TreeObject | undefined,
  after: TreeObject | undefined,
  names: LinkNames,
): Change | undefined {
  if (before === undefined && after === undefined) return undefined;
  if (before === undefined) return { path, kind: 'added', before, after };
  if (after === undefined) return { path, kind: 'deleted', before, after };
  const now = names.after.get(path) ?? [path];
  const isSplit = (names.before.get(path) ?? []).some((name) => names.there.has(name) && !now.includes(name));
  const isJoined = now.length > 1 && before.inode !== after.inode;
  if (differences(before, after).length === 0 && !isSplit && !isJoined) return undefined;
  return { path, kind: 'changed', before, after, ...(isSplit && { isSplit }), ...(isJoined && { isJoined }) };
}

/** Of paths that are never carried, by what the walk saw. */
function roughChangeOf({ path, before: one, after: other }: Candidate): Change | undefined {
  const [before, after] = [one && objectOf(one), other && objectOf(other)];
  if (before === undefined && after === undefined) return undefined;
  if (before !== undefined && after !== undefined && differences(before, after).length === 0) return undefined;
  return { path, kind: before === undefined ? 'added' : after === undefined ? 'deleted' : 'changed', before, after };
}

/** A new name of an object whose old name is gone: the object was renamed. */
async function findRenames(
  { oldBase, oldView }: { oldBase: string; oldView: string },
  changes: Change[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const gone = new Map<bigint, Change>();
  for (const change of changes) {
    if (change.kind !== 'deleted' || change.before === undefined || !isCarried(change.path)) continue;
    if (change.before.type !== 'directory') gone.set(change.before.inode, change);
  }
  for (const change of changes) {
    const { path, kind, after } = change;
    if (kind !== 'added' || after === undefined || !isCarried(path)) continue;
    const from = gone.get(after.inode);
    const { before } = from ?? {};
    if (from === undefined || before === undefined || before.type !== after.type) continue;
    if (before.sizeBytes !== after.sizeBytes || before.mtimeNs !== after.mtimeNs) continue;
    // The number may have been given to another file since.
    await addDigests(oldBase, [[from.path, before]], signal);
    await addDigests(oldView, [[path, after]], signal);
    if (differences(before, after).includes('content')) continue;
    gone.delete(after.inode);
    change.origin = { path: from.path, object: before };
  }
}

const BLOCK = 4096;

/** What a new view costs, in whole blocks: files that have several names count once. */
function costOf(changes: readonly Change[]): { changedBytes: number; addedEntries: number } {
  const counted = new Set<bigint>();
  let changedBytes = 0;
  let addedEntries = 0;
  for (const { path, kind, after } of changes) {
    if (after === undefined || !isCarried(path)) continue;
    if (kind === 'added') addedEntries += 1;
    if (!counted.has(after.inode)) changedBytes += Math.ceil(after.storedBytes / BLOCK) * BLOCK;
    counted.add(after.inode);
  }
  return { changedBytes, addedEntries };
}
