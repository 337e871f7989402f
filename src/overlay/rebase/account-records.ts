// The account files of the three trees and what becomes of them: their merged contents, and which numbers of the old view are
// others in the result, by the names that they stand for.

import type { TreePath } from '../../image/targettree.ts';
import { RECORD_FILES, type RecordConflict } from '../merge/record-table.ts';
import { mergeRecords, type RecordSides } from '../merge/records.ts';
import { contentOf } from './content.ts';
import type { RebaseTrees } from './model.ts';
import { withHandles } from './tree-handles.ts';

export const RECORD_PATHS: readonly TreePath[] = RECORD_FILES.map((name) => `etc/${name}`);

/** Numbers of the old view's users and groups that are others in the new one. */
export interface Owners {
  uids: ReadonlyMap<number, number>;
  gids: ReadonlyMap<number, number>;
}

export type AccountConflict = RecordConflict & { path: TreePath };

export interface MergedAccounts {
  /** What files shall hold that the new tree has otherwise. */
  files: ReadonlyMap<TreePath, Uint8Array>;
  owners: Owners;
  conflicts: readonly AccountConflict[];
}

/** Account files are smaller than this on any system. */
const MAX_BYTES = 16 << 20;

/** @throws HoldfastError HF-IO. */
export async function mergeAccounts({ oldBase, oldView, newBase }: RebaseTrees): Promise<MergedAccounts> {
  const sides = new Map<TreePath, RecordSides>();
  for (const path of RECORD_PATHS) {
    const [base, ours, theirs] = [await read(oldBase, path), await read(oldView, path), await read(newBase, path)];
    sides.set(path, { ...(base && { base }), ...(ours && { ours }), ...(theirs && { theirs }) });
  }
  return combine(sides);
}

/** Pure. */
export function combine(sides: ReadonlyMap<TreePath, RecordSides>): MergedAccounts {
  const files = new Map<TreePath, Uint8Array>();
  const conflicts: AccountConflict[] = [];
  for (const [path, merge] of mergeRecords(sides)) {
    const theirs = sides.get(path)?.theirs;
    if (theirs === undefined || !Buffer.from(theirs).equals(merge.content)) files.set(path, merge.content);
    conflicts.push(...merge.conflicts.map((conflict) => ({ ...conflict, path })));
  }
  const numbers = (path: TreePath) => {
    const { ours, theirs } = sides.get(path) ?? {};
    return movedNumbers(ours, files.get(path) ?? theirs);
  };
  return { files, conflicts, owners: { uids: numbers('etc/passwd'), gids: numbers('etc/group') } };
}

/** The third field of a record is its number, in passwd(5) as in group(5); of two names for one number the first counts. */
function movedNumbers(before: Uint8Array | undefined, after: Uint8Array | undefined): Map<number, number> {
  const now = new Map(numbersOf(after).toReversed());
  const moved = new Map<number, number>();
  for (const [name, number] of numbersOf(before).toReversed()) {
    const other = now.get(name);
    if (other !== undefined && other !== number) moved.set(number, other);
    else moved.delete(number);
  }
  return moved;
}

function numbersOf(content: Uint8Array | undefined): [string, number][] {
  const lines = Buffer.from(content ?? [])
    .toString('latin1')
    .split('\n');
  return lines.flatMap((line): [string, number][] => {
    const [name = '', , number = ''] = line.split(':');
    return name !== '' && /^\d{1,10}$/.test(number) ? [[name, Number(number)]] : [];
  });
}

async function read(directory: string, path: TreePath): Promise<Buffer | undefined> {
  return withHandles(directory, (tree) => contentOf(tree, path, MAX_BYTES));
}
