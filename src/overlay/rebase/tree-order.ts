// The order in which a rebase goes through paths: by names, so that a directory comes right before what is in it, whatever
// bytes the names beside it have.

import type { TreePath } from '../../image/targettree.ts';

/** For sorting; reversed it puts what is in a directory before the directory. */
export function comparePaths(one: TreePath, other: TreePath): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) {
    const [a, b] = [one.charCodeAt(at), other.charCodeAt(at)];
    if (a === b) continue;
    // The slash sorts before every byte that a name can have.
    if (a === SLASH) return -1;
    return b === SLASH ? 1 : a - b;
  }
  return one.length - other.length;
}

const SLASH = 0x2f;

export function joinPath(directory: TreePath, name: string): TreePath {
  return directory === '' ? name : `${directory}/${name}`;
}

/** The directories above a path, topmost first, without the tree itself. */
export function parentsOf(path: TreePath): TreePath[] {
  const parents: TreePath[] = [];
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) parents.push(path.slice(0, at));
  return parents;
}
