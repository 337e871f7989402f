// Paths of packages in a tree: their directories may be links there, and other links in another tree. Every path is resolved in
// the tree that it is looked up in, so that an absolute link of an image never leads to the running machine's files.

import { lstatSync, type Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { TreePath } from '../../image/targettree.ts';
import type { Root } from '../../system/root.ts';

export class TreeFiles {
  readonly #root: Root;
  readonly #directories = new Map<string, string>();

  constructor(root: Root) {
    this.#root = root;
  }

  /** Inside the root, without links in the directories above it: with /bin as a link, /bin/sh is /usr/bin/sh. */
  pathOf(path: string): string {
    const directory = dirname(path);
    let real = this.#directories.get(directory);
    if (real === undefined) {
      real = this.#resolved(directory);
      this.#directories.set(directory, real);
    }
    return join(real, basename(path));
  }

  /** The same on this machine. */
  at(path: string): string {
    return join(this.#root.directory, this.pathOf(path));
  }

  /** Of the path itself, even when it is a link; undefined when nothing is there. */
  lstat(path: string): Stats | undefined {
    try {
      return lstatSync(this.at(path), { throwIfNoEntry: false });
    } catch {
      // A file where a directory was, or a name that is too long: then the path isn't there.
      return undefined;
    }
  }

  /**
   * Whether nobody but root can put another thing in the place of this path or of a directory above it: the tree may be in
   * use while something is changed in it.
   */
  isRootsOwn(path: string): boolean {
    for (let directory = dirname(this.pathOf(path)); ; directory = dirname(directory)) {
      const stats = lstatSync(join(this.#root.directory, directory), { throwIfNoEntry: false });
      const isOwn = stats?.isDirectory() === true && (stats.uid === 0 || stats.uid === process.getuid?.());
      if (!isOwn || (stats.mode & 0o022) !== 0) return false;
      if (directory === '/') return true;
    }
  }

  #resolved(directory: string): string {
    try {
      return this.#root.inside(this.#root.resolve(directory));
    } catch {
      // Links that lead in a circle, or nowhere that can be looked at: nothing is there.
      return directory;
    }
  }
}

/** The path as the rebase writes it. */
export function treePathOf(path: string): TreePath {
  return Buffer.from(path.slice(1), 'utf8').toString('latin1');
}

/** The way back: absolute, as text. Paths of packages are text. */
export function textOfTreePath(path: TreePath): string {
  return `/${Buffer.from(path, 'latin1').toString('utf8')}`;
}
