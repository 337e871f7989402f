// The lines of a text: which one an offset is in. Found when the first place is asked for, in one pass.

import type { SourceLocation } from '../system/errors.ts';

/** A line of embedded data would bury a message; line and column are enough then. */
const MAX_LINE = 300;

export class TextLines {
  readonly #text: string;
  /** Offsets at which lines start. */
  #starts: readonly number[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Line and column of an offset, from 1, and the line itself unless it is very long. */
  place(offset: number): Omit<SourceLocation, 'file'> {
    this.#starts ??= findStarts(this.#text);
    const line = lineAt(this.#starts, offset);
    const start = this.#starts[line] ?? 0;
    const next = this.#starts[line + 1] ?? this.#text.length + 1;
    const place = { line: line + 1, column: offset - start + 1 };
    if (next - start > MAX_LINE + 1) return place;
    return { ...place, lineText: this.#text.slice(start, next - 1).replace(/\r$/, '') };
  }
}

function findStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** The number, from 0, of the line that an offset is in. */
function lineAt(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
