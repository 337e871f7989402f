// What a rebase asks of those who know what is inside a file. It gets them handed in, so that it can be tried without them.

import type { RecordMerge, RecordSides } from '../merge/records.ts';
import type { TextMerge } from '../merge/text.ts';

export interface Mergers {
  mergeText(base: Uint8Array, ours: Uint8Array, theirs: Uint8Array): TextMerge;
  /** Account files, all at once, since they name each other's numbers. */
  mergeRecords(sides: RecordSides): RecordMerge;
}
