// Go's names for the type and kind of a value, and what counts as true and as empty.

import { Dict } from './dict.ts';
import { Integer } from './integer.ts';
import { List } from './list.ts';
import type { Value } from './value.ts';

/** As `%T` prints it. */
export function typeOf(value: Value): string {
  if (value === undefined || value === null) return '<nil>';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'number') return 'float64';
  return value.type;
}

/** As reflect names it. */
export function kindOf(value: Value): string {
  if (value === undefined || value === null) return 'invalid';
  if (value instanceof List) return 'slice';
  if (value instanceof Dict) return 'map';
  return typeof value === 'object' ? value.kind : typeOf(value);
}

/** What `if` takes for true: everything but zero, false, nil and what has no elements. */
export function isTrue(value: Value): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return value !== '';
  if (typeof value === 'number') return value !== 0;
  if (value instanceof Integer) return value.value !== 0n;
  if (value instanceof List) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  return true;
}
