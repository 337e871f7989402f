// Finds out again and again what has changed in a mounted tree since the last look, whoever changed it: inode numbers and times
// of change, which no program can set, against those of the last walk. No content is read, so that it can be done after
// every step of a hook.

import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { bytesOf, type TreePath } from '../image/targettree.ts';
import { NO_XATTRS, type ObjectType, type TreeObject } from '../overlay/rebase/tree-object.ts';
import { joinPath } from '../overlay/rebase/tree-order.ts';
import { prefixOf } from '../overlay/rebase/walk.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';

/** What a walk keeps of a name; the rest of it is read where somebody asks. */
interface Seen {
  inode: number;
  ctimeMs: number;
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  mtimeMs: number;
  device: number;
  linkTarget: string;
}

/** So many names, and the program looks whether it was interrupted. */
const PAUSE_ENTRIES = 5000;

export class TreeWatch {
  readonly #prefix: string;
  readonly #signal: AbortSignal | undefined;
  readonly #first = new Map<TreePath, Seen | undefined>();
  #seen = new Map<TreePath, Seen>();

  /** @param directory where the tree is mounted; what is mounted inside it isn't looked at. */
  constructor(directory: string, signal?: AbortSignal) {
    this.#prefix = prefixOf(directory);
    this.#signal = signal;
  }

  /** The first look, which the next one is compared with. @throws HoldfastError HF-IO, HF-INTERRUPTED. */
  async start(): Promise<void> {
    this.#seen = await this.#walk();
  }

  /**
   * Names that were made, changed in any way or removed since the last look; directories also for what was made or removed
   * in them.
   * @throws HoldfastError HF-IO, HF-INTERRUPTED.
   */
  async look(): Promise<TreePath[]> {
    const before = this.#seen;
    const now = await this.#walk();
    const changed: TreePath[] = [];
    for (const [path, seen] of now) {
      const old = before.get(path);
      if (old !== undefined && isSame(old, seen)) continue;
      changed.push(path);
      this.#keepFirst(path, old);
    }
    for (const [path, old] of before) {
      if (now.has(path)) continue;
      changed.push(path);
      this.#keepFirst(path, old);
    }
    this.#seen = now;
    return changed;
  }

  /** Everything that was found changed by any look. */
  get changed(): ReadonlySet<TreePath> {
    return new Set(this.#first.keys());
  }

  /** What a changed path was at the first look, without digest and extended attributes; undefined where nothing was. */
  first(path: TreePath): TreeObject | undefined {
    const seen = this.#first.get(path);
    return seen && objectOfSeen(seen);
  }

  #keepFirst(path: TreePath, old: Seen | undefined): void {
    if (!this.#first.has(path)) this.#first.set(path, old);
  }

  async #walk(): Promise<Map<TreePath, Seen>> {
    const found = new Map<TreePath, Seen>();
    this.#stopIfInterrupted();
    const root = this.#stat('');
    if (root === undefined) return found;
    found.set('', seenOf(root, ''));
    const pending: TreePath[] = [''];
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      for (const name of this.#list(directory)) {
        const path = joinPath(directory, name);
        const stats = this.#stat(path);
        if (stats === undefined || stats.dev !== root.dev || stats.isSocket()) continue;
        found.set(path, seenOf(stats, stats.isSymbolicLink() ? this.#linkTarget(path) : ''));
        if (stats.isDirectory()) pending.push(path);
        if (found.size % PAUSE_ENTRIES !== 0) continue;
        await new Promise((done) => setImmediate(done));
        this.#stopIfInterrupted();
      }
    }
    return found;
  }

  #stopIfInterrupted(): void {
    if (this.#signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while looking for changes');
  }

  #stat(path: TreePath): Stats | undefined {
    try {
      return lstatSync(bytesOf(this.#prefix + path), { throwIfNoEntry: false });
    } catch (error) {
      if (['ENOTDIR', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return undefined;
      throw failed(path, error);
    }
  }

  #list(path: TreePath): string[] {
    try {
      return readdirSync(bytesOf(this.#prefix + path), { encoding: 'latin1' });
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
      throw failed(path, error);
    }
  }

  #linkTarget(path: TreePath): string {
    try {
      return readlinkSync(bytesOf(this.#prefix + path), { encoding: 'latin1' });
    } catch (error) {
      if (['ENOENT', 'EINVAL'].includes(errnoOf(error) ?? '')) return '';
      throw failed(path, error);
    }
  }
}

/** Two changes within one tick of the clock have the same time; most of them show all the same. */
function isSame(one: Seen, other: Seen): boolean {
  const isUntouched = one.inode === other.inode && one.ctimeMs === other.ctimeMs;
  return isUntouched && one.sizeBytes === other.sizeBytes && one.mode === other.mode && one.uid === other.uid;
}

function failed(path: TreePath, error: unknown): HoldfastError {
  return new HoldfastError('HF-IO', `/${path} could not be looked at: ${messageOf(error)}`, { cause: error });
}

function seenOf(stats: Stats, linkTarget: string): Seen {
  const { ino, ctimeMs, mode, uid, gid, size, mtimeMs, rdev } = stats;
  return { inode: ino, ctimeMs, mode, uid, gid, sizeBytes: size, mtimeMs, device: rdev, linkTarget };
}

/** inode(7): the file type in a mode, as its four highest bits. */
const TYPES: ReadonlyMap<number, ObjectType> = new Map([
  [1, 'fifo'],
  [2, 'character-device'],
  [4, 'directory'],
  [6, 'block-device'],
  [8, 'file'],
  [10, 'symlink'],
]);

function objectOfSeen(seen: Seen): TreeObject | undefined {
  const type = TYPES.get((seen.mode >> 12) & 0xf);
  if (type === undefined) return undefined;
  return {
    type,
    mode: type === 'symlink' ? 0o777 : seen.mode & 0o7777,
    uid: seen.uid,
    gid: seen.gid,
    sizeBytes: type === 'file' ? seen.sizeBytes : 0,
    mtimeNs: BigInt(Math.round(seen.mtimeMs * 1000)) * 1000n,
    ctimeNs: BigInt(Math.round(seen.ctimeMs * 1000)) * 1000n,
    inode: BigInt(seen.inode),
    links: 1,
    device: type.endsWith('-device') ? BigInt(seen.device) : 0n,
    storedBytes: type === 'file' ? seen.sizeBytes : 0,
    isSparse: false,
    linkTarget: seen.linkTarget,
    xattrs: NO_XATTRS,
    flags: '',
  };
}
