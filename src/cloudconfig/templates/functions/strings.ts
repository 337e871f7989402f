// sprig's functions on single texts. The text itself is the last argument, for pipelines; positions count bytes.

import type { Budget } from '../budget.ts';
import { quote } from '../language/quotes.ts';
import { print } from '../printing/values.ts';
import { CallError } from '../templateerror.ts';
import { bytesOfRune, runesOf } from '../values/bytes.ts';
import { dict } from '../values/dict.ts';
import { stringList } from '../values/list.ts';
import { isSpace } from '../values/runes.ts';
import type { Value } from '../values/value.ts';
import { abbreviate, abbreviateBoth } from './abbreviation.ts';
import { textOfValue } from './conversion.ts';
import { type FunctionTable, fn0, fn1, fn2, fn3, variadic } from './function.ts';
import { any, count, text } from './parameters.ts';
import { trimRunes } from './trimming.ts';

const trimAll = fn2(text, text, (cutset, bytes) => trimRunes(bytes, new Set(runesOf(cutset))));

export const strings: FunctionTable = {
  hello: fn0(() => 'Hello!'),
  trim: fn1(text, (bytes) => trimRunes(bytes, { has: isSpace })),
  trimAll,
  trimall: trimAll,
  trimPrefix: fn2(text, text, (prefix, bytes) => (bytes.startsWith(prefix) ? bytes.slice(prefix.length) : bytes)),
  trimSuffix: fn2(text, text, (suffix, bytes) =>
    bytes.endsWith(suffix) ? bytes.slice(0, bytes.length - suffix.length) : bytes,
  ),
  trunc: fn2(count, text, (length, bytes) => {
    if (length >= 0) return bytes.slice(0, length);
    return bytes.length + length > 0 ? bytes.slice(length) : bytes;
  }),
  substr: fn3(count, count, text, substring),
  abbrev: fn2(count, text, abbreviate),
  abbrevboth: fn3(count, count, text, abbreviateBoth),
  repeat: fn2(count, text, (times, bytes, { budget }) => repeat(bytes, times, budget)),
  replace: fn3(text, text, text, (old, replacement, bytes, { budget }) => replaceAll(bytes, old, replacement, budget)),
  nospace: fn1(text, deleteSpace),
  contains: fn2(text, text, (part, bytes) => bytes.includes(part)),
  hasPrefix: fn2(text, text, (prefix, bytes) => bytes.startsWith(prefix)),
  hasSuffix: fn2(text, text, (suffix, bytes) => bytes.endsWith(suffix)),
  indent: fn2(count, text, (width, bytes, { budget }) => indent(bytes, width, budget)),
  nindent: fn2(count, text, (width, bytes, { budget }) => `\n${indent(bytes, width, budget)}`),
  plural: fn3(text, text, count, (one, many, number) => (number === 1 ? one : many)),
  quote: variadic(any, (values, { budget }) =>
    joined(
      present(values).map((value) => quote(textOfValue(value, budget))),
      budget,
    ),
  ),
  squote: variadic(any, (values, { budget }) =>
    joined(
      present(values).map((value) => `'${print([value], budget)}'`),
      budget,
    ),
  ),
  cat: variadic(any, (values, { budget }) =>
    joined(
      present(values).map((value) => print([value], budget)),
      budget,
    ),
  ),
  split: fn2(text, text, (separator, bytes, { budget }) => numbered(splitAt(bytes, separator, -1, budget))),
  splitn: fn3(text, count, text, (separator, limit, bytes, { budget }) =>
    numbered(splitAt(bytes, separator, limit, budget)),
  ),
  splitList: fn2(text, text, (separator, bytes, { budget }) => stringList(splitAt(bytes, separator, -1, budget))),
  toString: fn1(any, (value, { budget }) => textOfValue(value, budget)),
};

function present(values: readonly Value[]): Value[] {
  return values.filter((value) => value !== null && value !== undefined);
}

function joined(texts: readonly string[], budget: Budget): string {
  budget.text(texts.reduce((length, item) => length + item.length + 1, 0));
  return texts.join(' ');
}

/** sprig: a negative start means "from the beginning", a negative or too large end "to the end". */
function substring(start: number, end: number, bytes: string): string {
  const [from, to] = start < 0 ? [0, end] : [start, end < 0 || end > bytes.length ? bytes.length : end];
  if (to < 0 || to > bytes.length || from > to) {
    throw new CallError(`slice bounds out of range [${from}:${to}] with length ${bytes.length}`);
  }
  return bytes.slice(from, to);
}

function repeat(bytes: string, times: number, budget: Budget): string {
  if (times < 0) throw new CallError('strings: negative Repeat count');
  budget.text(bytes.length * times);
  return bytes === '' ? '' : bytes.repeat(times);
}

/** Go's strings.ReplaceAll: an empty old text stands before each rune and at the end. */
function replaceAll(bytes: string, old: string, replacement: string, budget: Budget): string {
  const parts = old === '' ? ['', ...runesOf(bytes).map(bytesOfRune), ''] : bytes.split(old);
  if (old === '' && bytes === '') return replacement;
  budget.text(bytes.length + (parts.length - 1) * Math.max(replacement.length - old.length, 0));
  if (old !== '') return parts.join(replacement);
  return replacement + parts.slice(1, -1).join(replacement) + replacement;
}

function indent(bytes: string, width: number, budget: Budget): string {
  const pad = repeat(' ', width, budget);
  return pad + replaceAll(bytes, '\n', `\n${pad}`, budget);
}

/** By bytes, which damages what isn't ASCII as sprig does: each byte becomes a rune. */
function deleteSpace(bytes: string): string {
  const kept = [...bytes].filter((byte) => !isSpace(byte.charCodeAt(0)));
  if (kept.length === bytes.length) return bytes;
  return kept.map((byte) => bytesOfRune(byte.charCodeAt(0))).join('');
}

/** Go's strings.SplitN: an empty separator cuts between runes. */
function splitAt(bytes: string, separator: string, limit: number, budget: Budget): string[] {
  if (limit === 0) return [];
  if (separator === '') budget.step(bytes.length);
  const parts = separator === '' ? runesOf(bytes).map(bytesOfRune) : bytes.split(separator);
  budget.step(parts.length);
  if (limit < 0 || parts.length <= limit) return parts;
  return [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)];
}

/** `_0`, `_1`, …: what `split` returns, so that a part can be asked for as `._1`. */
function numbered(parts: readonly string[]): Value {
  return dict(
    parts.map((part, index) => [`_${index}`, part] as const),
    'string',
  );
}
