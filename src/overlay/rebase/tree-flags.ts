// The flags of chattr(1) while a tree is changed: what is immutable can't be changed, nor anything in it, so they are taken away
// first and given back last.

import type { TreePath } from '../../image/targettree.ts';
import { changeFlags, readFlags } from './attributes.ts';
import { batchesOf, namedFromRoot, type TreeHandles } from './tree-handles.ts';

/**
 * @param paths that are there.
 * @returns the flags that were taken away.
 */
export async function liftFlags(tree: TreeHandles, paths: Iterable<TreePath>): Promise<Map<TreePath, string>> {
  const flagged = new Map<TreePath, string>();
  for (const batch of batchesOf(paths)) {
    const named = new Map(batch.map((path) => [namedFromRoot(tree, path), path]));
    for (const [name, flags] of await readFlags('/', [...named.keys()])) flagged.set(named.get(name) ?? '', flags);
  }
  for (const path of flagged.keys()) await changeFlags('/', '-ia', [namedFromRoot(tree, path)]);
  return flagged;
}

/** Gives each its flags, if any, beside those that it has. */
export async function setFlags(tree: TreeHandles, flags: ReadonlyMap<TreePath, string>): Promise<void> {
  for (const [path, letters] of flags) {
    if (letters !== '') await changeFlags('/', `+${letters}`, [namedFromRoot(tree, path)]);
  }
}
