// What a rebase asks of those who know what is inside a file: to merge two edited forms of a text or of account files. It
// gets them handed in, so that it can be tried without them.

import type { TreePath } from '../../image/targettree.ts';

export type TextMerge =
  /** Both sides' changes are in it. */
  | { outcome: 'merged'; content: Uint8Array }
  /** Both changed the same lines, or it is no text that could be merged. */
  | { outcome: 'overlap' | 'unsuitable' };

/** The three forms of a file; a side that lacks the file is absent. */
export interface MergeSides {
  base?: Uint8Array;
  ours?: Uint8Array;
  theirs?: Uint8Array;
}

export interface RecordMerge {
  content: Uint8Array;
  /** Records that both sides changed differently, and which of them was kept. */
  conflicts: readonly { record: string; winner: 'user' | 'new'; text: string }[];
}

export interface Mergers {
  mergeText(base: Uint8Array, ours: Uint8Array, theirs: Uint8Array): TextMerge;
  /**
   * Merges passwd, group and their kin record by record, all at once since they name each other's numbers.
   * @returns for each of the files that the result shall have, its content.
   */
  mergeRecords(files: ReadonlyMap<TreePath, MergeSides>): ReadonlyMap<TreePath, RecordMerge>;
}
