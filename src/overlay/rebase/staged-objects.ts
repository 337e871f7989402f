// Files, links and nodes that are made aside in the tree that they will be put into: all contents are read before anything is
// removed or replaced, since the tree may be the one that they are read from.

import { closeSync, constants, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { bytesOf, TargetTree, type TreePath } from '../../image/targettree.ts';
import { HoldfastError } from '../../system/errors.ts';
import { runChecked } from '../../system/process.ts';
import { requireTools } from '../../system/tools.ts';
import { copyContent, type ReadOptions } from './content.ts';
import type { Wish } from './model.ts';
import type { TreeHandles } from './tree-handles.ts';
import { deviceNumbers, type TreeObject } from './tree-object.ts';
import { look, prefixOf } from './walk.ts';

/** For root alone, so that nobody reaches what is in it; it is in the class of what is never carried. */
const DIRECTORY = '.holdfast-replay';

export class StagedObjects {
  readonly #target: string;
  readonly #prefix: string;
  readonly #signal: AbortSignal | undefined;
  readonly #made = new Map<TreePath, TreePath>();
  #directory: TreePath | undefined;
  #count = 0;
  writtenBytes = 0;

  constructor(options: { target: string; signal?: AbortSignal | undefined }) {
    this.#target = options.target;
    this.#prefix = prefixOf(options.target);
    this.#signal = options.signal;
  }

  /** Where the object for a path waits. */
  pathOf(target: TreePath): TreePath | undefined {
    return this.#made.get(target);
  }

  /** Everything that waits: where, by what it will be. */
  get all(): ReadonlyMap<TreePath, TreePath> {
    return this.#made;
  }

  /**
   * Makes the object, without its attributes.
   * @param source the tree that its content is read from.
   * @returns false when that isn't there any more.
   */
  async make(
    target: TreePath,
    { object, content }: Extract<Wish, { want: 'object' }>,
    source: TreeHandles,
    expected: ReadOptions['expected'],
  ): Promise<boolean> {
    const path = this.#nextPath();
    if (object.type === 'symlink') symlinkSync(bytesOf(object.linkTarget), bytesOf(this.#prefix + path));
    else if (object.type !== 'file') await this.#makeNode(path, object);
    else if (content.from === 'merge') this.#write(path, content.bytes);
    else if (!(await this.#copy(path, source, content.path, { object, expected }))) return false;
    this.#made.set(target, path);
    return true;
  }

  /** Removes what is left, also of a try that was cut off. */
  end(): void {
    const nobody = { beforeChange: () => {}, implied: () => {}, removed: () => {} };
    const tree = new TargetTree(this.#target, nobody);
    const stats = look(this.#prefix, DIRECTORY);
    if (stats?.isDirectory() && stats.uid === 0n && (stats.mode & 0o7777n) === 0o700n) tree.remove(DIRECTORY);
    this.#directory = undefined;
  }

  #nextPath(): TreePath {
    if (this.#directory === undefined) {
      this.end();
      mkdirSync(bytesOf(this.#prefix + DIRECTORY), 0o700);
      this.#directory = DIRECTORY;
    }
    this.#count += 1;
    return `${this.#directory}/${this.#count}`;
  }

  async #copy(
    path: TreePath,
    source: TreeHandles,
    from: TreePath,
    { object, expected }: ReadOptions & { object: TreeObject },
  ): Promise<boolean> {
    return this.#withNewFile(path, async (fd) => {
      const options = { keepHoles: object.isSparse, expected, signal: this.#signal };
      const written = await copyContent(source, from, fd, options);
      this.writtenBytes += written ?? 0;
      return written !== undefined;
    });
  }

  #write(path: TreePath, bytes: Uint8Array): void {
    const fd = openSync(bytesOf(this.#prefix + path), NEW_FILE, 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
      this.writtenBytes += bytes.length;
    } finally {
      closeSync(fd);
    }
  }

  async #withNewFile(path: TreePath, use: (fd: number) => Promise<boolean>): Promise<boolean> {
    const fd = openSync(bytesOf(this.#prefix + path), NEW_FILE, 0o600);
    try {
      return await use(fd);
    } finally {
      closeSync(fd);
    }
  }

  async #makeNode(path: TreePath, { type, device }: TreeObject): Promise<void> {
    requireTools(['mknod']);
    const { major, minor } = deviceNumbers(device);
    const letters = new Map([['character-device', 'c'] as const, ['block-device', 'b'] as const]);
    const letter = type === 'character-device' || type === 'block-device' ? letters.get(type) : undefined;
    if (letter === undefined && type !== 'fifo') throw new HoldfastError('HF-STATE', `a ${type} can not be made`);
    const numbers = letter === undefined ? ['p'] : [letter, String(major), String(minor)];
    await runChecked(['mknod', '-m', '600', '--', `./${path}`, ...numbers], { cwd: this.#target });
  }
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
