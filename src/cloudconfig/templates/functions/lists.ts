// sprig's functions on lists. None changes a list, each returns a new one.

import type { Budget } from '../budget.ts';
import { CallError } from '../templateerror.ts';
import { List, list, nilList, stringList } from '../values/list.ts';
import { isTrue, kindOf } from '../values/types.ts';
import type { Value } from '../values/value.ts';
import { textOfValue, textsOf, wholeOf } from './conversion.ts';
import { deepEqual } from './equality.ts';
import { type CallContext, type FunctionTable, fn1, fn2, type GoFunction, variadic, variadic1 } from './function.ts';
import { any, count, text } from './parameters.ts';

/** A function of a list, and its name for the complaint about what is none. */
function ofList(name: string, body: (items: readonly Value[], context: CallContext) => Value): GoFunction {
  return fn1(any, (value, context) => body(itemsOf(value, `find ${name} on`, context.budget), context));
}

function itemsOf(value: Value, what: string, budget: Budget): readonly Value[] {
  if (!(value instanceof List)) throw new CallError(`Cannot ${what} type ${kindOf(value)}`);
  budget.step(value.items.length);
  // As many bytes as a pointer has.
  budget.text(value.items.length * 8);
  return value.items;
}

const make = variadic(any, (items) => list(items));
const append = fn2(any, any, (items, item, { budget }) => list([...itemsOf(items, 'push on', budget), item]));
const prepend = fn2(any, any, (items, item, { budget }) => list([item, ...itemsOf(items, 'prepend on', budget)]));
const first = ofList('first', (items) => items[0]);
const last = ofList('last', (items) => items.at(-1));
const rest = ofList('rest', (items) => (items.length === 0 ? nilList() : list(items.slice(1))));
const initial = ofList('initial', (items) => (items.length === 0 ? nilList() : list(items.slice(0, -1))));
const reverse = ofList('reverse', (items) => list(items.toReversed()));
const compact = fn1(any, (items, { budget }) => list(itemsOf(items, 'compact on', budget).filter(isTrue)));
const uniq = ofList('uniq', (items, { budget }) => {
  const found: Value[] = [];
  for (const item of items) if (!includes(found, item, budget)) found.push(item);
  return list(found);
});
const without = variadic1(any, any, (items, left, { budget }) =>
  list(itemsOf(items, 'find without on', budget).filter((item) => !includes(left, item, budget))),
);
const has = fn2(any, any, (item, items, { budget }) =>
  items === null || items === undefined ? false : includes(itemsOf(items, 'find has on', budget), item, budget),
);
const chunk = fn2(count, any, (size, items, { budget }) => chunked(itemsOf(items, 'chunk', budget), size));
const slice = variadic1(any, any, sliced);

export const lists: FunctionTable = {
  list: make,
  tuple: make,
  append,
  push: append,
  mustAppend: append,
  mustPush: append,
  prepend,
  mustPrepend: prepend,
  first,
  mustFirst: first,
  last,
  mustLast: last,
  rest,
  mustRest: rest,
  initial,
  mustInitial: initial,
  reverse,
  mustReverse: reverse,
  compact,
  mustCompact: compact,
  uniq,
  mustUniq: uniq,
  without,
  mustWithout: without,
  has,
  mustHas: has,
  chunk,
  mustChunk: chunk,
  slice,
  mustSlice: slice,
  concat: variadic(any, (parts, { budget }) => {
    const items = parts.flatMap((part) => {
      if (!(part instanceof List)) throw new CallError(`Cannot concat type ${kindOf(part)} as list`);
      return [...itemsOf(part, 'concat', budget)];
    });
    return items.length === 0 ? nilList() : list(items);
  }),
  join: fn2(text, any, (separator, items, { budget }) => {
    const texts = textsOf(items, budget);
    budget.text(texts.reduce((length, item) => length + item.length + separator.length, 0));
    return texts.join(separator);
  }),
  sortAlpha: fn1(any, (items, { budget }) =>
    stringList(items instanceof List ? textsOf(items, budget).sort() : [textOfValue(items, budget)]),
  ),
  toStrings: fn1(any, (items, { budget }) => stringList(textsOf(items, budget))),
};

function includes(items: readonly Value[], item: Value, budget: Budget): boolean {
  return items.some((other) => deepEqual(other, item, budget));
}

function chunked(items: readonly Value[], size: number): Value {
  if (size === 0 || (size < 0 && !isAccepted(items.length, size))) throw new CallError('makeslice: len out of range');
  if (size < 0 && items.length > 1) return new List('[]interface {}', []);
  const chunks: List[] = [];
  for (let at = 0; at < items.length; at += Math.abs(size)) chunks.push(list(items.slice(at, at + Math.abs(size))));
  return new List('[]interface {}', chunks);
}

/** sprig calculates with a negative size as with any, and for some numbers of items nothing is wrong with the result. */
function isAccepted(length: number, size: number): boolean {
  const chunks = Math.floor((length - 1) / size) + 1;
  return chunks === 0 || (length === 1 && size < -1);
}

/** sprig's `slice` of lists; of texts that of text/template, which sprig's hides. */
function sliced(value: Value, bounds: readonly Value[], { budget }: CallContext): Value {
  if (typeof value !== 'string' && !(value instanceof List)) {
    throw new CallError(`list should be type of slice or array but ${kindOf(value)}`);
  }
  const length = typeof value === 'string' ? value.length : value.items.length;
  if (value instanceof List && length === 0) return null;
  const [from = 0n, to = BigInt(length)] = bounds.map(wholeOf);
  if (from < 0n || to > BigInt(length) || from > to) {
    throw new CallError(`slice bounds out of range [${from}:${to}] with length ${length}`);
  }
  budget.text(length);
  if (typeof value === 'string') return value.slice(Number(from), Number(to));
  return new List(value.element, value.items.slice(Number(from), Number(to)));
}
