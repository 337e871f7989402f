// In which order files begin so that two workers are never idle: the longest first, and of those that wait for each other
// only one at a time, with the others beside it.

export interface Timed {
  seconds: number;
  /** Never runs beside another such one. */
  alone: boolean;
}

/** Plays the run through with so many workers, and returns the files in the order in which they begin. */
export function orderOfStart<T extends Timed>(files: readonly T[], workers: number): T[] {
  const longestFirst = [...files].sort((a, b) => b.seconds - a.seconds);
  const alone = longestFirst.filter((file) => file.alone);
  const beside = longestFirst.filter((file) => !file.alone);
  const freeAt = new Array<number>(Math.max(1, workers)).fill(0);
  let aloneUntil = 0;
  const order: T[] = [];
  while (order.length < files.length) {
    const now = Math.min(...freeAt);
    const next = (now >= aloneUntil ? alone.shift() : undefined) ?? beside.shift() ?? alone.shift();
    if (next === undefined) break;
    order.push(next);
    const ends = (next.alone ? Math.max(now, aloneUntil) : now) + next.seconds;
    if (next.alone) aloneUntil = ends;
    freeAt[freeAt.indexOf(now)] = ends;
  }
  return order;
}
