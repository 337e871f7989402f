// Three-way merge of a text, line by line, as diff3(1) and git do it: what only one side changed is taken, what both
// changed in the same way is taken once, and lines that both touched differently are an overlap that nobody here decides.

import { type EqualLines, equalLines, linesOf } from './lines.ts';

/** Lines that both sides changed differently; `line` counts from 1 in the base, `count` may be 0 (both added there). */
export interface Overlap {
  line: number;
  count: number;
}

export type TextMerge =
  /** Both sides' changes are in it. */
  | { outcome: 'merged'; content: Uint8Array }
  | { outcome: 'overlap'; overlaps: readonly Overlap[] }
  /** Not a text, too large, or no edited form of the base any more. */
  | { outcome: 'unsuitable'; reason: 'binary' | 'too-large' | 'too-different' };

/** The largest text that is merged. */
export const MAX_MERGE_BYTES = 1 << 20;

/**
 * Merges what two sides made of one text. Pure and symmetric but for the names.
 * @param base the text both started from.
 */
export function mergeText(base: Uint8Array, ours: Uint8Array, theirs: Uint8Array): TextMerge {
  const sides = [base, ours, theirs];
  if (sides.some(({ length }) => length > MAX_MERGE_BYTES)) return { outcome: 'unsuitable', reason: 'too-large' };
  if (sides.some((side) => side.includes(0))) return { outcome: 'unsuitable', reason: 'binary' };
  const [was, our, their] = [linesOf(base), linesOf(ours), linesOf(theirs)];
  const toOurs = equalLines(was, our);
  const toTheirs = equalLines(was, their);
  if (toOurs === undefined || toTheirs === undefined) return { outcome: 'unsuitable', reason: 'too-different' };

  const merged: string[] = [];
  const overlaps: Overlap[] = [];
  let at = { base: 0, ours: 0, theirs: 0 };
  for (const stable of [
    ...stableRuns(toOurs, toTheirs),
    { base: was.length, ours: our.length, theirs: their.length, count: 0 },
  ]) {
    const before = was.slice(at.base, stable.base);
    const [mine, yours] = [our.slice(at.ours, stable.ours), their.slice(at.theirs, stable.theirs)];
    if (equal(mine, yours) || equal(yours, before)) merged.push(...mine);
    else if (equal(mine, before)) merged.push(...yours);
    else overlaps.push({ line: at.base + 1, count: before.length });
    merged.push(...was.slice(stable.base, stable.base + stable.count));
    at = { base: stable.base + stable.count, ours: stable.ours + stable.count, theirs: stable.theirs + stable.count };
  }
  if (overlaps.length > 0) return { outcome: 'overlap', overlaps };
  return { outcome: 'merged', content: Buffer.from(merged.join(''), 'latin1') };
}

interface StableRun {
  base: number;
  ours: number;
  theirs: number;
  count: number;
}

/** Runs of the base that both sides still have. */
function stableRuns(toOurs: readonly EqualLines[], toTheirs: readonly EqualLines[]): StableRun[] {
  const runs: StableRun[] = [];
  let [i, j] = [0, 0];
  for (let [one, other] = [toOurs[0], toTheirs[0]]; one !== undefined && other !== undefined; ) {
    const start = Math.max(one.before, other.before);
    const end = Math.min(one.before + one.count, other.before + other.count);
    if (end > start) {
      runs.push({
        base: start,
        ours: one.after + start - one.before,
        theirs: other.after + start - other.before,
        count: end - start,
      });
    }
    if (one.before + one.count <= other.before + other.count) i += 1;
    else j += 1;
    [one, other] = [toOurs[i], toTheirs[j]];
  }
  return runs;
}

function equal(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, index) => line === other[index]);
}
