// Go's reflect.DeepEqual: values are the same only when their types are.

import type { Budget } from '../budget.ts';
import { Dict } from '../values/dict.ts';
import { Integer } from '../values/integer.ts';
import { List } from '../values/list.ts';
import { Opaque } from '../values/opaque.ts';
import { typeOf } from '../values/types.ts';
import type { Value } from '../values/value.ts';

export function deepEqual(a: Value, b: Value, budget: Budget): boolean {
  budget.step();
  if (typeOf(a) !== typeOf(b)) return false;
  if (a instanceof Integer && b instanceof Integer) return a.value === b.value;
  if (a instanceof List && b instanceof List) return budget.within(() => equalLists(a, b, budget));
  if (a instanceof Dict && b instanceof Dict) return budget.within(() => equalDicts(a, b, budget));
  if (a instanceof Opaque && b instanceof Opaque) return a.equals(b);
  return (a ?? null) === (b ?? null);
}

function equalLists(a: List, b: List, budget: Budget): boolean {
  if (a.isNil !== b.isNil || a.items.length !== b.items.length) return false;
  return a.items.every((item, index) => deepEqual(item, b.items[index], budget));
}

function equalDicts(a: Dict, b: Dict, budget: Budget): boolean {
  if (a.isNil !== b.isNil || a.size !== b.size) return false;
  return a.entries.every(([key, value]) => b.has(key) && deepEqual(value, b.get(key), budget));
}
