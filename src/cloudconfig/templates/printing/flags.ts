// What stands between `%` and the verb, and the padding that it asks for.

import type { Budget } from '../budget.ts';
import { runesOf } from '../values/bytes.ts';

export interface Flags {
  plus: boolean;
  minus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  /** `%#v` */
  sharpV: boolean;
  width: number | undefined;
  precision: number | undefined;
}

export const NO_FLAGS: Flags = {
  plus: false,
  minus: false,
  sharp: false,
  space: false,
  zero: false,
  sharpV: false,
  width: undefined,
  precision: undefined,
};

/** Widens a text to the width that is asked for, counted in runes. */
export function pad(text: string, { width, minus, zero }: Flags, budget: Budget): string {
  if (width === undefined) return text;
  const missing = width - runesOf(text).length;
  if (missing <= 0) return text;
  budget.text(missing);
  if (minus) return text + ' '.repeat(missing);
  return (zero ? '0' : ' ').repeat(missing) + text;
}
