// Where a path of the old view is in the new base. A directory above it may have become a link there (`/lib` to `usr/lib`):
// then it is where that leads, inside the tree. Anything else above it is an obstacle, which somebody has to decide about.

import { parentOf, TargetTree, type TreePath } from '../../image/targettree.ts';
import { objectOf, type TreeObject } from './tree-object.ts';
import { joinPath } from './tree-order.ts';
import { look, prefixOf } from './walk.ts';

export interface Location {
  /** In the new base; there may be nothing yet. */
  target: TreePath;
  /** The topmost directory above that is something else in the new base: nothing of it can be behind that. */
  obstacle: TreePath | undefined;
}

export class NewBase {
  readonly directory: string;
  readonly #prefix: string;
  readonly #tree: TargetTree;
  readonly #changed: ReadonlySet<TreePath>;
  readonly #directories = new Map<TreePath, Location>([['', { target: '', obstacle: undefined }]]);

  /** @param changed paths that the user changed: a link that took their place isn't followed. */
  constructor(directory: string, changed: ReadonlySet<TreePath>) {
    this.directory = directory;
    this.#prefix = prefixOf(directory);
    this.#changed = changed;
    const nobody = { beforeChange: () => {}, implied: () => {}, removed: () => {} };
    this.#tree = new TargetTree(directory, nobody);
  }

  /** Follows links of directories above, never one at the end. */
  locate(path: TreePath): Location {
    if (path === '') return { target: '', obstacle: undefined };
    const parent = this.#locateDirectory(parentOf(path));
    return { target: joinPath(parent.target, path.slice(path.lastIndexOf('/') + 1)), obstacle: parent.obstacle };
  }

  /** What lstat(2) says; undefined when nothing is there. */
  look(target: TreePath): TreeObject | undefined {
    const stats = look(this.#prefix, target);
    return stats && objectOf(stats);
  }

  #locateDirectory(path: TreePath): Location {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const here = this.locate(path);
    const location = here.obstacle === undefined ? this.#enter(path, here.target) : here;
    this.#directories.set(path, location);
    return location;
  }

  #enter(path: TreePath, target: TreePath): Location {
    const there = this.look(target);
    if (there === undefined || there.type === 'directory') return { target, obstacle: undefined };
    if (there.type === 'symlink' && !this.#changed.has(path)) {
      const found = this.#tree.findDirectory(target.split('/'));
      if (found !== undefined) return { target: found, obstacle: undefined };
    }
    return { target, obstacle: target };
  }
}
