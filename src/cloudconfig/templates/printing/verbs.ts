// One value by one verb of Go's fmt. A verb that doesn't fit is no error there: it prints `%!d(string=x)`.

import type { Budget } from '../budget.ts';
import { quote, quoteRune } from '../language/quotes.ts';
import { CallError } from '../templateerror.ts';
import { bytesOfRune, bytesOfRunes, isAscii, runesOf } from '../values/bytes.ts';
import { Dict } from '../values/dict.ts';
import { Integer } from '../values/integer.ts';
import { List } from '../values/list.ts';
import { isPrintable } from '../values/runes.ts';
import { typeOf } from '../values/types.ts';
import type { Value } from '../values/value.ts';
import { type Flags, pad } from './flags.ts';
import { formatBinary, formatFloat } from './floats.ts';

/** A value as an argument of printf. */
export function formatVerb(value: Value, verb: string, flags: Flags, budget: Budget): string {
  budget.step();
  const isNil = value === undefined || value === null;
  if (verb === 'T' && !isNil) return formatText(typeOf(value), 's', flags, budget) ?? '';
  if (isNil) {
    return verb === 'v' || verb === 'T' ? pad('<nil>', { ...flags, precision: undefined }, budget) : `%!${verb}(<nil>)`;
  }
  if (verb === 'p') throw new CallError('%p is not supported');
  return formatKnown(value, verb, flags, budget) ?? badVerb(value, verb, flags, budget);
}

function badVerb(value: Value, verb: string, flags: Flags, budget: Budget): string {
  return `%!${verb}(${typeOf(value)}=${formatVerb(value, 'v', flags, budget)})`;
}

/** Undefined when the verb doesn't fit. */
function formatKnown(
  value: Exclude<Value, undefined | null>,
  verb: string,
  flags: Flags,
  budget: Budget,
): string | undefined {
  if (typeof value === 'boolean') return verb === 't' || verb === 'v' ? pad(String(value), flags, budget) : undefined;
  if (typeof value === 'string') return formatText(value, verb, flags, budget);
  if (typeof value === 'number') return formatNumber(value, verb, flags, budget);
  if (value instanceof Integer) {
    const named = value.name !== undefined && 'vsxXq'.includes(verb);
    return named ? formatText(value.name ?? '', verb, flags, budget) : formatInteger(value, verb, flags, budget);
  }
  if (value instanceof List) return budget.within(() => formatList(value, verb, flags, budget));
  if (value instanceof Dict) return budget.within(() => formatDict(value, verb, flags, budget));
  return formatText(value.toString(), verb, flags, budget);
}

function formatList(list: List, verb: string, flags: Flags, budget: Budget): string {
  const [open, close, separator] = flags.sharpV && verb === 'v' ? [`${list.type}{`, '}', ', '] : ['[', ']', ' '];
  if (flags.sharpV && list.isNil) return `${list.type}(nil)`;
  return joined(
    list.items.map((item) => formatItem(item, verb, flags, budget)),
    { open, close, separator },
    budget,
  );
}

function formatDict(dict: Dict, verb: string, flags: Flags, budget: Budget): string {
  const [open, close, separator] = flags.sharpV && verb === 'v' ? [`${dict.type}{`, '}', ', '] : ['map[', ']', ' '];
  const pairs = dict.entries.map(
    ([key, item]) => `${formatItem(key, verb, flags, budget)}:${formatItem(item, verb, flags, budget)}`,
  );
  return joined(pairs, { open, close, separator }, budget);
}

function formatItem(item: Value, verb: string, flags: Flags, budget: Budget): string {
  if (item !== null && item !== undefined) return formatVerb(item, verb, flags, budget);
  return flags.sharpV ? 'interface {}(nil)' : '<nil>';
}

function joined(
  items: readonly string[],
  { open, close, separator }: { open: string; close: string; separator: string },
  budget: Budget,
): string {
  budget.text(items.reduce((length, item) => length + item.length + separator.length, open.length + close.length));
  return open + items.join(separator) + close;
}

function formatText(text: string, verb: string, flags: Flags, budget: Budget): string | undefined {
  budget.text(text.length);
  if (verb === 'x' || verb === 'X') return formatHex(text, verb, flags, budget);
  const cut = cutRunes(text, flags.precision);
  if (verb === 's' || (verb === 'v' && !flags.sharpV)) return pad(cut, flags, budget);
  if (verb !== 'q' && verb !== 'v') return undefined;
  if (flags.sharp && canBackquote(cut)) return pad(`\`${cut}\``, flags, budget);
  return pad(quote(cut, { ascii: flags.plus }), flags, budget);
}

function cutRunes(text: string, count: number | undefined): string {
  if (count === undefined || count >= text.length) return text;
  return isAscii(text) ? text.slice(0, count) : bytesOfRunes(runesOf(text).slice(0, count));
}

/** Whether a text can stand in backquotes: one line of UTF-8 without control characters. */
function canBackquote(text: string): boolean {
  return runesOf(text).every((rune) => rune === 9 || (rune >= 0x20 && ![0x60, 0x7f, 0xfffd, 0xfeff].includes(rune)));
}

function formatHex(text: string, verb: 'x' | 'X', flags: Flags, budget: Budget): string {
  const bytes = text.slice(0, flags.precision);
  budget.text(bytes.length * 5);
  const prefix = flags.sharp ? `0${verb}` : '';
  const pairs = Buffer.from(bytes, 'latin1').toString('hex').match(/../g) ?? [];
  const cased = verb === 'X' ? pairs.map((pair) => pair.toUpperCase()) : pairs;
  const result = flags.space ? cased.map((pair) => prefix + pair).join(' ') : prefix + cased.join('');
  return pad(bytes === '' ? '' : result, flags, budget);
}

function formatNumber(value: number, verb: string, flags: Flags, budget: Budget): string | undefined {
  const { precision, sharp } = flags;
  // A deviation: Go prints 1048576 as 1.048576e+06, which nobody wants in a stage file.
  const isPlain = verb === 'v' && !sharp && precision === undefined;
  if (isPlain && Number.isSafeInteger(value)) {
    return signed(formatFloat(value, 'f'), flags, budget);
  }
  budget.text(precision ?? 0);
  const digits = floatDigits(value, verb, precision);
  if (digits === undefined) return undefined;
  return signed(
    sharp && verb !== 'b' && Number.isFinite(value) ? withPoint(digits, verb, precision) : digits,
    flags,
    budget,
  );
}

function floatDigits(value: number, verb: string, precision: number | undefined): string | undefined {
  switch (verb) {
    case 'v':
    case 'g':
      return formatFloat(value, 'g', precision);
    case 'e':
      return formatFloat(value, 'e', precision ?? 6);
    case 'f':
    case 'F':
      return formatFloat(value, 'f', precision ?? 6);
    case 'E':
      return formatFloat(value, 'e', precision ?? 6).replace('e', 'E');
    case 'G':
      return formatFloat(value, 'g', precision).replace('e', 'E');
    case 'b':
    case 'x':
      return formatBinary(value, verb, precision);
    case 'X':
      return formatBinary(value, 'x', precision).replace(/^-?0x.*/, (digits) => digits.toUpperCase());
    default:
      return undefined;
  }
}

/** `#`: a point in any case, and for `g` the zeros that it would leave out. */
function withPoint(digits: string, verb: string, precision: number | undefined): string {
  const end = digits.search(/x/i.test(verb) ? /[pP]/ : /[eE]/);
  const number = end < 0 ? digits : digits.slice(0, end);
  const keepsZeros = 'vgGx'.includes(verb);
  let missing = keepsZeros ? (precision ?? 6) - number.replace(/[-.]/g, '').replace(/^0+/, '').length : 0;
  if (number.replace('-', '') === '0') missing--;
  const pointed = number.includes('.') ? number : `${number}.`;
  return pointed + '0'.repeat(Math.max(missing, 0)) + digits.slice(number.length);
}

/** The sign that is asked for, and zeros behind it rather than before. */
function signed(digits: string, flags: Flags, budget: Budget): string {
  const special = /[IN]/.test(digits);
  const bare = digits.replace(/^[+-]/, '');
  const sign = digits.startsWith('-') ? '-' : flags.plus ? '+' : flags.space ? ' ' : digits === '+Inf' ? '+' : '';
  if (special || !flags.zero || flags.minus) return pad(sign + bare, { ...flags, zero: false }, budget);
  return sign + pad(bare, { ...flags, width: Math.max((flags.width ?? 0) - sign.length, 0) }, budget);
}

function formatInteger(integer: Integer, verb: string, flags: Flags, budget: Budget): string | undefined {
  const { value } = integer;
  switch (verb) {
    case 'v':
      if (flags.sharpV && integer.unsigned) {
        return wholeNumber(value, 16, 'v', { ...flags, sharp: true }, budget);
      }
      return wholeNumber(value, 10, verb, flags, budget);
    case 'd':
      return wholeNumber(value, 10, verb, flags, budget);
    case 'b':
      return wholeNumber(value, 2, verb, flags, budget);
    case 'o':
    case 'O':
      return wholeNumber(value, 8, verb, flags, budget);
    case 'x':
    case 'X':
      return wholeNumber(value, 16, verb, flags, budget);
    case 'c':
      return pad(bytesOfRune(runeOf(value)), flags, budget);
    case 'q':
      return pad(quoteRune(runeOf(value), { ascii: flags.plus }), flags, budget);
    case 'U':
      return formatCodePoint(value, flags, budget);
    default:
      return undefined;
  }
}

function runeOf(value: bigint): number {
  return value >= 0n && value <= 0x10ffffn ? Number(value) : 0xfffd;
}

function wholeNumber(value: bigint, base: number, verb: string, flags: Flags, budget: Budget): string {
  const { width, precision, plus, space, sharp } = flags;
  const plain = { ...flags, zero: false };
  if (precision === 0 && value === 0n) return pad('', plain, budget);
  const negative = value < 0n;
  const sign = negative ? '-' : plus ? '+' : space ? ' ' : '';
  const zeros = precision ?? (flags.zero && !flags.minus && width !== undefined ? width - sign.length : 0);
  budget.text(Math.max(zeros, 0));
  let digits = (negative ? -value : value).toString(base).padStart(zeros, '0');
  if (verb === 'X') digits = digits.toUpperCase();
  if (sharp && base === 2) digits = `0b${digits}`;
  if (sharp && base === 8 && !digits.startsWith('0')) digits = `0${digits}`;
  if (sharp && base === 16) digits = `${verb === 'X' ? '0X' : '0x'}${digits}`;
  if (verb === 'O') digits = `0o${digits}`;
  return pad(sign + digits, plain, budget);
}

function formatCodePoint(value: bigint, flags: Flags, budget: Budget): string {
  const digits = BigInt.asUintN(64, value)
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(flags.precision ?? 0, 4), '0');
  const rune = runeOf(value);
  const shown = flags.sharp && value >= 0n && value <= 0x10ffffn && isPrintable(rune) ? ` '${bytesOfRune(rune)}'` : '';
  return pad(`U+${digits}${shown}`, { ...flags, zero: false }, budget);
}
