// Several measurements of the same thing in one figure: the median with the smallest and the largest beside it, since a
// mean of few runs belongs to its worst one.

export interface Figure {
  median: number;
  smallest: number;
  largest: number;
}

/** @throws RangeError without values. */
export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const [smallest] = sorted;
  const largest = sorted.at(-1);
  if (smallest === undefined || largest === undefined) throw new RangeError('there is nothing to take the median of');
  const half = sorted.length / 2;
  const middle = sorted.slice(Math.ceil(half) - 1, Math.floor(half) + 1);
  return { median: middle.reduce((sum, value) => sum + value, 0) / middle.length, smallest, largest };
}

/** The median with its spread, such as `9.5 (9.3–9.9)`. */
export function showFigure({ median, smallest, largest }: Figure, digits = 1): string {
  const [middle, low, high] = [median, smallest, largest].map((value) => value.toFixed(digits));
  return low === high ? `${middle}` : `${middle} (${low}–${high})`;
}
