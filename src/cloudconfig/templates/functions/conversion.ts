// What sprig makes of a value where it wants a text, a whole number or a fraction: a value that can't be converted is 0.

import type { Budget } from '../budget.ts';
import { parseFloatLiteral, parseInteger } from '../language/numbers.ts';
import { formatValue } from '../printing/values.ts';
import { Integer } from '../values/integer.ts';
import { List } from '../values/list.ts';
import type { Value } from '../values/value.ts';

const MAX_INT = (1n << 63n) - 1n;
const MIN_INT = -(1n << 63n);

/** A value as text. */
export function textOfValue(value: Value, budget: Budget): string {
  return formatValue(value, budget);
}

/** A list's items as texts, without nil; a single value is a list of one. */
export function textsOf(value: Value, budget: Budget): string[] {
  if (value === undefined || value === null) return [];
  if (!(value instanceof List)) return [textOfValue(value, budget)];
  budget.step(value.items.length);
  return value.items.filter((item) => item !== null).map((item) => textOfValue(item, budget));
}

/** Go's int64 of a value: `010` is octal, `0x10` hexadecimal, `1.00` is 1. */
export function wholeOf(value: Value): bigint {
  if (value instanceof Integer) return BigInt.asIntN(64, value.value);
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') return truncated(value);
  if (typeof value !== 'string') return 0n;
  const number = parseInteger(value.replace(/\.0+$/, ''));
  return number === undefined || number < MIN_INT || number > MAX_INT ? 0n : number;
}

/** Conversion of a float64 as the processor does it: what doesn't fit becomes the smallest number. */
function truncated(value: number): bigint {
  if (!Number.isFinite(value)) return MIN_INT;
  const whole = BigInt(Math.trunc(value));
  return whole < MIN_INT || whole > MAX_INT ? MIN_INT : whole;
}

/** Go's float64 of a value. */
export function fractionOf(value: Value): number {
  if (value instanceof Integer) return Number(value.value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? parseFloatText(value) : 0;
}

function parseFloatText(text: string): number {
  if (/^[+-]?(?:inf|infinity)$/i.test(text))
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(text)) return Number.NaN;
  return parseFloatLiteral(text) ?? 0;
}
