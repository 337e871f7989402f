// passwd and group: which accounts there are, what each field of them holds, and which numbers they have. An account of
// the new tree keeps its number there; one that only the user has moves to a free number where its own is taken.

import { idsInUse, NumberPool } from './numbers.ts';
import type { Fields, RecordConflict, RecordTable } from './record-table.ts';
import { chooseValue, mergeLists, type Sides } from './three-way.ts';

export type Tables = Sides<RecordTable>;

export interface Accounts {
  records: Map<string, Fields>;
  conflicts: RecordConflict[];
}

/** The records of each name on all sides; first in the order of the new tree, then of the view. */
export function namedSides({ base, ours, theirs }: Tables): [string, Sides<Fields>][] {
  const names = new Set([...(theirs?.records.keys() ?? []), ...(ours?.records.keys() ?? [])]);
  return [...names].map((name) => [
    name,
    { base: base?.records.get(name), ours: ours?.records.get(name), theirs: theirs?.records.get(name) },
  ]);
}

/**
 * Whether a record stays: who added, removed or changed it has their way, and the user where both did.
 * @param tell called with what was decided where both did.
 */
export function isKept({ base, ours, theirs }: Sides<Fields>, tell: (text: string) => void = () => {}): boolean {
  if (base === undefined || (ours !== undefined && theirs !== undefined)) return true;
  const known = base.join(':');
  if (ours === undefined) {
    if (theirs !== undefined && theirs.join(':') !== known)
      tell('you removed it, the new base changed it: it stays removed');
    return false;
  }
  if (ours.join(':') === known) return false;
  tell('you changed it, the new base removed it: yours stays');
  return true;
}

const GROUP_FIELDS = ['', 'the password', '', 'the members'];
const USER_FIELDS = ['', 'the password', '', '', 'the full name', 'the home directory', 'the shell'];
const NUMBER = 2;
const MEMBERS = 3;
const FIRST_GROUP = 3;

/** @param users passwd of the same sides: a group that is the first of an account that stays, stays too. */
export function mergeGroups(sides: Tables, users: Tables | undefined): Accounts {
  const needed = firstGroupsOfOwnUsers(sides, users);
  return mergeBy(
    sides,
    GROUP_FIELDS,
    (name) => needed.has(name),
    (own, fields) => {
      fields[MEMBERS] = mergeLists({
        base: own.base?.[MEMBERS],
        ours: own.ours?.[MEMBERS],
        theirs: own.theirs?.[MEMBERS],
      });
    },
  );
}

/** @param groups of the same sides, and merged: the number of an account's first group is that group's. */
export function mergeUsers(sides: Tables, groupSides: Tables | undefined, groups: Accounts | undefined): Accounts {
  const names = {
    base: namesById(groupSides?.base),
    ours: namesById(groupSides?.ours),
    theirs: namesById(groupSides?.theirs),
  };
  return mergeBy(
    sides,
    USER_FIELDS,
    () => false,
    ({ base, ours, theirs }, fields) => {
      // A number that no group has stands for itself.
      const groupOf = (user: Fields | undefined, known: ReadonlyMap<string, string>) =>
        user && (known.get(user[FIRST_GROUP] ?? '') ?? `:${user[FIRST_GROUP]}`);
      const side = {
        base: groupOf(base, names.base),
        ours: groupOf(ours, names.ours),
        theirs: groupOf(theirs, names.theirs),
      };
      const winner = side.ours?.startsWith(':') ? 'new' : 'user';
      const name = ours && theirs ? chooseValue(side, winner).value : (side.ours ?? side.theirs);
      if (name === undefined) return;
      const number = name.startsWith(':') ? name.slice(1) : groups?.records.get(name)?.[NUMBER];
      if (number !== undefined) fields[FIRST_GROUP] = number;
    },
  );
}

function mergeBy(
  sides: Tables,
  fieldNames: readonly string[],
  isNeeded: (name: string) => boolean,
  adjust: (own: Sides<Fields>, fields: string[]) => void,
): Accounts {
  const conflicts: RecordConflict[] = [];
  const records = new Map<string, Fields>();
  for (const [name, own] of namedSides(sides)) {
    const tell = (text: string, winner: 'user' | 'new' = 'user') => conflicts.push({ record: name, winner, text });
    const { base, ours, theirs } = own;
    if (!isKept(own, tell) && !(ours !== undefined && isNeeded(name))) continue;
    const differing: string[] = [];
    const fields = fieldNames.map((what, index) => {
      if (ours === undefined || theirs === undefined) return (ours ?? theirs)?.[index] ?? '';
      const side = { base: base?.[index], ours: ours[index], theirs: theirs[index] };
      const { value, isConflict } = chooseValue(side, index === NUMBER ? 'new' : 'user');
      if (isConflict && what !== '' && what !== 'the members') differing.push(what);
      if (isConflict && index === NUMBER)
        tell(`its number was ${ours[index]} and is ${theirs[index]}, as in the new base`, 'new');
      return value ?? '';
    });
    adjust(own, fields);
    records.set(name, fields);
    if (differing.length > 0) tell(`both changed ${differing.join(', ')}: yours stays`);
  }
  separateNumbers(sides, { records, conflicts });
  return { records, conflicts };
}

/** Gives other numbers to the user's accounts whose number the new tree has given to another name. */
function separateNumbers({ base, ours, theirs }: Tables, { records, conflicts }: Accounts): void {
  const holders = new Map<string, string[]>();
  for (const [name, { [NUMBER]: number = '' }] of records) holders.set(number, [...(holders.get(number) ?? []), name]);
  const numberIn = (table: RecordTable | undefined, name: string) => table?.records.get(name)?.[NUMBER];
  let pool: NumberPool | undefined;
  for (const [number, names] of holders) {
    if (names.length < 2) continue;
    for (const name of names) {
      if (numberIn(theirs, name) === number) continue;
      // Two names may share a number on purpose.
      const rival = names.find((other) => other !== name && numberIn(ours, other) !== number);
      if (rival === undefined) continue;
      pool ??= new NumberPool([base, ours, theirs].flatMap(idsInUse));
      const moved = pool.take(Number(number));
      records.set(name, (records.get(name) ?? []).with(NUMBER, String(moved)));
      const text = `its number ${number} is ${rival}’s in the new base; it is ${moved} now: ${elsewhere(number, moved)}`;
      conflicts.push({ record: name, winner: 'new', text });
    }
  }
}

/** Numbers outside of the overlay are nobody's to change unasked: a disk may belong to several systems. */
function elsewhere(number: string, moved: number): string {
  return `files on other file systems (/home, /usr/local) still have ${number}, find them with -uid or -gid ${number} and give them to ${moved}`;
}

function namesById(table: RecordTable | undefined): Map<string, string> {
  const names = new Map<string, string>();
  for (const [name, { [NUMBER]: number = '' }] of table?.records ?? []) if (!names.has(number)) names.set(number, name);
  return names;
}

/** The first groups of accounts that stay because the user has them. */
function firstGroupsOfOwnUsers({ ours }: Tables, users: Tables | undefined): Set<string> {
  const names = namesById(ours);
  const needed = new Set<string>();
  if (users === undefined) return needed;
  for (const [, own] of namedSides(users)) {
    const group = names.get(own.ours?.[FIRST_GROUP] ?? '');
    if (group !== undefined && own.ours !== undefined && isKept(own)) needed.add(group);
  }
  return needed;
}
