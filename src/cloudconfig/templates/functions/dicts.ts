// sprig's functions on maps. `set`, `unset` and the merges change the map that they are given, as there.

import type { Budget } from '../budget.ts';
import { CallError } from '../templateerror.ts';
import { Dict, dict } from '../values/dict.ts';
import { List, list, stringList } from '../values/list.ts';
import { typeOf } from '../values/types.ts';
import type { Value } from '../values/value.ts';
import { textOfValue } from './conversion.ts';
import { type FunctionTable, fn1, fn2, fn3, variadic, variadic1 } from './function.ts';
import { merge } from './merging.ts';
import { any, map, text } from './parameters.ts';

const mergeInto = (overwrites: boolean) =>
  variadic1(map, map, (target, sources, { budget }) => {
    const result = target.isNil ? new Dict() : target;
    for (const source of sources) merge(result, source, { overwrites, budget });
    return result;
  });
const copy = fn1(any, (value, { budget }) => {
  if (value === null) throw new CallError('there is nothing to copy');
  return deepCopy(value, budget);
});

export const dicts: FunctionTable = {
  dict: variadic(any, (values, { budget }) => {
    const result = new Dict();
    for (let at = 0; at < values.length; at += 2) {
      // A last key without a value gets an empty text.
      result.set(textOfValue(values[at], budget), at + 1 < values.length ? values[at + 1] : '');
    }
    return result;
  }),
  get: fn2(map, text, (from, key) => (from.has(key) ? from.get(key) : '')),
  set: fn3(map, text, any, (target, key, value, { budget }) => {
    if (target.isNil) throw new CallError('assignment to entry in nil map');
    budget.text(key.length + 8);
    target.set(key, value);
    return target;
  }),
  unset: fn2(map, text, (target, key) => {
    target.delete(key);
    return target;
  }),
  hasKey: fn2(map, text, (from, key) => from.has(key)),
  keys: variadic(map, (maps, { budget }) => {
    budget.step(maps.reduce((sum, { size }) => sum + size, 0));
    return stringList(maps.flatMap(({ keys }) => keys));
  }),
  values: fn1(map, (from) => list(from.entries.map(([, value]) => value))),
  pluck: variadic1(text, map, (key, maps) => list(maps.flatMap((from) => (from.has(key) ? [from.get(key)] : [])))),
  pick: variadic1(map, text, (from, keys) =>
    dict(keys.flatMap((key) => (from.has(key) ? [[key, from.get(key)] as const] : []))),
  ),
  omit: variadic1(map, text, (from, keys) => dict(from.entries.filter(([key]) => !keys.includes(key)))),
  merge: mergeInto(false),
  mustMerge: mergeInto(false),
  mergeOverwrite: mergeInto(true),
  mustMergeOverwrite: mergeInto(true),
  deepCopy: copy,
  mustDeepCopy: copy,
  dig: variadic(any, dig),
};

/** `dig "a" "b" DEFAULT DICT` */
function dig(values: readonly Value[]): Value {
  const path = values.slice(0, -2);
  if (path.length === 0) throw new CallError('dig needs at least three arguments');
  const keys = path.map((key) => {
    if (typeof key === 'string') return key;
    throw new CallError(`a key of dig is ${typeOf(key)}, not string`);
  });
  let value: Value = values.at(-1);
  for (const key of keys) {
    if (!(value instanceof Dict) || value.element !== 'interface {}') {
      throw new CallError(`interface conversion: interface {} is ${typeOf(value)}, not map[string]interface {}`);
    }
    if (!value.has(key)) return values.at(-2);
    value = value.get(key);
  }
  return value;
}

function deepCopy(value: Value, budget: Budget): Value {
  budget.step();
  if (value instanceof List) {
    const items = budget.within(() => value.items.map((item) => deepCopy(item, budget)));
    return new List(value.element, items, value.isNil);
  }
  if (!(value instanceof Dict)) return value;
  const entries = budget.within(() => value.entries.map(([key, item]) => [key, deepCopy(item, budget)] as const));
  return dict(entries, value.element);
}
