// Files, links and nodes that are made aside in the tree that they will be put into: all contents are read before anything is
// removed or replaced, since the tree may be the one that they are read from.

import { closeSync, constants, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { bytesOf, type TreePath } from '../../image/targettree.ts';
import { HoldfastError } from '../../system/errors.ts';
import { runChecked } from '../../system/process.ts';
import { requireTools } from '../../system/tools.ts';
import { copyContent } from './content.ts';
import type { Wish } from './model.ts';
import { deviceNumbers, type TreeObject } from './tree-object.ts';
import { look, prefixOf } from './walk.ts';

export class StagedObjects {
  readonly #target: string;
  readonly #prefix: string;
  readonly #signal: AbortSignal | undefined;
  readonly #made = new Map<TreePath, TreePath>();
  #directory: TreePath | undefined;
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

  /**
   * Makes the object, without its attributes.
   * @param source the tree that its content is read from.
   * @returns false when that isn't there any more.
   */
  async make(
    target: TreePath,
    { object, content }: Extract<Wish, { want: 'object' }>,
    source: string,
  ): Promise<boolean> {
    const path = this.#nextPath();
    if (object.type === 'symlink') symlinkSync(bytesOf(object.linkTarget), bytesOf(this.#prefix + path));
    else if (object.type !== 'file') await this.#makeNode(path, object);
    else if (content.from === 'merge') this.#write(path, content.bytes);
    else if (!(await this.#copy(path, prefixOf(source) + content.path, object))) return false;
    this.#made.set(target, path);
    return true;
  }

  /** Removes what is left. */
  end(): void {
    if (this.#directory !== undefined)
      rmSync(bytesOf(this.#prefix + this.#directory), { recursive: true, force: true });
    this.#directory = undefined;
  }

  #nextPath(): TreePath {
    if (this.#directory === undefined) {
      let name = '.holdfast-replay';
      while (look(this.#prefix, name) !== undefined) name += '-';
      mkdirSync(bytesOf(this.#prefix + name), 0o700);
      this.#directory = name;
    }
    return `${this.#directory}/${this.#made.size}`;
  }

  async #copy(path: TreePath, from: string, { isSparse }: TreeObject): Promise<boolean> {
    return this.#withNewFile(path, async (fd) => {
      const written = await copyContent(from, fd, { keepHoles: isSparse, signal: this.#signal });
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
