// Which lines of a text another text still has, by Myers' algorithm (An O(ND) Difference Algorithm, 1986): the basis of a
// three-way merge. The work is bounded, since both texts may have been written to make it long.

/** Lines that are equal: `count` lines from `before` in the one text and from `after` in the other, counted from 0. */
export interface EqualLines {
  before: number;
  after: number;
  count: number;
}

/** Insertions and deletions together; what differs more is another text, not an edited one. Bounds the memory to 16 MB. */
const MOST_EDITS = 2000;

/** A text's lines, each with its line break, as bytes: a character is a byte. */
export function linesOf(content: Uint8Array): string[] {
  const text = Buffer.from(content).toString('latin1');
  return text === '' ? [] : text.split(/(?<=\n)/);
}

/** The longest common part of two texts, in order; undefined when they differ in more than 2000 lines. */
export function equalLines(before: readonly string[], after: readonly string[]): EqualLines[] | undefined {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let [endBefore, endAfter] = [before.length, after.length];
  while (endBefore > start && endAfter > start && before[endBefore - 1] === after[endAfter - 1]) {
    endBefore -= 1;
    endAfter -= 1;
  }
  const middle = equalPairs(before.slice(start, endBefore), after.slice(start, endAfter));
  if (middle === undefined) return undefined;
  const runs: EqualLines[] = [];
  const add = (from: number, to: number, count: number) => {
    const last = runs.at(-1);
    if (last !== undefined && last.before + last.count === from && last.after + last.count === to) last.count += count;
    else if (count > 0) runs.push({ before: from, after: to, count });
  };
  add(0, 0, start);
  for (const [x, y] of middle) add(start + x, start + y, 1);
  add(endBefore, endAfter, before.length - endBefore);
  return runs;
}

function equalPairs(before: readonly string[], after: readonly string[]): [number, number][] | undefined {
  const [n, m] = [before.length, after.length];
  const limit = Math.min(n + m, MOST_EDITS);
  // The furthest x on each diagonal k = x - y; one array per number of edits, kept for the way back.
  const trace: Int32Array[] = [];
  let furthest = new Int32Array(3);
  for (let edits = 0; edits <= limit; edits += 1) {
    const next = new Int32Array(2 * edits + 3);
    for (let k = -edits; k <= edits; k += 2) {
      let x = edits === 0 ? 0 : stepInto(furthest, edits, k);
      let y = x - k;
      while (x < n && y < m && before[x] === after[y]) {
        x += 1;
        y += 1;
      }
      next[k + edits + 1] = x;
      if (x >= n && y >= m) return wayBack(trace, edits, n, m);
    }
    trace.push(next);
    furthest = next;
  }
  return undefined;
}

/** Where diagonal k is entered after one more edit: by an insertion from k+1, or a deletion from k-1. */
function stepInto(furthest: Int32Array, edits: number, k: number): number {
  const previous = edits - 1;
  const at = (diagonal: number) => furthest[diagonal + previous + 1] ?? 0;
  return isInsertion(furthest, edits, k) ? at(k + 1) : at(k - 1) + 1;
}

function isInsertion(furthest: Int32Array, edits: number, k: number): boolean {
  const previous = edits - 1;
  const at = (diagonal: number) => furthest[diagonal + previous + 1] ?? 0;
  return k === -edits || (k !== edits && at(k - 1) < at(k + 1));
}

function wayBack(trace: readonly Int32Array[], edits: number, n: number, m: number): [number, number][] {
  const pairs: [number, number][] = [];
  let [x, y] = [n, m];
  for (let step = edits; step > 0; step -= 1) {
    const furthest = trace[step - 1] ?? new Int32Array(0);
    const k = x - y;
    const from = isInsertion(furthest, step, k) ? k + 1 : k - 1;
    const fromX = furthest[from + step] ?? 0;
    const fromY = fromX - from;
    const entered = stepInto(furthest, step, k);
    while (x > entered) {
      x -= 1;
      y -= 1;
      pairs.push([x, y]);
    }
    [x, y] = [fromX, fromY];
  }
  while (x > 0) {
    x -= 1;
    y -= 1;
    pairs.push([x, y]);
  }
  return pairs.reverse();
}
