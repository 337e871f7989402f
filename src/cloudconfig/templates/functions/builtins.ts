// The functions that every Go template has. `and` and `or` are here for their parameters; the evaluation executes them,
// since they don't evaluate all arguments.

import { printf } from '../printing/printf.ts';
import { print, printLine } from '../printing/values.ts';
import { CallError } from '../templateerror.ts';
import { bytesOfRune, runeAt } from '../values/bytes.ts';
import { Dict } from '../values/dict.ts';
import { Integer, int } from '../values/integer.ts';
import { List } from '../values/list.ts';
import { isPrintable } from '../values/runes.ts';
import { isTrue, typeOf } from '../values/types.ts';
import type { Value } from '../values/value.ts';
import { comparisons } from './comparison.ts';
import { type CallContext, type FunctionTable, fn1, variadic, variadic1 } from './function.ts';
import { any, reflected, text } from './parameters.ts';

const HTML: Readonly<Record<string, string>> = {
  '\0': '\xef\xbf\xbd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

export const builtins: FunctionTable = {
  ...comparisons,
  and: variadic1(reflected, reflected, () => undefined),
  or: variadic1(reflected, reflected, () => undefined),
  not: fn1(reflected, (value) => !isTrue(value)),
  len: fn1(reflected, lengthOf),
  index: variadic1(reflected, reflected, (item, keys) => keys.reduce(indexed, checkItem(item))),
  call: variadic1(reflected, reflected, (callee) => {
    throw new CallError(callee === undefined ? 'call of nil' : `non-function of type ${typeOf(callee)}`);
  }),
  print: variadic(any, (values, { budget }) => print(values, budget)),
  println: variadic(any, (values, { budget }) => printLine(values, budget)),
  printf: variadic1(text, any, (format, values, { budget }) => printf(format, values, budget)),
  html: variadic(any, (values, context) =>
    escaped(values, context, (bytes) => bytes.replace(/["'&<>\0]/g, (sign) => HTML[sign] ?? sign)),
  ),
  js: variadic(any, (values, context) => escaped(values, context, escapeScript)),
  urlquery: variadic(any, (values, context) => escaped(values, context, escapeQuery)),
};

/** The text of the arguments, with what isn't allowed in it replaced. */
function escaped(values: readonly Value[], { budget }: CallContext, replace: (bytes: string) => string): string {
  const bytes = print(
    values.map((value) => (value === null || value === undefined ? '<no value>' : value)),
    budget,
  );
  // The longest escape has six characters for one.
  budget.text(bytes.length * 6);
  return replace(bytes);
}

function escapeScript(bytes: string): string {
  let result = '';
  for (let at = 0; at < bytes.length; ) {
    const { rune, size } = runeAt(bytes, at);
    at += size;
    const sign = String.fromCharCode(rune);
    if (rune < 0x80 && /[\\'"]/.test(sign)) result += `\\${sign}`;
    else if (rune < 0x20 || (rune < 0x80 && /[<>&=]/.test(sign))) result += unicodeEscape(rune);
    else if (rune < 0x80 || isPrintable(rune))
      result += size === 1 && rune >= 0x80 ? '\xef\xbf\xbd' : bytesOfRune(rune);
    else result += unicodeEscape(rune);
  }
  return result;
}

function unicodeEscape(rune: number): string {
  return `\\u${rune.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Go's url.QueryEscape. */
export function escapeQuery(bytes: string): string {
  return bytes.replace(/[^\w.~-]/g, (sign) =>
    sign === ' ' ? '+' : `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function lengthOf(value: Value): Value {
  if (typeof value === 'string') return int(value.length);
  if (value instanceof List) return int(value.items.length);
  if (value instanceof Dict) return int(value.size);
  throw new CallError(value === undefined ? 'len of nil pointer' : `len of type ${typeOf(value)}`);
}

function checkItem(item: Value): Value {
  if (item === undefined) throw new CallError('index of untyped nil');
  return item;
}

/** One step of `index`. */
function indexed(item: Value, key: Value): Value {
  if (item === undefined || item === null) throw new CallError('index of nil pointer');
  if (item instanceof Dict) {
    if (typeof key !== 'string') {
      throw new CallError(
        key === undefined
          ? 'value is nil; should be of type string'
          : `value has type ${typeOf(key)}; should be string`,
      );
    }
    // A key that isn't there is the zero of the map's elements.
    return item.has(key) ? item.get(key) : item.element === 'string' ? '' : null;
  }
  if (item instanceof List) return item.items[indexOf(key, item.items.length)];
  if (typeof item === 'string') return new Integer('uint8', BigInt(item.charCodeAt(indexOf(key, item.length))));
  throw new CallError(`can't index item of type ${typeOf(item)}`);
}

function indexOf(key: Value, length: number): number {
  if (key === undefined) throw new CallError('cannot index slice/array with nil');
  if (!(key instanceof Integer)) throw new CallError(`cannot index slice/array with type ${typeOf(key)}`);
  if (key.value < 0n || key.value >= BigInt(length)) throw new CallError(`index out of range: ${key.value}`);
  return Number(key.value);
}
