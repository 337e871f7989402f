// A directory tree that stages, hooks and inspections act on: `/` on a running system, a mounted target in a hook, a
// temporary directory in a test. Every path is resolved inside the tree, symbolic links included, so nothing climbs
// out of it. Node has no chroot call: files are reached by resolved paths, commands run through chroot(8).

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve as resolvePath } from 'node:path';
import { type WriteFileOptions, writeFileDurably } from './durable.ts';
import { errnoOf, HoldfastError } from './errors.ts';
import { type RunOptions, type RunResult, run } from './process.ts';

/** As many links as Linux follows in one path. */
const MAX_LINKS = 40;

export class Root {
  /** The tree's directory on this machine, absolute, `/` for the running system. */
  readonly directory: string;

  constructor(directory: string) {
    if (!isAbsolute(directory)) throw new HoldfastError('HF-USAGE', `a root must be an absolute path: ${directory}`);
    this.directory = resolvePath(directory);
  }

  /** Whether this is the running system's own root. */
  get isHost(): boolean {
    return this.directory === '/';
  }

  /**
   * Where a path of the tree is on this machine. Symbolic links are followed as they would be after a chroot: absolute
   * ones start at the root again and `..` stops there. Parts that don't exist are kept as they are.
   * @param path a path inside the tree, absolute or relative to the root.
   * @param options.followLast false keeps a link that is the path's last part.
   * @throws HoldfastError HF-IO when there are too many links.
   */
  resolve(path: string, options: { followLast?: boolean } = {}): string {
    const followLast = options.followLast ?? true;
    const pending = path.split('/').filter((part) => part !== '' && part !== '.');
    const done: string[] = [];
    let links = 0;
    while (pending.length > 0) {
      const part = pending.shift() ?? '';
      if (part === '..') {
        done.pop();
        continue;
      }
      const here = join(this.directory, ...done, part);
      const target = pending.length > 0 || followLast ? linkTarget(here) : undefined;
      if (target === undefined) {
        done.push(part);
        continue;
      }
      links += 1;
      if (links > MAX_LINKS) throw new HoldfastError('HF-IO', `too many symbolic links in ${path}`);
      if (target.startsWith('/')) done.length = 0;
      pending.unshift(...target.split('/').filter((piece) => piece !== '' && piece !== '.'));
    }
    return join(this.directory, ...done);
  }

  /** The path inside the tree of what {@link resolve} gave. */
  inside(resolved: string): string {
    return this.isHost ? resolved : resolved.slice(this.directory.length) || '/';
  }

  exists(path: string): boolean {
    return existsSync(this.resolve(path));
  }

  /** Follows links; undefined when nothing is there. */
  stat(path: string): Stats | undefined {
    return statSync(this.resolve(path), { throwIfNoEntry: false });
  }

  /** Of the path itself, even when it is a link; undefined when nothing is there. */
  lstat(path: string): Stats | undefined {
    return lstatSync(this.resolve(path, { followLast: false }), { throwIfNoEntry: false });
  }

  /** @throws HoldfastError HF-IO for a pipe or socket: reading it might never end. */
  readText(path: string): string {
    const target = this.resolve(path);
    const stats = statSync(target);
    if (stats.isFIFO() || stats.isSocket()) throw new HoldfastError('HF-IO', `${path} is a pipe or socket, not a file`);
    return readFileSync(target, 'utf8');
  }

  /** The file's text, or undefined when it isn't there. */
  readTextIfThere(path: string): string | undefined {
    try {
      return this.readText(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  /** Names in a directory, sorted by byte value; empty when it isn't there. */
  list(path: string): string[] {
    try {
      return readdirSync(this.resolve(path)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
      throw error;
    }
  }

  /** Replaces a file as a whole: temporary file, fsync, rename, fsync of the directory. Missing parents are made. */
  writeFile(path: string, content: string | Uint8Array, options: WriteFileOptions = {}): void {
    const target = this.resolve(path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileDurably(target, content, options);
  }

  /** Makes a directory and its missing parents, and sets the mode of the last one if `mode` is given. */
  makeDirectory(path: string, mode?: number): void {
    const target = this.resolve(path);
    mkdirSync(target, { recursive: true });
    if (mode !== undefined) chmodSync(target, mode);
  }

  /** Makes `path` a symbolic link to `target`, replacing a link or file that is there. */
  link(path: string, target: string): void {
    const at = join(this.resolve(dirname(path)), basename(path));
    mkdirSync(dirname(at), { recursive: true });
    rmSync(at, { force: true });
    symlinkSync(target, at);
  }

  /** Removes a file, link or tree; nothing happens when it isn't there. */
  remove(path: string): void {
    rmSync(join(this.resolve(dirname(path)), basename(path)), { recursive: true, force: true });
  }

  /** Runs a program of this tree, through chroot(8) unless the tree is `/`. */
  run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
    if (this.isHost) return run(argv, options);
    return run(['chroot', this.directory, ...argv], options);
  }
}

/** Looked at first: almost nothing is a link, and an error for each part would cost ten times as much. */
function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EINVAL' || errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw error;
  }
}
