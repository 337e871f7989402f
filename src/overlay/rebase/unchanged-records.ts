// Account files that the user did not change, and that must be others than the new base's all the same: an account that is
// in one file has its number in another. Pure.

import { RECORD_PATHS } from './account-records.ts';
import type { Facts } from './facts.ts';
import type { Decision } from './model.ts';

/** @param decided what was decided about changes. */
export function decideUnchangedRecords(decided: readonly Decision[], facts: Facts): Decision[] {
  const known = new Set(decided.map(({ path }) => path));
  return RECORD_PATHS.flatMap((path): Decision[] => {
    const content = facts.accounts.files.get(path);
    const base = facts.baseObjects.get(path);
    if (content === undefined || known.has(path) || base?.type !== 'file') return [];
    const { digest: _, ...rest } = base;
    const size = { sizeBytes: content.length, storedBytes: content.length, isSparse: false };
    return [
      {
        path,
        target: path,
        class: 'record',
        outcome: 'merged',
        reason: 'records of both are in it',
        rule: 'class:record',
        wish: { want: 'object', object: { ...rest, ...size }, content: { from: 'merge', bytes: content } },
        before: undefined,
        view: undefined,
        base,
      },
    ];
  });
}
