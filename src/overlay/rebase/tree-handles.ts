// Reaches into a tree without ever following a link: every directory on the way is opened by itself and held, and what is in it
// is named through that. On a running system a user may put a link in the place of a directory at any moment; a path that
// was looked at before proves nothing then.

import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { parentOf, type TreePath } from '../../image/targettree.ts';
import { errnoOf } from '../../system/errors.ts';

/** linux/fcntl.h on x86 and ARM alike: a handle that names an object and can't read it. Node doesn't know it. */
const O_PATH = 0x20_0000;
const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Handles that are held; the oldest is given back first. */
const MAX_HANDLES = 256;
const MAX_BATCH = 2000;

export class TreeHandles {
  readonly #root: number;
  readonly #handles = new Map<TreePath, number>();

  /** @param directory may be reached through links itself. */
  constructor(directory: string) {
    this.#root = openSync(directory, O_PATH | constants.O_DIRECTORY);
  }

  /**
   * A name for a path of the tree, for this program and those that it runs; good until many other directories were named. What
   * is at the end may be a link.
   * @throws an error with ENOENT, ENOTDIR or ELOOP when a directory above isn't there or is something else.
   */
  at(path: TreePath): Buffer {
    const name = path === '' ? '.' : path.slice(path.lastIndexOf('/') + 1);
    const handle = path === '' ? this.#root : this.#open(parentOf(path));
    return Buffer.from(`/proc/${process.pid}/fd/${handle}/${name}`, 'latin1');
  }

  /** Opens what is at a path itself, to change it by {@link nameOf}; a link is opened as a link. */
  hold(path: TreePath): number {
    return openSync(this.at(path), O_PATH | constants.O_NOFOLLOW);
  }

  close(): void {
    for (const handle of this.#handles.values()) closeSync(handle);
    this.#handles.clear();
    closeSync(this.#root);
  }

  #open(directory: TreePath): number {
    if (directory === '') return this.#root;
    const known = this.#handles.get(directory);
    if (known !== undefined && fstatSync(known).nlink > 0) {
      this.#handles.delete(directory);
      this.#handles.set(directory, known);
      return known;
    }
    if (known !== undefined) this.forget(directory);
    const handle = openSync(this.at(directory), DIRECTORY);
    this.#handles.set(directory, handle);
    for (const [oldest, held] of this.#handles) {
      if (this.#handles.size <= MAX_HANDLES) break;
      this.#handles.delete(oldest);
      closeSync(held);
    }
    return handle;
  }

  /** A directory is another one now, or none. */
  forget(directory: TreePath): void {
    for (const [path, handle] of this.#handles) {
      if (path !== directory && !path.startsWith(`${directory}/`)) continue;
      this.#handles.delete(path);
      closeSync(handle);
    }
  }
}

/** A name for what {@link TreeHandles.hold} gave. */
export function nameOf(handle: number): string {
  return `/proc/self/fd/${handle}`;
}

/** Cuts paths into parts that can all be named at the same time. */
export function* batchesOf(paths: Iterable<TreePath>): Generator<TreePath[]> {
  let batch: TreePath[] = [];
  let parents = new Set<TreePath>();
  for (const path of paths) {
    batch.push(path);
    // The directories above it are opened on the way there.
    for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) parents.add(parent);
    if (batch.length < MAX_BATCH && parents.size < MAX_HANDLES / 2) continue;
    yield batch;
    batch = [];
    parents = new Set();
  }
  if (batch.length > 0) yield batch;
}

/** For programs that are run in `/`. */
export function namedFromRoot(tree: TreeHandles, path: TreePath): TreePath {
  return tree.at(path).toString('latin1').slice(1);
}

/** Does something with a tree's handles, and gives them back. */
export async function withHandles<T>(directory: string, use: (tree: TreeHandles) => Promise<T>): Promise<T> {
  const tree = new TreeHandles(directory);
  try {
    return await use(tree);
  } finally {
    tree.close();
  }
}

/**
 * Names one path of a tree for a program, whatever bytes it has, with no link on the way.
 * @param use gets undefined when a directory above isn't there.
 */
export async function nameInRoot<T>(
  directory: string,
  path: TreePath,
  use: (name: string | undefined) => Promise<T>,
): Promise<T> {
  return withHandles(directory, async (tree) => {
    let handle: number | undefined;
    try {
      handle = tree.hold(path);
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) throw error;
    }
    try {
      return await use(handle === undefined ? undefined : `/proc/${process.pid}/fd/${handle}`);
    } finally {
      if (handle !== undefined) closeSync(handle);
    }
  });
}
