// All that has to be known to decide: each change beside what the new base has at that path, merged texts and accounts, and
// what is below directories that go. Everything is read here, so that deciding is a pure function.

import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { bytesOf, parentOf, type TreePath } from '../../image/targettree.ts';
import { REMOVED } from '../../system/written-files.ts';
import { MAX_MERGE_BYTES, mergeText } from '../merge/text.ts';
import { type MergedAccounts, mergeAccounts, RECORD_PATHS } from './account-records.ts';
import { classOf, isCarried, type PathClass } from './classes.ts';
import { contentOf } from './content.ts';
import type { Change, Changes, RebaseTrees } from './model.ts';
import { NewBase } from './new-base.ts';
import { addDigests, readObjects } from './read-object.ts';
import { withHandles } from './tree-handles.ts';
import type { TreeObject } from './tree-object.ts';
import { joinPath, parentsOf } from './tree-order.ts';
import { prefixOf } from './walk.ts';

export interface Fact {
  change: Change;
  class: PathClass;
  target: TreePath;
  base: TreeObject | undefined;
  /** Both sides' changes of a text. */
  merged?: Uint8Array;
  /** Of a renamed object whose old name is still in the new base: that name's object there. */
  originInBase?: { target: TreePath; object: TreeObject };
  /** Of a name that is gone since its object was renamed: the new name gets what the new base made of the old one. */
  isFollowed?: true;
  /** Why it is left behind, whatever it is. */
  left?: 'packages' | 'stage-log';
}

export interface Facts {
  facts: readonly Fact[];
  /** Objects of the new base and of the view that may have to be decided about, by their path in the new base. */
  baseObjects: ReadonlyMap<TreePath, TreeObject>;
  /** Directories of the view above changes, by their path in the new base. */
  viewDirectories: ReadonlyMap<TreePath, { path: TreePath; object: TreeObject }>;
  /** Names in directories of the new base that the view hasn't got. */
  children: ReadonlyMap<TreePath, readonly TreePath[]>;
  /** Where names are that share an object with a change and were not changed themselves. */
  unchangedNames: ReadonlyMap<TreePath, TreePath>;
  accounts: MergedAccounts;
}

export interface FactOptions {
  /** Paths that the package manager takes care of. */
  packaged?: { has(path: TreePath): boolean } | undefined;
  /** What stages wrote: sha256 of a file's content, or of a link's target, as hexadecimal digits; or `removed`. */
  stageWrites?: ReadonlyMap<TreePath, string> | undefined;
  signal?: AbortSignal | undefined;
}

/** @throws HoldfastError HF-IO, HF-INTERRUPTED, HF-TOOL-MISSING. */
export async function gatherFacts(trees: RebaseTrees, changes: Changes, options: FactOptions): Promise<Facts> {
  const gatherer = new Gatherer(trees, changes, options);
  return gatherer.gather();
}

class Gatherer {
  readonly #trees: RebaseTrees;
  readonly #changes: Changes;
  readonly #options: FactOptions;
  readonly #newBase: NewBase;
  readonly #base = new Map<TreePath, TreeObject>();
  /** Directories of the view whose place in the new base is behind an obstacle. */
  readonly #behind = new Map<TreePath, TreePath>();

  constructor(trees: RebaseTrees, changes: Changes, options: FactOptions) {
    this.#trees = trees;
    this.#changes = changes;
    this.#options = options;
    this.#newBase = new NewBase(trees.newBase, new Set(changes.changes.map(({ path }) => path)));
  }

  async gather(): Promise<Facts> {
    const { changes } = this.#changes;
    const places = changes.map(({ path }) => this.#newBase.locate(path));
    const targets = places.map(({ target }) => target);
    // What is behind something that is no directory is not there, even if that is a link which leads to something.
    const isReachable = (index: number) => places[index]?.obstacle === undefined;
    const reachable = targets.filter((_, index) => isReachable(index));
    const children = this.#listRemoved(new Set(reachable));
    const unchangedNames = this.#locateUnchanged();
    const above = this.#locateAbove();
    await this.#readBase([
      ...targets.filter((_, index) => isReachable(index) && isCarried(changes[index]?.path ?? '')),
      ...[...children.values()].flat(),
      ...unchangedNames.values(),
      ...[...above.keys()].flatMap((target) => [...parentsOf(target), target]),
      ...RECORD_PATHS,
    ]);
    const facts: Fact[] = [];
    for (const [index, change] of changes.entries()) facts.push(await this.#factOf(change, targets[index] ?? ''));
    const followed = new Set(facts.flatMap((fact) => (fact.originInBase ? [fact.change.origin?.path] : [])));
    for (const fact of facts) if (followed.has(fact.change.path)) fact.isFollowed = true;
    const directories = await readObjects(this.#trees.oldView, new Set([...above.values(), ...this.#behind.values()]));
    const viewDirectories = new Map<TreePath, { path: TreePath; object: TreeObject }>();
    for (const [target, path] of [...above, ...this.#behind]) {
      const object = directories.get(path);
      if (object?.type === 'directory') viewDirectories.set(target, { path, object });
    }
    const accounts = await mergeAccounts(this.#trees);
    return { facts, baseObjects: this.#base, viewDirectories, children, unchangedNames, accounts };
  }

  async #readBase(paths: readonly TreePath[]): Promise<void> {
    for (const [path, object] of await readObjects(this.#trees.newBase, new Set(paths))) this.#base.set(path, object);
  }

  async #factOf(change: Change, target: TreePath): Promise<Fact> {
    const { path, before, after } = change;
    const { packaged, stageWrites, signal } = this.#options;
    const isLooked = isCarried(path) || this.#newBase.locate(path).obstacle !== undefined;
    const base = this.#base.get(target) ?? (isLooked ? undefined : this.#newBase.look(target));
    const fact: Fact = { change, class: classOf(path), target, base };
    if (!isCarried(path)) return fact;
    if (packaged?.has(path)) return { ...fact, left: 'packages' };
    const write = stageWrites?.get(path);
    // Account files are many hands' work, record by record.
    const isOne = write !== undefined && !RECORD_PATHS.includes(path);
    if (isOne && after === undefined && write === REMOVED) return { ...fact, left: 'stage-log' };
    if (isOne && after !== undefined && (await this.#isAsWritten(path, after, write))) {
      return { ...fact, left: 'stage-log' };
    }
    const originInBase = this.#originOf(change, base);
    if (originInBase !== undefined) fact.originInBase = originInBase;
    const there = base ?? originInBase?.object;
    if (there?.type !== 'file') return fact;
    // Three sides are compared, so each must have its digest.
    if (before !== undefined) await addDigests(this.#trees.oldBase, [[path, before]], signal);
    if (after !== undefined) await addDigests(this.#trees.oldView, [[path, after]], signal);
    await addDigests(this.#trees.newBase, [[originInBase?.target ?? target, there]], signal);
    const merged = await this.#mergeText(fact, there);
    return merged === undefined ? fact : { ...fact, merged };
  }

  async #isAsWritten(path: TreePath, after: TreeObject, sha256: string): Promise<boolean> {
    if (after.type === 'symlink') {
      return createHash('sha256').update(after.linkTarget, 'latin1').digest('hex') === sha256;
    }
    if (after.type !== 'file') return false;
    await addDigests(this.#trees.oldView, [[path, after]], this.#options.signal);
    return after.digest === `sha256:${sha256}`;
  }

  #originOf({ origin }: Change, base: TreeObject | undefined): Fact['originInBase'] {
    if (origin === undefined || base !== undefined) return undefined;
    const { target, obstacle } = this.#newBase.locate(origin.path);
    const object = obstacle === undefined ? this.#base.get(target) : undefined;
    return object?.type === origin.object.type ? { target, object } : undefined;
  }

  /** What both sides changed in a text of /etc. */
  async #mergeText({ change, target }: Fact, base: TreeObject): Promise<Uint8Array | undefined> {
    const { path, before, after, origin } = change;
    if (!path.startsWith('etc/') || RECORD_PATHS.includes(path)) return undefined;
    if (origin !== undefined || before?.type !== 'file' || after?.type !== 'file') return undefined;
    if (before.digest === after.digest || before.digest === base.digest || after.digest === base.digest)
      return undefined;
    const { oldBase, oldView, newBase } = this.#trees;
    const textOf = (directory: string, at: TreePath) =>
      withHandles(directory, (tree) => contentOf(tree, at, MAX_MERGE_BYTES));
    const [was, ours, theirs] = [
      await textOf(oldBase, path),
      await textOf(oldView, path),
      await textOf(newBase, target),
    ];
    if (was === undefined || ours === undefined || theirs === undefined) return undefined;
    const result = mergeText(was, ours, theirs);
    return result.outcome === 'merged' ? result.content : undefined;
  }

  /** Everything below directories of the new base that the view hasn't got. */
  #listRemoved(reachable: ReadonlySet<TreePath>): Map<TreePath, TreePath[]> {
    const prefix = prefixOf(this.#trees.newBase);
    const children = new Map<TreePath, TreePath[]>();
    const pending: TreePath[] = [];
    for (const { path, after } of this.#changes.changes) {
      const { target } = this.#newBase.locate(path);
      if (!reachable.has(target) || !isCarried(path) || after?.type === 'directory') continue;
      if (this.#newBase.look(target)?.type === 'directory') pending.push(target);
    }
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      if (children.has(directory)) continue;
      const names = readdirSync(bytesOf(prefix + directory), { encoding: 'latin1' });
      const parent = directory;
      const paths = names.map((name) => joinPath(parent, name)).sort();
      children.set(directory, paths);
      for (const path of paths) if (this.#newBase.look(path)?.type === 'directory') pending.push(path);
    }
    return children;
  }

  #locateUnchanged(): Map<TreePath, TreePath> {
    const changed = new Set(this.#changes.changes.map(({ path }) => path));
    const names = this.#changes.linked.flat().filter((path) => !changed.has(path));
    const places = names.map((path) => [path, this.#newBase.locate(path)] as const);
    return new Map(places.flatMap(([path, { target, obstacle }]) => (obstacle === undefined ? [[path, target]] : [])));
  }

  /** Directories above what the view has, by where they are in the new base. */
  #locateAbove(): Map<TreePath, TreePath> {
    const above = new Map<TreePath, TreePath>();
    const known = new Set<TreePath>();
    for (const { path, after } of this.#changes.changes) {
      if (after === undefined || !isCarried(path) || known.has(parentOf(path))) continue;
      for (const parent of parentsOf(path)) {
        known.add(parent);
        const { target, obstacle } = this.#newBase.locate(parent);
        if (obstacle === undefined) above.set(target, parent);
        else this.#behind.set(target, parent);
      }
    }
    return above;
  }
}
