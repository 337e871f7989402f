// The words of a rebase: what the user changed between the old base and its view, what is decided about each of these paths
// against the new base, and what the new view shall have there. Plain data; deciding is in decide.ts, acting in replay.ts.

import type { TreePath } from '../../image/targettree.ts';
import type { AccountConflict, Owners } from './account-records.ts';
import type { PathClass } from './classes.ts';
import type { TreeObject } from './tree-object.ts';

/** The three trees, mounted; nothing is written into them. */
export interface RebaseTrees {
  /** Directory of the old base. */
  oldBase: string;
  /** The old base seen through its COW: running (a bind mount of `/` without what is mounted below) or not. */
  oldView: string;
  /** The new base, or what packages were installed into already. */
  newBase: string;
}

/** One path that isn't in the view what it is in the base. */
export interface Change {
  path: TreePath;
  kind: 'added' | 'changed' | 'deleted';
  before: TreeObject | undefined;
  after: TreeObject | undefined;
  /** Of an added path: the name that the same object had in the base and has no more. */
  origin?: { path: TreePath; object: TreeObject };
  /** It shared its inode with names that are still there, and does no more. */
  isSplit?: true;
  /** It is one more name of what it was not before. */
  isJoined?: true;
}

/** All that the user changed. */
export interface Changes {
  /** In the order of paths: a directory before what is in it. */
  changes: readonly Change[];
  /** Names of the view that are one object, for objects that a change is about. */
  linked: readonly (readonly TreePath[])[];
  /** Looked at in both trees. */
  entries: number;
  /** Blocks of added and changed files, in bytes: at most so much content is written in a new view. */
  changedBytes: number;
  /** Names that a new view gets in addition. */
  addedEntries: number;
  /** Inode and time of every name of the view that can be carried. */
  seen: SeenIndex;
  /** What could not be looked at, such as what another file system is mounted on. */
  warnings: readonly string[];
}

/** Inode number and time of change, as one text, by path. */
export type SeenIndex = ReadonlyMap<TreePath, string>;

export type ConflictKind = 'both-changed' | 'modify/delete' | 'delete/modify' | 'add/add' | 'type' | 'delete/grow';

/** `user`: what the view had stays. `new`: what the new base has stays. */
export type Winner = 'user' | 'new';

/** What the new view has at a path. */
export type Wish =
  | { want: 'base' }
  | { want: 'absent' }
  | {
      want: 'object';
      /** Type and all attributes; ids are those of the old view. */
      object: TreeObject;
      /** Where a file's content, and a link's target, comes from. */
      content: { from: 'view' | 'base'; path: TreePath } | { from: 'merge'; bytes: Uint8Array };
      /** It is one more name of what is at this path. */
      linkTo?: TreePath;
    };

export type Outcome =
  | 'added'
  | 'changed'
  | 'deleted'
  | 'metadata'
  | 'merged'
  | 'converged'
  /** A class of paths that isn't carried, what a stage wrote, or what a rule leaves behind. */
  | 'skipped'
  /** The package manager takes care of it. */
  | 'package'
  | 'conflict';

export interface Decision {
  path: TreePath;
  /** Where that is in the new base: another path when a directory above has become a link. */
  target: TreePath;
  class: PathClass;
  outcome: Outcome;
  /** A part of a sentence: why. */
  reason: string;
  /** What decided: `class:vendor`, `table`, `stage-log`, `packages`, `take`, or the place of a line in a rule file. */
  rule: string;
  wish: Wish;
  conflict?: { kind: ConflictKind; winner: Winner };
  /** The three forms of the object; owners of `view` are numbers of the new view. */
  before: TreeObject | undefined;
  view: TreeObject | undefined;
  base: TreeObject | undefined;
  /** What else of the new base goes: what is below a directory that a file replaces. Paths are those of the new base. */
  alsoLost?: readonly { path: TreePath; object: TreeObject }[];
  /** The name that a renamed object had. */
  origin?: TreePath;
}

/** A directory that the new base lacks and that something carried lies in. */
export interface ImpliedDirectory {
  target: TreePath;
  object: TreeObject;
}

/** A plan of what the new view will be. */
export interface RebasePlan {
  trees: RebaseTrees;
  changes: Changes;
  /** In the order of paths. */
  decisions: readonly Decision[];
  implied: readonly ImpliedDirectory[];
  /** Accounts that both sides changed differently. */
  accountConflicts: readonly AccountConflict[];
  /** Numbers of users and groups of the old view that are others in the new one. */
  owners: Owners;
  /** Programs that make again what isn't carried, to be run in the new view. */
  regenerate: readonly (readonly [string, ...string[]])[];
  warnings: readonly string[];
}
