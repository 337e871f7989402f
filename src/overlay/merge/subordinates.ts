// subuid and subgid: ranges of numbers that a user's containers run under. Files of such containers have these numbers, so
// the user's ranges stay where they are; what the new base added on the same numbers moves behind all others.

import type { Fields, RecordConflict, RecordTable } from './record-table.ts';
import { mergeNames, type Sides } from './three-way.ts';

interface Range {
  name: string;
  start: number;
  count: number;
  isOurs: boolean;
}

/** @param users the accounts that stay, by name; ranges of others go. Ranges may be given to a number, too. */
export function mergeSubordinates(
  { base, ours, theirs }: Sides<RecordTable>,
  users: ReadonlyMap<string, Fields> | undefined,
): { records: Map<string, Fields[]>; conflicts: RecordConflict[] } {
  const conflicts: RecordConflict[] = [];
  const linesOf = (table: RecordTable | undefined) => (table?.all ?? []).map((fields) => fields.join(':'));
  const [was, mine, yours] = [linesOf(base), linesOf(ours), linesOf(theirs)];
  const [inBase, inOurs] = [new Set(was), new Set(mine)];
  const ranges: Range[] = [];
  for (const line of mergeNames(was, mine, yours)) {
    const [name = '', start = '', count = ''] = line.split(':');
    const isKnown = users === undefined || users.has(name) || /^\d+$/.test(name);
    if (!isKnown) continue;
    // Both sides gave the same user a first range: the one whose numbers are on files counts.
    if (!inOurs.has(line) && !inBase.has(line) && ours?.records.has(name)) continue;
    ranges.push({ name, start: Number(start), count: Number(count), isOurs: inOurs.has(line) });
  }
  let free = ranges.reduce((end, { start, count }) => Math.max(end, start + count), 0);
  const own = ranges.filter(({ isOurs }) => isOurs);
  for (const range of ranges.filter(({ isOurs }) => !isOurs)) {
    const rival = own.find((other) => other.name !== range.name && overlap(other, range));
    if (rival === undefined) continue;
    conflicts.push({
      record: range.name,
      winner: 'user',
      text: `its numbers from ${range.start} on are ${rival.name}’s; they begin at ${free} now`,
    });
    range.start = free;
    free += range.count;
  }
  const records = new Map<string, Fields[]>();
  for (const { name, start, count } of ranges) {
    records.set(name, [...(records.get(name) ?? []), [name, String(start), String(count)]]);
  }
  return { records, conflicts };
}

function overlap(one: Range, other: Range): boolean {
  return one.start < other.start + other.count && other.start < one.start + one.count;
}
