// What carrying an overlay asks of the parts that find changes, decide, merge and install: one place that joins the
// lifecycle with src/overlay, so that an upgrade's order can be tested without them.

import type { ApplyContext } from '../system/plan.ts';
import type { Root } from '../system/root.ts';

/** Directories, all of them read-only. */
export interface CarryTrees {
  oldBase: string;
  oldView: string;
  newBase: string;
}

/** One conflict that a rule decided. */
export interface CarryConflict {
  path: string;
  kind: string;
  /** Who won. */
  winner: 'yours' | 'new base' | 'merged';
}

/** What will happen to each path and package; decided, and nothing written. */
export interface CarryPlan {
  /** What the new view needs at most beyond its base. */
  neededBytes: number;
  neededEntries: number;
  conflicts: readonly CarryConflict[];
  /** Packages that neither an archived file nor a repository gives. */
  unresolved: readonly string[];
  /** For the person, without the head. */
  report: readonly string[];
  /** For programs: every path with its action and reason. */
  json: unknown;
}

export interface CarryOutcome {
  conflicts: readonly CarryConflict[];
  packages: readonly string[];
}

type Work = Pick<ApplyContext, 'signal' | 'progress' | 'warn' | 'undo' | 'events'>;

export interface CarryEngine {
  /** Compares the trees and decides. */
  plan(trees: CarryTrees, work: Work): Promise<CarryPlan>;
  /**
   * Carries a plan out in a tree that is a clone of the new base.
   * @param target.furnish makes it fit for running programs, and returns what undoes that.
   */
  carry(
    plan: CarryPlan,
    target: { root: Root; furnish: () => Promise<() => Promise<void>>; losers: string },
    work: Work,
  ): Promise<CarryOutcome>;
  /** Notes what the old view was like when it was planned, for {@link changedSince}. */
  writeIndex(plan: CarryPlan, file: string): void;
  /** Paths that have changed since and that would be carried. */
  changedSince(indexFile: string, oldView: string, work: Work): Promise<readonly string[]>;
}
