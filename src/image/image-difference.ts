// What changed from one image to another, path by path, as people ask for it: which files came, went or changed, and how
// much larger the system is. (tree-diff.ts answers another question: what must be written.) Pure.

import { isSameTime } from './exact-time.ts';
import type { TreePath } from './targettree.ts';
import { sameContent, type TreeEntry, type TreeIndex } from './tree-index.ts';

export interface ChangedPath {
  path: TreePath;
  change: 'added' | 'removed' | 'changed';
  /** What is different where it is in both; `content` also when its type changed. */
  what: readonly ('type' | 'content' | 'mode' | 'owner' | 'time' | 'link' | 'device' | 'attributes')[];
  /** Of the content, in bytes, before and after. */
  from: number;
  to: number;
}

export interface TreeFigures {
  /** Names, without the tree itself. */
  entries: number;
  /** Of all files, each counted once whatever names it has. */
  contentBytes: number;
}

/** Adds up a tree. */
export function figuresOfTree(tree: TreeIndex): TreeFigures {
  const files = new Map<number, number>();
  for (const { inode, sizeBytes } of tree.values()) files.set(inode, sizeBytes);
  let contentBytes = 0;
  for (const bytes of files.values()) contentBytes += bytes;
  return { entries: Math.max(0, tree.size - 1), contentBytes };
}

/** Every path that is different, in order; a directory whose time alone changed is left out, since its content says why. */
export function changedPaths(before: TreeIndex, after: TreeIndex): ChangedPath[] {
  const changes: ChangedPath[] = [];
  for (const [path, entry] of after) {
    const old = before.get(path);
    if (old === undefined) {
      changes.push({ path, change: 'added', what: [], from: 0, to: entry.sizeBytes });
      continue;
    }
    const what = differences(old, entry);
    if (what.length === 0 || (entry.type === 'directory' && what.length === 1 && what[0] === 'time')) continue;
    changes.push({ path, change: 'changed', what, from: old.sizeBytes, to: entry.sizeBytes });
  }
  for (const [path, { sizeBytes }] of before) {
    if (!after.has(path)) changes.push({ path, change: 'removed', what: [], from: sizeBytes, to: 0 });
  }
  return changes.sort((one, other) => (one.path < other.path ? -1 : 1));
}

function differences(old: TreeEntry, now: TreeEntry): ChangedPath['what'] {
  if (old.type !== now.type) return ['type', 'content'];
  const what: ChangedPath['what'][number][] = [];
  if (!sameContent(old.content, now.content)) what.push('content');
  if (old.linkName !== now.linkName) what.push('link');
  if (old.deviceMajor !== now.deviceMajor || old.deviceMinor !== now.deviceMinor) what.push('device');
  if (old.mode !== now.mode) what.push('mode');
  if (old.uid !== now.uid || old.gid !== now.gid) what.push('owner');
  if (!isSameTime(old, now)) what.push('time');
  if (!sameXattrs(old.xattrs, now.xattrs)) what.push('attributes');
  return what;
}

function sameXattrs(one: ReadonlyMap<string, Buffer>, other: ReadonlyMap<string, Buffer>): boolean {
  return one.size === other.size && [...one].every(([name, value]) => other.get(name)?.equals(value) === true);
}
