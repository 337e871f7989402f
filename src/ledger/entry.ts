// The words of a ledger: each path of a slot that isn't what it was in the image, what it was, what it is, and who made it so.
// A ledger is written once, with its slot, and explains that slot for as long as it lives.

import type { TreePath } from '../image/targettree.ts';
import type { Field, TreeObject } from '../overlay/rebase/tree-object.ts';
import type { DifferenceKind } from './compare-trees.ts';

/** A step of a stage file that changed something in the slot. */
export interface StepCause {
  /** `after-upgrade-chroot`, with `.before` or `.after` where it was there. */
  stage: string;
  /** Inside the new system: `/oem/90_mine.yaml`, `/system/oem/…`, or what named it (`<cmdline>`). */
  file: string;
  line: number;
  name?: string;
  /** sha256 of the step's keys and values, as in its result. */
  definition: string;
  /** When it ended, RFC 3339. */
  at: string;
}

/**
 * Who made a path what it is.
 * step: the last one that changed it. hook: a program that a step had left running, after the last step. holdfast: the making
 * of the slot itself. unknown: nobody that anything is known of.
 */
export type Cause =
  | { by: 'step'; step: StepCause }
  | { by: 'hook'; stage: string }
  | { by: 'holdfast' }
  | { by: 'unknown' };

export interface PackageName {
  name: string;
  version: string;
}

/** One path that isn't in the slot what it is in its pristine. */
export interface LedgerEntry {
  path: TreePath;
  kind: DifferenceKind;
  /** In the image; files with their digest, where the pristine was there to be read. */
  before?: TreeObject;
  /** In the slot, files with their digest. */
  after?: TreeObject;
  /** What is different; empty where it was added or removed. */
  fields: readonly Field[];
  cause: Cause;
  /** Steps that changed it before the one that counts, the latest last. */
  earlier: readonly StepCause[];
  /** The package that the path belongs to: in the slot, or, of a removed path, in the image. */
  package?: PackageName;
}

/** What made a slot, once for all of its entries. */
export interface LedgerOrigin {
  /** Of the slot's filesystem: the ledger speaks of no other one. */
  uuid: string;
  /** Of the image that it came from; absent for sources without one. */
  digest?: string;
  source: string;
  /** `install`, `upgrade`, `reset`, … */
  action: string;
  /** The entry of the record that tells more; absent where there is none. */
  actionId?: string;
  /** The command line, secrets masked. */
  command: string;
  /** Who asked: a user's name, a timer, … as the record has it. */
  user?: string;
  /** RFC 3339. */
  at: string;
}

export interface Ledger {
  origin: LedgerOrigin;
  /**
   * What the slot was compared with. before-hooks: no unchanged copy of its image was kept, so what paths were before is known
   * without their content.
   */
  basis: 'pristine' | 'before-hooks';
  /** In the order of paths. */
  entries: readonly LedgerEntry[];
  /** Differences that there was no room for; 0 but for slots that differ in hundreds of thousands of paths. */
  omitted: number;
}
