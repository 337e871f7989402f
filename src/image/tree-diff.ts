// What must be done to an old tree so that it becomes a new one, with as little written as possible: files stay where they
// are, move, or are patched, and only what is left is made anew. Pure; apply-delta.ts carries it out.

import { isSameTime } from './exact-time.ts';
import { parentOf, type TreePath } from './targettree.ts';
import { contentKey, sameContent, type TreeEntry, type TreeIndex } from './tree-index.ts';

/** A file, link or node of the new tree that needs something done. */
export interface FileChange {
  entry: TreeEntry;
  /** All names that it shall have, `entry.path` first. */
  paths: readonly TreePath[];
  /** The old file that becomes it; undefined when it is made anew. */
  from: TreeEntry | undefined;
  /** Those of its names that `from` has already. */
  kept: readonly TreePath[];
  hasNewAttributes: boolean;
  /** Whether its content must be written: all of it, or, where `from` is, what differs. */
  hasNewContent: boolean;
}

export interface TreeDifference {
  /** What goes, with everything below; other names than in {@link FileChange.kept} of a file that stays, too. */
  removed: readonly TreePath[];
  /** Directories to make or to give other attributes, each before what lies in it. */
  directories: readonly TreeEntry[];
  /** In the order of the new tree. */
  files: readonly FileChange[];
  /** At most so many bytes of content are written. */
  writeBytes: number;
}

interface Inode {
  entry: TreeEntry;
  paths: TreePath[];
}

/** Compares two trees. */
export function compareTrees(old: TreeIndex, wanted: TreeIndex): TreeDifference {
  const oldInodes = inodesOf(old);
  const wantedInodes = [...inodesOf(wanted).values()];
  const origins = findOrigins(old, oldInodes, wantedInodes);

  const files: FileChange[] = [];
  let writeBytes = 0;
  for (const { entry, paths } of wantedInodes) {
    const from = origins.get(entry.inode);
    const kept = from === undefined ? [] : paths.filter((path) => old.get(path)?.inode === from.inode);
    const hasNewAttributes = from === undefined || !sameAttributes(from, entry);
    const hasNewContent = entry.type === 'file' && (from === undefined || !sameContent(from.content, entry.content));
    if (from !== undefined && kept.length === paths.length && !hasNewAttributes && !hasNewContent) continue;
    if (hasNewContent) writeBytes += entry.content?.sizeBytes ?? 0;
    files.push({ entry, paths, from, kept, hasNewAttributes, hasNewContent });
  }
  const directories = [...wanted.values()].filter((entry) => {
    if (entry.type !== 'directory') return false;
    const before = old.get(entry.path);
    return before?.type !== 'directory' || !sameAttributes(before, entry);
  });
  return { removed: findRemoved(old, wanted, origins), directories, files, writeBytes };
}

/** Which old file becomes which new one, by the new one's number. */
function findOrigins(old: TreeIndex, oldInodes: ReadonlyMap<number, Inode>, wanted: readonly Inode[]) {
  const origins = new Map<number, TreeEntry>();
  const claimed = new Set<number>();
  const claim = (inode: Inode, from: TreeEntry) => {
    origins.set(inode.entry.inode, from);
    claimed.add(from.inode);
  };
  const claimBy = (find: (inode: Inode) => TreeEntry | undefined) => {
    for (const inode of wanted) {
      if (origins.has(inode.entry.inode)) continue;
      const from = find(inode);
      if (from !== undefined && canBecome(from, inode.entry)) claim(inode, from);
    }
  };
  const atItsPath = ({ entry, paths }: Inode, fits: (from: TreeEntry) => boolean) => {
    for (const path of paths) {
      const from = old.get(path);
      if (from?.type === entry.type && from.type !== 'directory' && !claimed.has(from.inode) && fits(from)) return from;
    }
    return undefined;
  };
  claimBy((inode) => atItsPath(inode, (from) => isSameThing(from, inode.entry)));
  const byContent = new Map<string, TreeEntry[]>();
  for (const { entry } of oldInodes.values()) {
    if (entry.content === undefined || entry.content.sizeBytes === 0 || claimed.has(entry.inode)) continue;
    const key = contentKey(entry.content);
    const same = byContent.get(key);
    if (same === undefined) byContent.set(key, [entry]);
    else same.push(entry);
  }
  claimBy(({ entry }) => {
    const moved = entry.content && byContent.get(contentKey(entry.content));
    while (moved !== undefined && moved.length > 0) {
      const from = moved.pop();
      if (from !== undefined && !claimed.has(from.inode) && from.sizeBytes === entry.sizeBytes) return from;
    }
    return undefined;
  });
  claimBy((inode) => atItsPath(inode, (from) => canBePatched(from, inode.entry)));
  return origins;
}

/** The topmost old names that the new tree doesn't have, or has for something else. */
function findRemoved(old: TreeIndex, wanted: TreeIndex, origins: ReadonlyMap<number, TreeEntry>): TreePath[] {
  const removed = new Set<TreePath>();
  const gone = new Set<TreePath>();
  for (const entry of old.values()) {
    const { path } = entry;
    if (path === '') continue;
    if (gone.has(parentOf(path))) {
      gone.add(path);
      continue;
    }
    const now = wanted.get(path);
    const stays =
      entry.type === 'directory'
        ? now?.type === 'directory'
        : now !== undefined && origins.get(now.inode)?.inode === entry.inode;
    if (stays) continue;
    removed.add(path);
    gone.add(path);
  }
  return [...removed];
}

/**
 * A file with extended attributes is either the same in all things or made anew: a change of owner or content takes its
 * capabilities away.
 */
function canBecome(from: TreeEntry, entry: TreeEntry): boolean {
  if (from.xattrs.size === 0 && entry.xattrs.size === 0) return true;
  return isSameThing(from, entry) && sameAttributes(from, entry);
}

/** The same content, link or device, whatever its attributes are. */
function isSameThing(from: TreeEntry, entry: TreeEntry): boolean {
  return (
    from.type === entry.type &&
    from.sizeBytes === entry.sizeBytes &&
    from.linkName === entry.linkName &&
    from.deviceMajor === entry.deviceMajor &&
    from.deviceMinor === entry.deviceMinor &&
    sameContent(from.content, entry.content)
  );
}

/** Where both have all of their bytes stored, the parts that are the same need not be written. */
function canBePatched(from: TreeEntry, entry: TreeEntry): boolean {
  const [before, after] = [from.content, entry.content];
  if (before === undefined || after === undefined) return false;
  return before.extents === undefined && after.extents === undefined && before.sizeBytes > 0 && after.sizeBytes > 0;
}

function sameAttributes(one: TreeEntry, other: TreeEntry): boolean {
  return (
    one.mode === other.mode &&
    one.uid === other.uid &&
    one.gid === other.gid &&
    isSameTime(one, other) &&
    one.xattrs.size === other.xattrs.size &&
    [...one.xattrs].every(([name, value]) => other.xattrs.get(name)?.equals(value))
  );
}

function inodesOf(tree: TreeIndex): Map<number, Inode> {
  const inodes = new Map<number, Inode>();
  for (const entry of tree.values()) {
    if (entry.type === 'directory') continue;
    const known = inodes.get(entry.inode);
    if (known === undefined) inodes.set(entry.inode, { entry, paths: [entry.path] });
    else known.paths.push(entry.path);
  }
  return inodes;
}
