// shadow and gshadow: they follow the accounts of passwd and group, with each field by itself.

import { type Accounts, isKept, namedSides, type Tables } from './accounts.ts';
import type { Fields, RecordConflict } from './record-table.ts';
import { chooseValue, mergeLists } from './three-way.ts';

const PASSWORD = 1;
/** gshadow: administrators and members. */
const FIRST_LIST = 2;

/** @param accounts those that stay; absent: nothing is known of them, and records go by themselves. */
export function mergeSecrets(
  file: 'shadow' | 'gshadow',
  sides: Tables,
  accounts: ReadonlyMap<string, Fields> | undefined,
): Accounts {
  const conflicts: RecordConflict[] = [];
  const records = new Map<string, Fields>();
  for (const [name, own] of namedSides(sides)) {
    const { base, ours, theirs } = own;
    if (accounts !== undefined && !accounts.has(name)) continue;
    // An account that stays keeps its record, whoever else dropped it.
    if (!(accounts !== undefined && ours !== undefined) && !isKept(own)) continue;
    const fields = (ours ?? theirs ?? []).map((value, index) => {
      if (ours === undefined || theirs === undefined) return value;
      const side = { base: base?.[index], ours: value, theirs: theirs[index] };
      if (file === 'gshadow' && index >= FIRST_LIST) return mergeLists(side);
      const choice = chooseValue(side, 'user');
      if (choice.isConflict && index === PASSWORD) {
        conflicts.push({ record: name, winner: 'user', text: 'both changed the password: yours stays' });
      }
      return choice.value ?? '';
    });
    records.set(name, fields);
  }
  return { records, conflicts };
}
