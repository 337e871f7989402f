// Quoted text: what a literal in double quotes, backquotes or single quotes stands for, and the way back for `%q`.

import { bytesOf, bytesOfRune, runeAt } from '../values/bytes.ts';
import { isPrintable } from '../values/runes.ts';

const SHORT: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};
const ESCAPE =
  /\\(?:([abfnrtv\\'"])|x([\da-fA-F]{2})|([0-7]{3})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\s\S]|$))|([^\\]+)/g;

/** The bytes of a literal with its quotes; undefined when an escape in it is none. */
export function unquote(literal: string): string | undefined {
  const quote = literal[0];
  const body = literal.slice(1, -1);
  if (quote === '`') return bytesOf(body.replaceAll('\r', ''));
  let result = '';
  for (const [, short, hex, octal, unicode, long, unknown, plain] of body.matchAll(ESCAPE)) {
    if (plain !== undefined) result += bytesOf(plain);
    else if (short !== undefined) {
      const byte = SHORT[short] ?? (short === quote ? short : undefined);
      if (byte === undefined) return undefined;
      result += byte;
    } else if (unknown !== undefined) return undefined;
    else if (hex !== undefined) result += String.fromCharCode(Number.parseInt(hex, 16));
    else if (octal !== undefined) {
      const byte = Number.parseInt(octal, 8);
      if (byte > 255) return undefined;
      result += String.fromCharCode(byte);
    } else {
      const rune = Number.parseInt(unicode ?? long ?? '', 16);
      if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return undefined;
      result += bytesOfRune(rune);
    }
  }
  return result;
}

const ESCAPES = new Map([...Object.entries(SHORT)].map(([letter, byte]) => [byte.charCodeAt(0), `\\${letter}`]));

/** Bytes as a Go literal: `"` with escapes for what isn't printable. */
export function quote(bytes: string, options: { ascii?: boolean } = {}): string {
  let result = '"';
  for (let at = 0; at < bytes.length; ) {
    const { rune, size } = runeAt(bytes, at);
    const isByte = rune === 0xfffd && size === 1;
    result += isByte ? `\\x${hex(bytes.charCodeAt(at), 2)}` : escapeRune(rune, '"', options.ascii === true);
    at += size;
  }
  return `${result}"`;
}

/** A rune in single quotes. */
export function quoteRune(rune: number, options: { ascii?: boolean } = {}): string {
  const valid = rune >= 0 && rune <= 0x10ffff && !(rune >= 0xd800 && rune < 0xe000);
  return `'${escapeRune(valid ? rune : 0xfffd, "'", options.ascii === true)}'`;
}

function escapeRune(rune: number, quoteSign: string, ascii: boolean): string {
  if (rune === quoteSign.charCodeAt(0) || rune === 0x5c) return `\\${String.fromCharCode(rune)}`;
  if (rune < 0x80 ? isPrintable(rune) : !ascii && isPrintable(rune)) return bytesOfRune(rune);
  const short = ESCAPES.get(rune);
  if (short !== undefined) return short;
  if (rune < 0x20 || rune === 0x7f) return `\\x${hex(rune, 2)}`;
  return rune > 0xffff ? `\\U${hex(rune, 8)}` : `\\u${hex(rune, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
