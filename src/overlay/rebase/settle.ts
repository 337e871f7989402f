// Fits decisions together, since each was made alone: a directory can't go while something of the new base stays in it, and
// nothing can lie below what is no directory. Where that can't be had, it is a conflict like any other. Pure.

import type { TreePath } from '../../image/targettree.ts';
import { classOf, isCarried } from './classes.ts';
import { applyWish, type Policy, winnerAt } from './decide.ts';
import type { Facts } from './facts.ts';
import type { Decision, ImpliedDirectory, Wish } from './model.ts';
import { withOwners } from './owners.ts';
import { ruleFor } from './rules.ts';
import type { TreeObject } from './tree-object.ts';
import { comparePaths, parentsOf } from './tree-order.ts';

export interface Settled {
  /** In the order of paths. */
  decisions: Decision[];
  implied: ImpliedDirectory[];
}

/** @param decisions one for each change, in the order of paths. They are changed in place. */
export function settle(decisions: readonly Decision[], facts: Facts, policy: Policy): Settled {
  const settler = new Settler(facts, policy);
  return settler.settle(decisions);
}

const STAY: Wish = { want: 'base' };

class Settler {
  readonly #facts: Facts;
  readonly #policy: Policy;
  readonly #byTarget = new Map<TreePath, Decision>();
  readonly #implied = new Map<TreePath, ImpliedDirectory>();
  readonly #extra: Decision[] = [];

  constructor(facts: Facts, policy: Policy) {
    this.#facts = facts;
    this.#policy = policy;
  }

  settle(decisions: readonly Decision[]): Settled {
    for (const decision of decisions) this.#place(decision);
    for (const decision of decisions.toReversed()) this.#clear(decision);
    for (const decision of decisions) this.#support(decision);
    // What stays after all may be in a directory that was to go.
    for (const decision of decisions.toReversed()) this.#clear(decision);
    const all = [...decisions, ...this.#extra].sort((one, other) => comparePaths(one.path, other.path));
    return { decisions: all, implied: [...this.#implied.values()] };
  }

  /** Two names of the old view may be one in the new base, when a directory became a link to another one. */
  #place(decision: Decision): void {
    const there = this.#byTarget.get(decision.target);
    if (there === undefined) {
      this.#byTarget.set(decision.target, decision);
      return;
    }
    const [direct, other] = decision.path === decision.target ? [decision, there] : [there, decision];
    this.#byTarget.set(decision.target, direct);
    if (other.wish.want !== 'object') {
      other.wish = STAY;
      return;
    }
    this.#lose(other, 'the new image has one name for two that you changed');
  }

  /** A directory of the new base that shall go, or become something else. */
  #clear(decision: Decision): void {
    const { target, wish, base, view } = decision;
    if (base?.type !== 'directory' || this.#byTarget.get(target) !== decision) return;
    const isGone = wish.want === 'absent';
    if (!isGone && !(wish.want === 'object' && wish.object.type !== 'directory')) return;
    const staying = this.#staying(target);
    if (staying.length === 0) return;
    if (isGone) {
      // What nobody has seen yet goes only when somebody says so, whatever the class is.
      const rule = ruleFor(this.#policy.rules, decision.path, 'winner');
      const isTaken = rule?.winner === 'user';
      decision.outcome = 'conflict';
      decision.conflict = { kind: 'delete/grow', winner: isTaken ? 'user' : 'new' };
      decision.reason = 'you deleted it, and the new image has files in it that you never saw';
      decision.rule = isTaken ? rule.name : 'table';
      decision.wish = isTaken ? decision.wish : STAY;
      if (isTaken) decision.alsoLost = staying.filter(({ path }) => !this.#takeAway(path));
      return;
    }
    const { winner, rule } = winnerAt(decision.path, decision.class, this.#policy);
    decision.outcome = 'conflict';
    decision.conflict = { kind: 'type', winner };
    decision.reason = 'you put something else in the place of a directory, and the new image has files in it';
    decision.rule = rule;
    decision.wish = winner === 'user' ? applyWish(decision.path, view) : STAY;
    if (winner === 'user') decision.alsoLost = staying.filter(({ path }) => !this.#takeAway(path));
  }

  /** Something that was decided to stay below what a file replaces; false when nobody decided about it. */
  #takeAway(target: TreePath): boolean {
    const decision = this.#byTarget.get(target);
    if (decision === undefined) return false;
    decision.outcome = 'conflict';
    decision.conflict = { kind: decision.conflict?.kind ?? 'type', winner: 'user' };
    decision.wish = { want: 'absent' };
    return true;
  }

  /** What would still be below a directory: of the new base, or decided to be. */
  #staying(directory: TreePath): { path: TreePath; object: TreeObject }[] {
    const staying: { path: TreePath; object: TreeObject }[] = [];
    for (const path of this.#facts.children.get(directory) ?? []) {
      const object = this.#facts.baseObjects.get(path);
      const decision = this.#byTarget.get(path);
      if (object === undefined || decision?.wish.want === 'absent') continue;
      // What is made again anyway goes with the directory that it was made in; a package's files, with the package.
      const goesToo = decision !== undefined && decision.view === undefined && isLeftBehind(decision);
      if (goesToo) {
        if (decision.outcome === 'skipped') decision.wish = { want: 'absent' };
        continue;
      }
      staying.push({ path, object }, ...this.#staying(path));
    }
    return staying;
  }

  /** An object that shall be there needs directories above it. */
  #support(decision: Decision): void {
    if (decision.wish.want !== 'object' || this.#byTarget.get(decision.target) !== decision) return;
    for (const parent of parentsOf(decision.target)) {
      if (this.#isDirectory(parent)) continue;
      this.#lose(decision, `/${parent} is no directory in the new image`);
      return;
    }
  }

  #isDirectory(target: TreePath): boolean {
    if (this.#implied.has(target)) return true;
    const decision = this.#byTarget.get(target);
    const base = this.#facts.baseObjects.get(target);
    const view = this.#facts.viewDirectories.get(target);
    if (decision !== undefined) {
      const { wish } = decision;
      if (wish.want === 'object') return wish.object.type === 'directory';
      if (wish.want === 'base' && base !== undefined) return base.type === 'directory';
      // It went with the new base, or its package will bring it; what is in it stays, and so does it.
      if (decision.view?.type !== 'directory') return false;
      decision.wish = applyWish(decision.path, decision.view);
      if (decision.conflict !== undefined) decision.conflict = { ...decision.conflict, winner: 'user' };
      return true;
    }
    if (base?.type === 'directory') return true;
    if (view === undefined) return false;
    const object = withOwners(view.object, this.#facts.accounts.owners);
    if (base === undefined) {
      this.#implied.set(target, { target, object });
      return true;
    }
    return this.#decideObstacle(target, view.path, object, base);
  }

  /** The new base has something else where the user has files in a directory. */
  #decideObstacle(target: TreePath, path: TreePath, view: TreeObject, base: TreeObject): boolean {
    const name = classOf(path);
    const { winner, rule } = winnerAt(path, name, this.#policy);
    const decision: Decision = {
      path,
      target,
      class: name,
      outcome: 'conflict',
      reason: 'you have files in this directory, and in the new image it is none',
      rule,
      wish: winner === 'user' ? applyWish(path, view) : STAY,
      conflict: { kind: 'type', winner },
      before: view,
      view,
      base,
    };
    this.#byTarget.set(target, decision);
    this.#extra.push(decision);
    return winner === 'user';
  }

  #lose(decision: Decision, reason: string): void {
    decision.outcome = 'conflict';
    decision.conflict = { kind: 'type', winner: 'new' };
    decision.reason = reason;
    decision.rule = 'table';
    decision.wish = STAY;
    delete decision.alsoLost;
    if (decision.origin === undefined) return;
    // What the new base made of the old name would have been under this one: it stays where it was.
    for (const old of this.#byTarget.values()) {
      if (old.path !== decision.origin || old.wish.want !== 'absent') continue;
      old.outcome = 'conflict';
      old.conflict = { kind: 'delete/modify', winner: 'new' };
      old.wish = STAY;
    }
  }
}

function isLeftBehind({ path, outcome }: Decision): boolean {
  return outcome === 'package' || (outcome === 'skipped' && !isCarried(path));
}
