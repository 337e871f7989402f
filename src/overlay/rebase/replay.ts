// Carries a plan out on a tree that has what the new base has: first everything new is made aside, then what goes is removed,
// then the new takes its place, attributes last. Nothing but the plan decides, so the same plan gives the same tree; nothing
// outside the tree is reached, since every directory above is looked at and no link is followed.

import { type BigIntStats, linkSync, lstatSync, mkdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { fileTimeOf, setTime } from '../../image/exact-time.ts';
import { parentOf, TargetTree, type TreePath } from '../../image/targettree.ts';
import { errnoOf, HoldfastError, messageOf } from '../../system/errors.ts';
import type { Progress } from '../../system/events.ts';
import { requireTools } from '../../system/tools.ts';
import { readXattrs } from './attributes.ts';
import { furnish } from './furnish.ts';
import { saveLosers } from './losers.ts';
import type { Decision, RebasePlan, Wish } from './model.ts';
import { StagedObjects } from './staged-objects.ts';
import { liftFlags, setFlags } from './tree-flags.ts';
import { namedFromRoot, TreeHandles, withHandles } from './tree-handles.ts';
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

const CAPABILITY = 'security.capability';

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
  readonly #target: TreeHandles;
  readonly #staged: StagedObjects;
  /** Directories that something happens in, and the time that they get. */
  readonly #times = new Map<TreePath, bigint>();

  constructor(plan: RebasePlan, options: ReplayOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#target = new TreeHandles(options.target);
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
    const applied = removed.length + directories.length + others.length;
    if (applied === 0) return { applied, writtenBytes: 0 };

    this.#enter('');
    await this.#stage(others);
    const touched = [...removed, ...directories, ...others].flatMap(({ target }) => [...parentsOf(target), target]);
    const there = new Set(touched.filter((path) => this.#lstat(path) !== undefined));
    const flags = await liftFlags(this.#target, there);
    for (const { target, alsoLost } of decisions) if (alsoLost !== undefined) this.#removeTree(target);
    for (const decision of removed.toReversed()) this.#remove(decision);
    for (const task of directories) this.#makeDirectory(task);
    await furnish(this.#target, new Map(directories.map(({ target, wish }) => [target, wish.object])));
    const inPlace = others.filter((task) => !this.#put(task) && task.wish.linkTo === undefined);
    await furnish(this.#target, this.#present(inPlace));
    for (const task of others) if (task.wish.linkTo !== undefined) this.#link(task, task.wish.linkTo);
    this.#staged.end();
    this.#setTimes();
    for (const { target, wish } of [...directories, ...others]) flags.set(target, wish.object.flags);
    for (const path of flags.keys()) if (this.#lstat(path) === undefined) flags.delete(path);
    await setFlags(this.#target, flags);
    return { applied, writtenBytes: this.#staged.writtenBytes };
  }

  /** Nothing that was made aside stays, nothing is held. */
  end(): void {
    this.#staged.end();
    this.#target.close();
  }

  /** Makes everything new, complete with its attributes, where nobody reaches it. */
  async #stage(tasks: readonly Task[]): Promise<void> {
    const { oldView, newBase } = this.#plan.trees;
    const asLeft = new Map(this.#plan.changes.changes.map(({ path, after }) => [path, after]));
    const total = tasks.reduce((sum, { wish }) => sum + wish.object.storedBytes, 0);
    await withHandles(oldView, (view) =>
      withHandles(newBase, async (base) => {
        for (const task of tasks) {
          const { target, wish } = task;
          if (this.#options.signal?.aborted) {
            throw new HoldfastError('HF-INTERRUPTED', 'interrupted while changes were carried');
          }
          if (wish.linkTo !== undefined || this.#isThere(task)) continue;
          const { content } = wish;
          const [source, expected] = content.from === 'view' ? [view, asLeft.get(content.path)] : [base, undefined];
          const made = await this.#staged.make(target, await this.#checked(wish, source), source, expected);
          if (!made) this.#options.warn(`${show(target)} went away while it was carried`);
          const done = this.#staged.writtenBytes;
          this.#options.onProgress?.({ done, total: Math.max(total, done), unit: 'bytes' });
        }
      }),
    );
    const wishes = new Map(tasks.map(({ target, wish }) => [target, wish.object]));
    const objects = [...this.#staged.all].flatMap(([target, staged]) => {
      const object = wishes.get(target);
      return object === undefined ? [] : [[staged, object] as const];
    });
    await furnish(this.#target, new Map(objects));
  }

  /**
   * A capability is asked for again, of the very object that is copied: when it was read first, somebody may have put a link
   * to a program that has one in the way.
   */
  async #checked(wish: ObjectWish, source: TreeHandles): Promise<ObjectWish> {
    const value = wish.object.xattrs.get(CAPABILITY);
    if (value === undefined || wish.content.from === 'merge') return wish;
    const name = namedFromRoot(source, wish.content.path);
    const now = (await readXattrs('/', [name])).get(name)?.get(CAPABILITY);
    if (wish.content.from === 'view' && now?.equals(value) !== true) {
      throw new HoldfastError(
        'HF-STATE',
        `${show(wish.content.path)} has other capabilities than when it was looked at`,
        {
          hint: 'plan again',
        },
      );
    }
    return wish;
  }

  /** Only attributes are new, and no other name of the object must keep the old ones. */
  #isThere({ target, wish }: Task): boolean {
    if (wish.content.from !== 'base' || wish.content.path !== target) return false;
    return this.#lstat(target)?.nlink === 1n;
  }

  #remove({ target }: Decision): void {
    const stats = this.#lstat(target);
    if (stats === undefined) return;
    this.#enter(parentOf(target));
    try {
      if (stats.isDirectory()) this.#removeDirectory(target);
      else unlinkSync(this.#target.at(target));
    } catch (error) {
      if (errnoOf(error) !== 'ENOTEMPTY') throw error;
      this.#options.warn(`${show(target)} stays: something is in it that was not there when this was planned`);
    }
  }

  #removeDirectory(target: TreePath): void {
    rmdirSync(this.#target.at(target));
    this.#target.forget(target);
  }

  #removeTree(target: TreePath): void {
    if (this.#lstat(target) === undefined) return;
    this.#enter(parentOf(target));
    const nobody = { beforeChange: () => {}, implied: () => {}, removed: () => {} };
    const [, parent = '', name = ''] = /^(.*\/)([^/]*)$/s.exec(this.#target.at(target).toString('latin1')) ?? [];
    new TargetTree(parent, nobody).remove(name);
    this.#target.forget(target);
  }

  #makeDirectory({ target, wish }: Task): void {
    const stats = this.#lstat(target);
    if (stats?.isDirectory()) return;
    this.#enter(parentOf(target));
    if (stats !== undefined) unlinkSync(this.#target.at(target));
    mkdirSync(this.#target.at(target), 0o700);
    this.#times.set(target, wish.object.mtimeNs);
  }

  /** @returns false where nothing was made aside: only attributes are new, or it is another name. */
  #put({ target, wish }: Task): boolean {
    // Also when nothing is done there: what was done already must not make a difference.
    this.#enter(parentOf(target));
    const staged = this.#staged.pathOf(target);
    if (wish.linkTo !== undefined || staged === undefined) return false;
    if (this.#lstat(target)?.isDirectory()) this.#removeDirectory(target);
    renameSync(this.#target.at(staged), this.#target.at(target));
    return true;
  }

  /** What went away meanwhile has been said. */
  #present(tasks: readonly Task[]): Map<TreePath, TreeObject> {
    const there = tasks.filter(({ target, wish }) => wish.content.from === 'base' && this.#lstat(target) !== undefined);
    return new Map(there.map(({ target, wish }) => [target, wish.object]));
  }

  #link({ target }: Task, to: TreePath): void {
    const [there, wanted] = [this.#lstat(target), this.#lstat(to)];
    if (wanted === undefined) {
      this.#options.warn(`${show(target)} went away while it was carried`);
      return;
    }
    if (there?.ino === wanted.ino) return;
    if (there?.isDirectory()) this.#removeDirectory(target);
    else if (there !== undefined) unlinkSync(this.#target.at(target));
    linkSync(this.#target.at(to), this.#target.at(target));
  }

  /** A directory that something is about to happen in. */
  #enter(directory: TreePath): void {
    if (this.#times.has(directory)) return;
    const own = this.#lstat(directory);
    if (!own?.isDirectory()) {
      throw new HoldfastError(
        'HF-STATE',
        `${show(directory)} is no directory in the tree that changes are carried to`,
        {
          hint: 'plan again: the tree is not the one that this was planned for',
        },
      );
    }
    // What looks at a directory's time to know whether something in it is new must see that.
    const view = look(prefixOf(this.#plan.trees.oldView), directory);
    this.#times.set(directory, view?.isDirectory() && view.mtimeNs > own.mtimeNs ? view.mtimeNs : own.mtimeNs);
  }

  #setTimes(): void {
    for (const [target, time] of [...this.#times].toReversed()) {
      if (this.#lstat(target)?.isDirectory()) setTime(this.#target.at(target), fileTimeOf(time));
    }
  }

  /** Nothing where a directory above is none: nothing is behind a link. */
  #lstat(path: TreePath): BigIntStats | undefined {
    try {
      return lstatSync(this.#target.at(path), { bigint: true, throwIfNoEntry: false });
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
      throw error;
    }
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
