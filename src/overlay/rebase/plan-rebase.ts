// Plans how a view's changes come onto a new base: finds them, looks at what the new base has there, decides. Nothing is
// written. The same trees and rules give the same plan.

import type { Progress } from '../../system/events.ts';
import { findChanges } from './changes.ts';
import { REGENERATORS } from './classes.ts';
import { decide, type Policy } from './decide.ts';
import { type FactOptions, gatherFacts } from './facts.ts';
import { linkNames } from './link-names.ts';
import { lostRuntimes } from './lost-runtimes.ts';
import type { Changes, Decision, RebasePlan, RebaseTrees } from './model.ts';
import type { Rule } from './rules.ts';
import { settle } from './settle.ts';
import { comparePaths } from './tree-order.ts';
import { decideUnchangedRecords } from './unchanged-records.ts';

export interface PlanRebaseOptions extends FactOptions {
  /** What {@link findChanges} said about these trees already. */
  changes?: Changes | undefined;
  /** First match wins, before the table of classes. */
  rules?: readonly Rule[];
  /** The new base is a view that was used already: what is this machine's identity and what was logged stay as it has them. */
  ontoView?: boolean | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/**
 * @param trees mounted directories. The new base may be the tree that packages were installed into, and then the one that
 *   the plan is carried out on.
 * @throws HoldfastError HF-IO, HF-INTERRUPTED, HF-TOOL-MISSING.
 */
export async function planRebase(trees: RebaseTrees, options: PlanRebaseOptions = {}): Promise<RebasePlan> {
  const policy: Policy = { rules: options.rules ?? [], ontoView: options.ontoView };
  const changes = options.changes ?? (await findChanges(trees, options));
  const facts = await gatherFacts(trees, changes, options);
  const decided = facts.facts.map((fact) => decide(fact, facts, policy));
  decided.push(...decideUnchangedRecords(decided, facts));
  decided.sort((one, other) => comparePaths(one.path, other.path));
  const { decisions, implied } = settle(decided, facts, policy);
  linkNames(decisions, changes, facts);
  return {
    trees,
    changes,
    decisions,
    implied,
    accountConflicts: facts.accounts.conflicts,
    owners: facts.accounts.owners,
    regenerate: regeneratorsFor(decisions),
    warnings: [...changes.warnings, ...lostRuntimes(decisions, trees)],
  };
}

function regeneratorsFor(decisions: readonly Decision[]): RebasePlan['regenerate'] {
  const changed = new Set(decisions.filter(({ view }) => view !== undefined).map(({ path }) => path));
  return REGENERATORS.filter(({ path }) => changed.has(path)).map(({ argv }) => argv);
}
