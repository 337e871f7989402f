// Gives objects of a tree their owners, modes, attributes and times, in this order, since each takes something of the later
// ones away. Paths are named through handles, so that nothing outside the tree is reached, whoever else is at work in it.

import { chmodSync, closeSync, lchownSync } from 'node:fs';
import { fileTimeOf, setTime } from '../../image/exact-time.ts';
import type { TreePath } from '../../image/targettree.ts';
import { setXattrs } from '../../image/xattrs.ts';
import { readXattrs, removeXattr } from './attributes.ts';
import { batchesOf, namedFromRoot, nameOf, type TreeHandles } from './tree-handles.ts';
import type { TreeObject } from './tree-object.ts';

/** Everything but flags, and but the times of directories, which change as long as something happens in them. */
export async function furnish(tree: TreeHandles, objects: ReadonlyMap<TreePath, TreeObject>): Promise<void> {
  for (const paths of batchesOf(objects.keys())) {
    const batch = paths.flatMap((path) => {
      const object = objects.get(path);
      return object === undefined ? [] : [[path, object] as const];
    });
    await furnishBatch(tree, batch);
  }
}

async function furnishBatch(tree: TreeHandles, objects: readonly (readonly [TreePath, TreeObject])[]): Promise<void> {
  const named = new Map(objects.map(([path, object]) => [namedFromRoot(tree, path), object]));
  await removeStaleXattrs(named);
  for (const [path, object] of objects) {
    lchownSync(tree.at(path), object.uid, object.gid);
    // A link has no mode, and chmod would follow it.
    if (object.type !== 'symlink') changeMode(tree, path, object.mode);
  }
  const xattrs = [...named].flatMap(([path, object]) =>
    object.xattrs.size === 0 ? [] : [[path, object.xattrs] as const],
  );
  await setXattrs('/', new Map(xattrs));
  for (const [path, object] of objects) {
    if (object.type !== 'directory') setTime(tree.at(path), fileTimeOf(object.mtimeNs));
  }
}

/** Of what has the name now, not of what a link there leads to. */
function changeMode(tree: TreeHandles, path: TreePath, mode: number): void {
  const handle = tree.hold(path);
  try {
    chmodSync(nameOf(handle), mode);
  } finally {
    closeSync(handle);
  }
}

/** What it has and shall not have: inherited from a directory's default list, or taken away by the user. */
async function removeStaleXattrs(wanted: ReadonlyMap<TreePath, TreeObject>): Promise<void> {
  const stale = new Map<string, TreePath[]>();
  for (const [path, xattrs] of await readXattrs('/', [...wanted.keys()])) {
    for (const name of xattrs.keys()) {
      if (wanted.get(path)?.xattrs.has(name)) continue;
      const paths = stale.get(name);
      if (paths === undefined) stale.set(name, [path]);
      else paths.push(path);
    }
  }
  for (const [name, paths] of stale) await removeXattr('/', name, paths);
}
