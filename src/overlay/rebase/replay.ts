// Carries a plan out on a tree that has what the new base has: first everything new is made aside, then what goes is removed,
// then the new takes its place, attributes last. Nothing but the plan decides, so the same plan gives the same tree; nothing
// outside the tree is reached, since every directory above is looked at and no link is followed.

import { chmodSync, lchownSync, linkSync, mkdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { fileTimeOf, setTime } from '../../image/exact-time.ts';
import { bytesOf, parentOf, TargetTree, type TreePath } from '../../image/targettree.ts';
import { setXattrs } from '../../image/xattrs.ts';
import { errnoOf, HoldfastError, messageOf } from '../../system/errors.ts';
import type { Progress } from '../../system/events.ts';
import { requireTools } from '../../system/tools.ts';
import { changeFlags, readAttributes, removeXattr } from './attributes.ts';
import { saveLosers } from './losers.ts';
import type { Decision, RebasePlan, Wish } from './model.ts';
import { StagedObjects } from './staged-objects.ts';
import type { TreeObject } from './tree-object.ts';
import { comparePaths, parentsOf } from './tree-order.ts';
import { look, prefixOf, show } from './walk.ts';

export interface ReplayOptions {
  /** A writable tree with what the plan calls the new base; nobody else writes to it meanwhile. */
  target: string;
  /** Where what lost in conflicts is kept, before anything is written to the tree: see losers.ts. */
  losers?: string | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  warn: (text: string) => void;
}

export interface ReplayResult {
  /** Paths of the new view that are not as the new base has them. */
  applied: number;
  /** Of content. */
  writtenBytes: number;
}

type ObjectWish = Extract<Wish, { want: 'object' }>;

/** What a path of the target shall become. */
interface Task {
  target: TreePath;
  wish: ObjectWish;
}

/**
 * Makes the tree what the plan says. After an error it is neither the new base nor the new view. Needs root.
 * @throws HoldfastError HF-STATE when the tree isn't what was planned with, HF-NO-SPACE, HF-IO, HF-INTERRUPTED.
 */
export async function replay(plan: RebasePlan, options: ReplayOptions): Promise<ReplayResult> {
  requireTools(['getfattr', 'setfattr', 'lsattr', 'chattr', 'xargs']);
  const replayer = new Replayer(plan, options);
  try {
    return await replayer.run();
  } catch (error) {
    throw explained(error);
  } finally {
    replayer.end();
  }
}

class Replayer {
  readonly #plan: RebasePlan;
  readonly #options: ReplayOptions;
  readonly #prefix: string;
  readonly #tree: TargetTree;
  readonly #staged: StagedObjects;
  readonly #real = new Set<TreePath>(['']);
  /** Directories that something happens in, and the time that they had. */
  readonly #times = new Map<TreePath, bigint>();

  constructor(plan: RebasePlan, options: ReplayOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#prefix = prefixOf(options.target);
    const nobody = { beforeChange: () => {}, implied: () => {}, removed: () => {} };
    this.#tree = new TargetTree(options.target, nobody);
    this.#staged = new StagedObjects(options);
  }

  async run(): Promise<ReplayResult> {
    const { decisions, implied } = this.#plan;
    if (this.#options.losers !== undefined) await saveLosers(this.#plan, this.#options.losers, this.#options);
    const removed = decisions.filter(({ wish }) => wish.want === 'absent');
    const tasks = decisions.flatMap(({ target, wish }): Task[] => (wish.want === 'object' ? [{ target, wish }] : []));
    const directories = tasks.filter(({ wish }) => wish.object.type === 'directory');
    for (const { target, object } of implied) {
      directories.push({ target, wish: { want: 'object', object, content: { from: 'view', path: target } } });
    }
    directories.sort((one, other) => comparePaths(one.target, other.target));
    const others = tasks.filter(({ wish }) => wish.object.type !== 'directory');
    if (removed.length + directories.length + others.length === 0) return { applied: 0, writtenBytes: 0 };

    await this.#liftFlags(decisions);
    this.#enter('');
    await this.#stage(others);
    for (const { target, alsoLost } of decisions) {
      if (alsoLost === undefined) continue;
      this.#enter(parentOf(target));
      this.#tree.remove(target);
    }
    for (const decision of removed.toReversed()) this.#remove(decision);
    for (const task of directories) this.#makeDirectory(task);
    const placed: Task[] = [];
    for (const task of others) if (this.#put(task)) placed.push(task);
    for (const task of others) if (task.wish.linkTo !== undefined) this.#link(task, task.wish.linkTo);
    this.end();
    await this.#furnish([...placed, ...directories]);
    return { applied: removed.length + directories.length + others.length, writtenBytes: this.#staged.writtenBytes };
  }

  /** Nothing that was made aside stays. */
  end(): void {
    this.#staged.end();
  }

  /** What is immutable can't be replaced, nor anything in it. */
  async #liftFlags(decisions: readonly Decision[]): Promise<void> {
    const flagged = decisions.filter(
      ({ wish, base }) => wish.want !== 'base' && base !== undefined && base.flags !== '',
    );
    await changeFlags(
      this.#options.target,
      '-ia',
      flagged.map(({ target }) => target),
    );
  }

  async #stage(tasks: readonly Task[]): Promise<void> {
    const total = tasks.reduce((sum, { wish }) => sum + wish.object.storedBytes, 0);
    for (const task of tasks) {
      const { target, wish } = task;
      if (this.#options.signal?.aborted)
        throw new HoldfastError('HF-INTERRUPTED', 'interrupted while changes were carried');
      if (wish.linkTo !== undefined || this.#isThere(task)) continue;
      const source = wish.content.from === 'view' ? this.#plan.trees.oldView : this.#plan.trees.newBase;
      const made = await this.#staged.make(target, wish, source);
      if (!made) this.#options.warn(`${show(target)} went away while it was carried`);
      this.#options.onProgress?.({
        done: this.#staged.writtenBytes,
        total: Math.max(total, this.#staged.writtenBytes),
        unit: 'bytes',
      });
    }
  }

  /** Only attributes are new, and no other name of the object must keep the old ones. */
  #isThere({ target, wish }: Task): boolean {
    if (wish.content.from !== 'base' || wish.content.path !== target) return false;
    return this.#lstat(target)?.nlink === 1n;
  }

  #remove({ target }: Decision): void {
    if (!this.#isDirectory(parentOf(target))) return;
    const stats = this.#lstat(target);
    if (stats === undefined) return;
    this.#enter(parentOf(target));
    try {
      if (stats.isDirectory()) rmdirSync(this.#at(target));
      else unlinkSync(this.#at(target));
    } catch (error) {
      if (errnoOf(error) !== 'ENOTEMPTY') throw error;
      this.#options.warn(`${show(target)} stays: something is in it that was not there when this was planned`);
    }
  }

  #makeDirectory({ target, wish }: Task): void {
    const stats = this.#lstat(target);
    if (stats?.isDirectory()) return;
    this.#enter(parentOf(target));
    if (stats !== undefined) unlinkSync(this.#at(target));
    mkdirSync(this.#at(target), 0o700);
    this.#times.set(target, wish.object.mtimeNs);
    this.#real.add(target);
  }

  /** @returns false for what has nothing to be given: another name, or what went away. */
  #put({ target, wish }: Task): boolean {
    if (wish.linkTo !== undefined) return false;
    const staged = this.#staged.pathOf(target);
    if (staged === undefined) return this.#lstat(target) !== undefined && wish.content.from === 'base';
    this.#enter(parentOf(target));
    if (this.#lstat(target)?.isDirectory()) rmdirSync(this.#at(target));
    renameSync(this.#at(staged), this.#at(target));
    return true;
  }

  #link({ target }: Task, to: TreePath): void {
    this.#enter(parentOf(to));
    this.#enter(parentOf(target));
    const [there, wanted] = [this.#lstat(target), this.#lstat(to)];
    if (wanted === undefined) {
      this.#options.warn(`${show(target)} went away while it was carried`);
      return;
    }
    if (there?.ino === wanted.ino) return;
    if (there?.isDirectory()) rmdirSync(this.#at(target));
    else if (there !== undefined) unlinkSync(this.#at(target));
    linkSync(this.#at(to), this.#at(target));
  }

  /** Owners, modes, attributes, times, flags: in this order, since each takes something of the later ones away. */
  async #furnish(tasks: readonly Task[]): Promise<void> {
    const { target: directory } = this.#options;
    const wanted = new Map(tasks.map(({ target, wish }) => [target, wish.object]));
    await this.#removeStaleXattrs(wanted);
    for (const [target, object] of wanted) {
      lchownSync(this.#at(target), object.uid, object.gid);
      // A link has no mode, and chmod would follow it.
      if (object.type !== 'symlink') chmodSync(this.#at(target), object.mode);
    }
    await setXattrs(
      directory,
      new Map([...wanted].flatMap(([target, { xattrs }]) => (xattrs.size === 0 ? [] : [[target, xattrs] as const]))),
    );
    for (const [target, object] of wanted) {
      if (object.type !== 'directory') setTime(this.#at(target), fileTimeOf(object.mtimeNs));
    }
    for (const [target, time] of [...this.#times].toReversed()) {
      if (this.#lstat(target)?.isDirectory()) setTime(this.#at(target), fileTimeOf(time));
    }
    for (const flags of ['i', 'a']) {
      const paths = [...wanted].filter(([, object]) => object.flags.includes(flags)).map(([target]) => target);
      await changeFlags(directory, `+${flags}`, paths);
    }
  }

  /** What it has and shall not have: inherited from a directory's default list, or taken away by the user. */
  async #removeStaleXattrs(wanted: ReadonlyMap<TreePath, TreeObject>): Promise<void> {
    const stale = new Map<string, TreePath[]>();
    for (const [target, { xattrs }] of await readAttributes(this.#options.target, [...wanted.keys()])) {
      for (const name of xattrs.keys()) {
        if (wanted.get(target)?.xattrs.has(name)) continue;
        const paths = stale.get(name);
        if (paths === undefined) stale.set(name, [target]);
        else paths.push(target);
      }
    }
    for (const [name, paths] of stale) await removeXattr(this.#options.target, name, paths);
  }

  /** A directory that something is about to happen in. */
  #enter(directory: TreePath): void {
    if (!this.#isDirectory(directory)) {
      throw new HoldfastError(
        'HF-STATE',
        `${show(directory)} is no directory in the tree that changes are carried to`,
        {
          hint: 'plan again: the tree is not the one that this was planned for',
        },
      );
    }
    if (this.#times.has(directory)) return;
    // What looks at a directory's time to know whether something in it is new must see that.
    const own = this.#lstat(directory)?.mtimeNs ?? 0n;
    const view = look(prefixOf(this.#plan.trees.oldView), directory);
    this.#times.set(directory, view?.isDirectory() && view.mtimeNs > own ? view.mtimeNs : own);
  }

  /** With all directories above it: no link is on the way. */
  #isDirectory(directory: TreePath): boolean {
    for (const path of [...parentsOf(directory), directory]) {
      if (this.#real.has(path)) continue;
      if (!this.#lstat(path)?.isDirectory()) return false;
      this.#real.add(path);
    }
    return true;
  }

  #lstat(path: TreePath) {
    return look(this.#prefix, path);
  }

  #at(path: TreePath): string | Buffer {
    return bytesOf(this.#prefix + path);
  }
}

function explained(error: unknown): unknown {
  const errno = errnoOf(error);
  if (error instanceof HoldfastError || errno === undefined) return error;
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new HoldfastError('HF-NO-SPACE', 'no space is left in the new view', { cause: error });
  }
  return new HoldfastError('HF-IO', `changes could not be carried: ${messageOf(error)}`, { cause: error });
}
