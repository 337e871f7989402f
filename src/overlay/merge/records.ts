// The account files, merged record by record and all at once, since they name each other's numbers: a line-wise merge would
// give two accounts one number. Here numbers follow names.

import type { TreePath } from '../../image/targettree.ts';
import { type Accounts, mergeGroups, mergeUsers, type Tables } from './accounts.ts';
import { type Fields, RECORD_FILES, type RecordConflict, type RecordFile, RecordTable } from './record-table.ts';
import { mergeSecrets } from './secrets.ts';
import { mergeSubordinates } from './subordinates.ts';
import { mergeNames } from './three-way.ts';

/** The three forms of a file; a side that lacks the file is absent. */
export interface RecordSides {
  base?: Uint8Array;
  ours?: Uint8Array;
  theirs?: Uint8Array;
}

export interface RecordMerge {
  content: Uint8Array;
  conflicts: readonly RecordConflict[];
}

/**
 * Merges account files. `base` is the old base's, `ours` the view's, `theirs` the new tree's after its packages came.
 * @param files by path (`etc/passwd`); others are left out.
 * @returns what each file is to hold. A file that the view lacks stays as the new tree has it and isn't among them.
 */
export function mergeRecords(files: ReadonlyMap<TreePath, RecordSides>): Map<TreePath, RecordMerge> {
  const tables = readTables(files);
  const groups = whenThere(tables.get('group'), (sides) => mergeGroups(sides, tables.get('passwd')));
  const users = whenThere(tables.get('passwd'), (sides) => mergeUsers(sides, tables.get('group'), groups));
  const merged = new Map<TreePath, RecordMerge>();
  for (const [file, sides] of tables) {
    const { records, conflicts } = mergeFile(file, sides, groups, users);
    const others = mergeNames(sides.base?.others ?? [], sides.ours?.others ?? [], sides.theirs?.others ?? []);
    // A file that the new tree hasn't got has the order that the user gave it.
    const order = files.get(pathOf(file))?.theirs === undefined ? sides.ours : sides.theirs;
    if (order !== undefined) merged.set(pathOf(file), { content: order.rewrite(records, others), conflicts });
  }
  return merged;
}

function readTables(files: ReadonlyMap<TreePath, RecordSides>): Map<RecordFile, Tables> {
  const tables = new Map<RecordFile, Tables>();
  for (const file of RECORD_FILES) {
    const { base, ours, theirs } = files.get(pathOf(file)) ?? {};
    if (ours === undefined) continue;
    const table = (content: Uint8Array | undefined) => new RecordTable(file, content ?? new Uint8Array());
    tables.set(file, { base: table(base), ours: table(ours), theirs: table(theirs) });
  }
  return tables;
}

function mergeFile(
  file: RecordFile,
  sides: Tables,
  groups: Accounts | undefined,
  users: Accounts | undefined,
): MergedRecords {
  const none: Accounts = { records: new Map(), conflicts: [] };
  switch (file) {
    case 'group':
      return once(groups ?? none);
    case 'passwd':
      return once(users ?? none);
    case 'gshadow':
      return once(mergeSecrets(file, sides, groups?.records));
    case 'shadow':
      return once(mergeSecrets(file, sides, users?.records));
    case 'subuid':
    case 'subgid':
      return mergeSubordinates(sides, users?.records);
  }
}

interface MergedRecords {
  records: ReadonlyMap<string, readonly Fields[]>;
  conflicts: readonly RecordConflict[];
}

function once({ records, conflicts }: Accounts): MergedRecords {
  return { records: new Map([...records].map(([name, fields]) => [name, [fields]])), conflicts };
}

function whenThere<T, R>(value: T | undefined, work: (value: T) => R): R | undefined {
  return value === undefined ? undefined : work(value);
}

function pathOf(file: RecordFile): TreePath {
  return `etc/${file}`;
}
