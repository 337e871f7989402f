// Whether a path of a tree can be reached without following a link: a name that was seen in a directory once may lie behind a
// link now, and that may lead out of the tree.

import { parentOf, type TreePath } from '../image/targettree.ts';
import { look, prefixOf } from '../overlay/rebase/walk.ts';

export class Reach {
  readonly #prefix: string;
  readonly #directories = new Map<TreePath, boolean>([['', true]]);

  /** @param directory where the tree is mounted; nobody may change it meanwhile. */
  constructor(directory: string) {
    this.#prefix = prefixOf(directory);
  }

  /** Whether all directories above a path are directories. */
  has(path: TreePath): boolean {
    return path === '' || this.#isDirectory(parentOf(path));
  }

  #isDirectory(path: TreePath): boolean {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const is = this.has(path) && look(this.#prefix, path)?.isDirectory() === true;
    this.#directories.set(path, is);
    return is;
  }
}
