// Hard links: names of one object in the view become names of one object in the new view. Which of them brings the object is
// decided here; the others are made links to it. Pure.

import type { TreePath } from '../../image/targettree.ts';
import type { Facts } from './facts.ts';
import type { Changes, Decision } from './model.ts';

/** Changes wishes in place. */
export function linkNames(decisions: readonly Decision[], changes: Changes, facts: Facts): void {
  const byPath = new Map(decisions.map((decision) => [decision.path, decision]));
  for (const names of changes.linked) {
    const first = firstNameOf(names, byPath, facts);
    if (first === undefined) continue;
    for (const name of names) {
      const decision = byPath.get(name);
      if (decision === undefined || decision.target === first || decision.wish.want !== 'object') continue;
      if (decision.wish.object.type === 'directory') continue;
      decision.wish = { ...decision.wish, linkTo: first };
    }
  }
}

/**
 * The name, in the new base, that the others are linked to: one that was not changed, so that a new name follows what the
 * new base made of the old one; else the first that the new view has as the user left it.
 */
function firstNameOf(
  names: readonly TreePath[],
  byPath: ReadonlyMap<TreePath, Decision>,
  facts: Facts,
): TreePath | undefined {
  const decisions = names.flatMap((name) => byPath.get(name) ?? []);
  // One object: all of its names have its type in the view, but not always in the new base.
  const type = decisions.find(({ view }) => view !== undefined)?.view?.type;
  for (const name of names) {
    const target = facts.unchangedNames.get(name);
    const there = target === undefined ? undefined : facts.baseObjects.get(target);
    if (there !== undefined && there.type === type) return target;
  }
  const isOfView = ({ wish, outcome, base }: Decision) =>
    wish.want === 'object' || (wish.want === 'base' && outcome === 'converged' && base?.type === type);
  const old = decisions.find((decision) => decision.before !== undefined && !isJoined(decision) && isOfView(decision));
  return (old ?? decisions.find(isOfView))?.target;
}

/** It was another object before. */
function isJoined({ before, view }: Decision): boolean {
  return before?.inode !== view?.inode;
}
