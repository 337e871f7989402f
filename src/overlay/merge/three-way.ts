// The three-way rule for single values, for records as a whole, and for lists without an order, as account files have them.

/** What a side that may lack a record says. */
export type Sides<T> = { base: T | undefined; ours: T | undefined; theirs: T | undefined };

export interface Choice<T> {
  value: T | undefined;
  /** Both sides changed it, in different ways. */
  isConflict: boolean;
}

/** Who changed it has it; if both did, the winner. */
export function chooseValue<T>({ base, ours, theirs }: Sides<T>, winner: 'user' | 'new'): Choice<T> {
  if (ours === theirs || theirs === base) return { value: ours, isConflict: false };
  if (ours === base) return { value: theirs, isConflict: false };
  return { value: winner === 'user' ? ours : theirs, isConflict: true };
}

/** What theirs has, with what ours added and without what ours removed. */
export function mergeNames(base: readonly string[], ours: readonly string[], theirs: readonly string[]): string[] {
  const [inBase, inOurs, inTheirs] = [new Set(base), new Set(ours), new Set(theirs)];
  const kept = theirs.filter((name) => inOurs.has(name) || !inBase.has(name));
  return [...kept, ...ours.filter((name) => !inBase.has(name) && !inTheirs.has(name))];
}

/** The same for lists of names between commas. */
export function mergeLists({ base, ours, theirs }: Sides<string>): string {
  return mergeNames(namesOf(base), namesOf(ours), namesOf(theirs)).join(',');
}

function namesOf(text = ''): string[] {
  return [...new Set(text.split(','))].filter((name) => name !== '');
}
