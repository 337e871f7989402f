// The decision about one path: a three-way comparison of what it was, what the user made of it and what the new base has. The
// user's change goes on wherever the new base did not touch the same thing; where both did, the path's class says who wins,
// and the other side is kept aside. Pure.

import type { TreePath } from '../../image/targettree.ts';
import { RECORD_PATHS } from './account-records.ts';
import { POLICIES } from './classes.ts';
import type { Fact, Facts } from './facts.ts';
import { mergeFields } from './merge-fields.ts';
import type { ConflictKind, Decision, Winner, Wish } from './model.ts';
import { withOwners } from './owners.ts';
import { type Rule, ruleFor } from './rules.ts';
import { differences, NO_XATTRS, type TreeObject } from './tree-object.ts';

export interface Policy {
  rules: readonly Rule[];
  /** The new base is a view that was used already: its own identity and logs are this machine's too. */
  ontoView?: boolean | undefined;
}

/** Who wins a conflict at a path, and what says so. */
export function winnerAt(path: TreePath, name: Decision['class'], { rules }: Policy): { winner: Winner; rule: string } {
  const rule = ruleFor(rules, path, 'winner');
  if (rule?.winner !== undefined) return { winner: rule.winner, rule: rule.name };
  return { winner: POLICIES[name].treatment === 'new' ? 'new' : 'user', rule: `class:${name}` };
}

/** Decides about one path as if nothing else had changed; settle.ts fits the decisions together. */
export function decide(fact: Fact, facts: Facts, policy: Policy): Decision {
  const { change, target, base } = fact;
  const { path, before, after } = change;
  const view = after && withOwners(after, facts.accounts.owners);
  const { treatment, because } = POLICIES[fact.class];
  const decided = (outcome: Decision['outcome'], wish: Wish, reason: string, rule = 'table'): Decision => ({
    path,
    target,
    class: fact.class,
    outcome,
    reason,
    rule,
    wish,
    before,
    view,
    base,
    ...(change.origin !== undefined && { origin: change.origin.path }),
  });
  const stay: Wish = { want: 'base' };
  if (treatment === 'drop') return decided('skipped', stay, because, `class:${fact.class}`);
  if (fact.left === 'packages') return decided('package', stay, 'its package brings it', 'packages');
  if (fact.left === 'stage-log') return decided('skipped', stay, 'a stage wrote it', 'stage-log');
  const left = ruleFor(policy.rules, path, 'carry');
  if (left !== undefined) return decided('skipped', stay, 'a rule leaves it behind', left.name);
  if (RECORD_PATHS.includes(path) && view?.type === 'file' && (base === undefined || base.type === 'file')) {
    return decideRecord(decided, view, base, facts.accounts.files.get(path));
  }

  const applied = applyWish(path, view);
  const plain = view === undefined ? 'deleted' : before === undefined ? 'added' : 'changed';
  const isRelinked = change.isSplit === true || change.isJoined === true;
  if (!isRelinked && before !== undefined && after !== undefined && view !== undefined) {
    const fields = differences(before, after);
    if (fields.length === 1 && fields[0] === 'time') return decideTime(fact, view, decided);
  }
  if (isSame(view, base) && !isRelinked) return decided('converged', stay, 'the new image has it as well');
  if (treatment === 'always-user' && policy.ontoView === true) {
    return decided('skipped', stay, 'the view that this goes to has its own', `class:${fact.class}`);
  }
  if (treatment === 'always-user') return decided(plain, applied, because, `class:${fact.class}`);

  const conflict = (
    kind: ConflictKind,
    reason: string,
    wishOfUser: Wish = applied,
    wishOfBase: Wish = stay,
  ): Decision => {
    const { winner, rule } = winnerAt(path, fact.class, policy);
    const wish = winner === 'user' ? wishOfUser : wishOfBase;
    return { ...decided('conflict', wish, reason, rule), conflict: { kind, winner } };
  };

  if (fact.originInBase !== undefined && change.origin !== undefined && view !== undefined) {
    const renamed = { ...change, before: change.origin.object };
    return decideBoth({ ...fact, change: renamed }, view, fact.originInBase, decided, conflict);
  }
  if (before === undefined) {
    if (base === undefined) return decided(plain, applied, 'you added it');
    if (view?.type !== base.type) return conflict('type', 'both added it, as different things');
    return conflict('add/add', 'both added it, differently');
  }
  if (view === undefined) {
    if (fact.isFollowed === true) return decided('deleted', applied, 'you renamed it');
    if (base === undefined || isSame(before, base)) return decided(plain, applied, 'you deleted it');
    if (base.type !== before.type)
      return conflict('type', 'you deleted it, and the new image has something else there');
    return conflict('delete/modify', 'you deleted it, and the new image changed it');
  }
  if (base === undefined) return conflict('modify/delete', 'you changed it, and the new image has it no more');
  if (view.type !== before.type || base.type !== before.type) {
    if (isSame(before, base)) return decided(plain, applied, 'you put something else there');
    const kind = view.type === base.type ? 'both-changed' : 'type';
    return conflict(kind, kind === 'type' ? 'it is different things now' : 'both put something else there');
  }
  return decideBoth(fact, view, { target, object: base }, decided, conflict);
}

type Decided = (outcome: Decision['outcome'], wish: Wish, reason: string, rule?: string) => Decision;
type Conflict = (kind: ConflictKind, reason: string, wishOfUser?: Wish, wishOfBase?: Wish) => Decision;

/** Three objects of one type. */
function decideBoth(
  { change, merged }: Fact,
  view: TreeObject,
  base: { target: TreePath; object: TreeObject },
  decided: Decided,
  conflict: Conflict,
): Decision {
  const { path, before, after, origin, isSplit, isJoined } = change;
  if (before === undefined || after === undefined) return conflict('add/add', 'both added it, differently');
  const result = mergeFields({ before, after, view, base: base.object, isMerged: merged !== undefined });
  const wish = (object: TreeObject): Wish => {
    if (result.content === 'merge' && merged !== undefined) return mergedWish(object, merged);
    const content =
      result.content === 'view' ? { from: result.content, path } : { from: 'base' as const, path: base.target };
    return { want: 'object', object, content };
  };
  if (result.content === 'conflict') return conflict('both-changed', 'both changed its content');
  if (result.content === 'merge' && result.inConflict.length === 0) {
    return decided('merged', wish(result.ofUser), 'both changed different lines of it');
  }
  if (result.inConflict.length > 0) {
    const what = result.inConflict.map((field) => field.replace('xattr:', '')).join(', ');
    return conflict('both-changed', `both changed its ${what}`, wish(result.ofUser), wish(result.ofBase));
  }
  const isNothingNew =
    isSame(result.ofUser, base.object) && origin === undefined && isSplit !== true && isJoined !== true;
  if (isNothingNew) return decided('converged', { want: 'base' }, 'the new image has it as well');
  if (isSplit === true && isJoined !== true && isSame(result.ofUser, base.object) && base.object.links === 1) {
    return decided('converged', { want: 'base' }, 'the new image has it as well');
  }
  if (origin !== undefined)
    return decided('added', wish(result.ofUser), 'you renamed it, and the new image changed it');
  if (result.content === 'view') return decided('changed', wish(result.ofUser), 'you changed it');
  return decided(
    'metadata',
    wish(result.ofUser),
    isSplit === true
      ? 'you made it a file of its own'
      : isJoined === true
        ? 'you linked it to another file'
        : 'you changed it',
  );
}

/** The user only touched it: that is carried, but it never stands against anything. */
function decideTime({ target, base, change }: Fact, view: TreeObject, decided: Decided): Decision {
  const { before } = change;
  const isUnchanged =
    before !== undefined && base !== undefined && isSame({ ...before, ...FACE }, { ...base, ...FACE });
  if (!isUnchanged || base.mtimeNs === view.mtimeNs) {
    return decided('converged', { want: 'base' }, 'you changed its time only');
  }
  const object = { ...base, mtimeNs: view.mtimeNs };
  return decided(
    'metadata',
    { want: 'object', object, content: { from: 'base', path: target } },
    'you changed its time',
  );
}

/** Attributes that a touched file takes from the new base. */
const FACE = { mode: 0, uid: 0, gid: 0, flags: '', xattrs: NO_XATTRS };

/** Account files: what the merge of all of them says about this one. */
function decideRecord(
  decided: Decided,
  view: TreeObject,
  base: TreeObject | undefined,
  content: Uint8Array | undefined,
): Decision {
  if (content === undefined) return decided('converged', { want: 'base' }, 'the new image has these records as well');
  const wish = mergedWish({ ...(base ?? view), mtimeNs: view.mtimeNs }, content);
  return decided('merged', wish, 'records of both are in it', 'class:record');
}

function mergedWish({ digest: _, ...object }: TreeObject, bytes: Uint8Array): Wish {
  const size = { sizeBytes: bytes.length, storedBytes: bytes.length, isSparse: false };
  return { want: 'object', object: { ...object, ...size }, content: { from: 'merge', bytes } };
}

/** What makes the new view have the user's object, or none. */
export function applyWish(path: TreePath, view: TreeObject | undefined): Wish {
  return view === undefined ? { want: 'absent' } : { want: 'object', object: view, content: { from: 'view', path } };
}

/** Whether nothing but the time is different. */
export function isSame(one: TreeObject | undefined, other: TreeObject | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return differences(one, other).every((field) => field === 'time');
}
