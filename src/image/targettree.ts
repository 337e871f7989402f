// The directory that layers are unpacked into. Paths are resolved inside it as after a chroot, links included, byte for
// byte: names are latin1 strings of bytes and reach the kernel as they are, in any encoding. Nothing else may write to
// the directory meanwhile.

import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  type Stats,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { errnoOf } from '../system/errors.ts';
import { refused } from './entrypath.ts';
import type { FileTime } from './exact-time.ts';

/** As many links as Linux follows in one path. */
const MAX_LINKS = 40;

/** How many directories are remembered; more cost memory, fewer cost time. */
const MAX_REMEMBERED = 20_000;

/** A path inside the tree, bytes as latin1, without slash at either end; `` is the tree itself. No part is a link. */
export type TreePath = string;

export interface TreeListener {
  /** Before names are added to a directory or removed from it. */
  beforeChange(directory: TreePath): void;
  /** After a directory was made only because an entry lies in it; `time` is that entry's. */
  implied(directory: TreePath, time: FileTime): void;
  /** After a path is gone, with everything below it if it was a directory. */
  removed(path: TreePath, wasDirectory: boolean): void;
}

export class TargetTree {
  readonly directory: string;
  readonly #prefix: string;
  /** Text of parents → where they are; valid until a directory or link is removed. */
  readonly #parents = new Map<string, TreePath>();
  readonly #listener: TreeListener;

  constructor(directory: string, listener: TreeListener) {
    this.directory = resolve(directory);
    const prefix = Buffer.from(this.directory, 'utf8').toString('latin1');
    this.#prefix = prefix === '/' ? '/' : `${prefix}/`;
    this.#listener = listener;
  }

  /** What Node's functions take for a path of the tree. */
  at(path: TreePath): string | Buffer {
    return bytesOf(this.#prefix + path);
  }

  lstat(path: TreePath): Stats | undefined {
    return lstatSync(this.at(path), { throwIfNoEntry: false });
  }

  /**
   * Where an entry goes: its parents are resolved, its own name is not followed. Missing parents are made.
   * @param parts of the entry's name, at least one.
   * @param time of the entry, for parents that are made.
   * @throws HoldfastError HF-IMAGE when a parent is not a directory or leads in circles.
   */
  place(parts: readonly string[], time: FileTime): TreePath {
    const parents = parts.slice(0, -1);
    const parent = this.#resolveParents(parents);
    this.#makeDirectories(parent, parts, time);
    return join(parent, parts.at(-1) ?? '');
  }

  /** As {@link place}, but makes nothing; undefined when a parent is missing or is no directory. */
  find(parts: readonly string[]): TreePath | undefined {
    const path = join(this.#resolveParents(parts.slice(0, -1)), parts.at(-1) ?? '');
    try {
      return this.lstat(path) === undefined ? undefined : path;
    } catch (error) {
      if (errnoOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  /** As {@link find} for directories, following a link at the end too. */
  findDirectory(parts: readonly string[]): TreePath | undefined {
    const path = this.#resolveParents(parts);
    try {
      return this.lstat(path)?.isDirectory() ? path : undefined;
    } catch (error) {
      if (errnoOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  /** Removes a file, link or tree, but not what `keep` names, nor the directories on the way there. */
  remove(path: TreePath, keep?: ReadonlySet<TreePath>): void {
    if (keep?.has(path)) {
      if (this.lstat(path)?.isDirectory()) this.empty(path, keep);
      return;
    }
    const stats = this.lstat(path);
    if (stats === undefined) return;
    this.#listener.beforeChange(parentOf(path));
    const isDirectory = stats.isDirectory();
    if (isDirectory) this.#removeTree(path);
    else unlinkSync(this.at(path));
    if (isDirectory || stats.isSymbolicLink()) this.#parents.clear();
    this.#listener.removed(path, isDirectory);
  }

  /** Removes what is in a directory, but not what `keep` names. */
  empty(directory: TreePath, keep: ReadonlySet<TreePath>): void {
    for (const name of readdirSync(this.at(directory), { encoding: 'latin1' }))
      this.remove(join(directory, name), keep);
  }

  #removeTree(directory: TreePath): void {
    // Deep trees are walked with a stack of our own, not the program's.
    const pending = [{ path: directory, entered: false }];
    for (let next = pending.at(-1); next !== undefined; next = pending.at(-1)) {
      if (next.entered) {
        pending.pop();
        rmdirSync(this.at(next.path));
        continue;
      }
      next.entered = true;
      for (const name of readdirSync(this.at(next.path), { encoding: 'latin1' })) {
        const path = join(next.path, name);
        try {
          unlinkSync(this.at(path));
        } catch (error) {
          if (errnoOf(error) !== 'EISDIR') throw error;
          pending.push({ path, entered: false });
        }
      }
    }
  }

  /** Follows links in the parents of an entry. Parts that don't exist are kept as they are. */
  #resolveParents(parents: readonly string[]): TreePath {
    if (parents.length === 0) return '';
    const text = parents.join('/');
    const known = this.#parents.get(text);
    if (known !== undefined) return known;
    const pending = parents.toReversed();
    const done: string[] = [];
    let links = 0;
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === '..') {
        done.pop();
        continue;
      }
      done.push(part);
      const target = this.#linkTarget(done.join('/'));
      if (target === undefined) continue;
      links += 1;
      if (links > MAX_LINKS) throw refused(text, 'leads through too many links');
      done.pop();
      if (target.startsWith('/')) done.length = 0;
      pending.push(
        ...target
          .split('/')
          .filter((piece) => piece !== '' && piece !== '.')
          .reverse(),
      );
    }
    return done.join('/');
  }

  #makeDirectories(directory: TreePath, parts: readonly string[], time: FileTime): void {
    const text = parts.slice(0, -1).join('/');
    if (directory === '' || this.#parents.has(text)) return;
    const stats = this.#lstatOrMissing(directory);
    if (stats === undefined) {
      const steps = directory.split('/');
      for (let depth = 1; depth <= steps.length; depth++) {
        const step = steps.slice(0, depth).join('/');
        const found = this.lstat(step);
        if (found?.isDirectory()) continue;
        if (found !== undefined) throw refused(parts.join('/'), 'lies below something that is not a directory');
        this.#listener.beforeChange(parentOf(step));
        mkdirSync(this.at(step), 0o755);
        // Below a set-group-ID directory it would have that one's group.
        lchownSync(this.at(step), process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
        // The process's umask took its part.
        chmodSync(this.at(step), 0o755);
        this.#listener.implied(step, time);
      }
    } else if (!stats.isDirectory()) {
      throw refused(parts.join('/'), 'lies below something that is not a directory');
    }
    if (this.#parents.size >= MAX_REMEMBERED) this.#parents.clear();
    this.#parents.set(text, directory);
  }

  #lstatOrMissing(path: TreePath): Stats | undefined {
    try {
      return this.lstat(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  #linkTarget(path: TreePath): string | undefined {
    try {
      return readlinkSync(this.at(path), { encoding: 'latin1' });
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EINVAL' || errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
      throw error;
    }
  }
}

/** Removes a file or a tree, whatever bytes its names have; nothing happens when it isn't there. */
export function removeTree(path: string): void {
  const nobody = { beforeChange: () => {}, implied: () => {}, removed: () => {} };
  new TargetTree(dirname(path), nobody).remove(Buffer.from(basename(path), 'utf8').toString('latin1'));
}

/** Bytes as latin1 → what Node's functions take: text where that is the same, else a buffer. */
export function bytesOf(path: string): string | Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII as a whole is meant
  return /^[\x00-\x7f]*$/.test(path) ? path : Buffer.from(path, 'latin1');
}

export function parentOf(path: TreePath): TreePath {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}

function join(directory: TreePath, name: string): TreePath {
  return directory === '' ? name : `${directory}/${name}`;
}
