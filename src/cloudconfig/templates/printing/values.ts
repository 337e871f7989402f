// Printing without a format: how an action prints a value, and what `print` and `println` put between several.

import type { Budget } from '../budget.ts';
import type { Value } from '../values/value.ts';
import { NO_FLAGS } from './flags.ts';
import { formatVerb } from './verbs.ts';

/** As `%v` prints it. */
export function formatValue(value: Value, budget: Budget): string {
  return typeof value === 'string' ? value : formatVerb(value, 'v', NO_FLAGS, budget);
}

/** Go's Sprint: a space between two values of which neither is a text. */
export function print(values: readonly Value[], budget: Budget): string {
  let result = '';
  for (const [index, value] of values.entries()) {
    const before = values[index - 1];
    if (index > 0 && typeof value !== 'string' && typeof before !== 'string') result += ' ';
    result += formatValue(value, budget);
    budget.text(result.length);
  }
  return result;
}

/** Go's Sprintln: a space between all, and the line's end. */
export function printLine(values: readonly Value[], budget: Budget): string {
  const texts = values.map((value) => formatValue(value, budget));
  budget.text(texts.reduce((length, text) => length + text.length + 1, 0));
  return `${texts.join(' ')}\n`;
}
