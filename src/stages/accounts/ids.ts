// Free numbers for users and groups. One that any file of the database uses, also as the group of a user, is not free;
// nobody (65534) lies outside of both ranges.

import type { AccountDatabase } from './database.ts';

/** From the first number to the last one, downwards when that is the smaller. */
export interface IdRange {
  first: number;
  last: number;
}

/** entities v0.8: ascending. */
export const ORDINARY: IdRange = { first: 1000, last: 60_000 };
/** useradd(8): descending, since packages bring fixed numbers that begin at the lower end. */
export const SYSTEM: IdRange = { first: 999, last: 201 };

/** The largest number that the kernel takes; the one after it means "none". */
const MAX_ID = 0xffff_fffe;

/** The first uid that is no user's and not reserved; undefined when there is none left. */
export function freeUid(database: AccountDatabase, range: IdRange, reserved: ReadonlySet<number>): number | undefined {
  const used = new Set(database.users().map(({ uid }) => uid));
  return firstFree(range, (id) => used.has(id) || reserved.has(id));
}

/** The first gid that is no group's and no user's; undefined when there is none left. */
export function freeGid(database: AccountDatabase, range: IdRange): number | undefined {
  const used = new Set([...database.groups().map(({ gid }) => gid), ...database.users().map(({ gid }) => gid)]);
  return firstFree(range, (id) => used.has(id));
}

/** An id as it is written, undefined for what can't be one. */
export function parseId(text: string): number | undefined {
  const id = /^\d{1,10}$/.test(text.trim()) ? Number(text) : Number.NaN;
  return id <= MAX_ID ? id : undefined;
}

function firstFree({ first, last }: IdRange, taken: (id: number) => boolean): number | undefined {
  const step = first <= last ? 1 : -1;
  for (let id = first; id !== last + step; id += step) if (!taken(id)) return id;
  return undefined;
}
