// Mode and owner of packaged files that the user changed after the installation. Package managers keep no record of such a
// change; the same version freshly installed shows what was packaged.

import { chmodSync, lchownSync, type Stats } from 'node:fs';
import type { TreePath } from '../../image/targettree.ts';
import type { Root } from '../../system/root.ts';
import { TreeFiles, textOfTreePath } from './tree-files.ts';

/**
 * Gives paths of the target the mode and owner that they have in the view; owners by name.
 * @returns the changed ones, and those that were left since others than root could have put something in their place.
 */
export function restoreAttributes(
  paths: Iterable<TreePath>,
  view: Root,
  target: Root,
): { changed: string[]; left: string[] } {
  const [theirs, ours] = [namesOf(view), numbersOf(target)];
  const [inView, inTarget] = [new TreeFiles(view), new TreeFiles(target)];
  const changed: string[] = [];
  const left: string[] = [];
  for (const treePath of paths) {
    const path = textOfTreePath(treePath);
    const [was, is] = [inView.lstat(path), inTarget.lstat(path)];
    if (was === undefined || is === undefined || was.isSymbolicLink() || typeOf(was) !== typeOf(is)) continue;
    const uid = ours.passwd.get(theirs.passwd.get(was.uid) ?? '') ?? (theirs.passwd.has(was.uid) ? is.uid : was.uid);
    const gid = ours.group.get(theirs.group.get(was.gid) ?? '') ?? (theirs.group.has(was.gid) ? is.gid : was.gid);
    const mode = was.mode & 0o7777;
    if (uid === is.uid && gid === is.gid && mode === (is.mode & 0o7777)) continue;
    if (!inTarget.isRootsOwn(path)) {
      left.push(path);
      continue;
    }
    const at = inTarget.at(path);
    lchownSync(at, uid, gid);
    // After chown, which clears the set-id bits.
    chmodSync(at, mode);
    changed.push(path);
  }
  return { changed, left };
}

function typeOf(stats: Stats): number {
  return stats.mode & 0o170000;
}

interface Accounts<K, V> {
  passwd: ReadonlyMap<K, V>;
  group: ReadonlyMap<K, V>;
}

function namesOf(root: Root): Accounts<number, string> {
  const read = (file: string) =>
    new Map(
      accounts(root, file)
        .map(([name, id]) => [id, name] as const)
        .reverse(),
    );
  return { passwd: read('passwd'), group: read('group') };
}

function numbersOf(root: Root): Accounts<string, number> {
  return { passwd: new Map(accounts(root, 'passwd')), group: new Map(accounts(root, 'group')) };
}

function accounts(root: Root, file: string): [string, number][] {
  const lines = (root.readTextIfThere(`/etc/${file}`) ?? '').split('\n');
  return lines.flatMap((line) => {
    const [name = '', , id = ''] = line.split(':');
    return /^\d+$/.test(id) ? [[name, Number(id)] as [string, number]] : [];
  });
}
