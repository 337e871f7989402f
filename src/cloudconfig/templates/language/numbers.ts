// Number literals. Which number one is depends on where it stands: `3.0` is an int where an int is wanted, and a float64
// where anything is.

import { runeAt } from '../values/bytes.ts';
import { unquote } from './quotes.ts';

export interface NumberLiteral {
  /** Absent where the number isn't one: `3.5` is no int, `-1` no uint. */
  int?: bigint;
  uint?: bigint;
  float?: number;
  /** What it is where nothing says what is wanted; undefined when it is too large for an int. */
  own: 'int' | 'float' | undefined;
}

const MAX_UINT = (1n << 64n) - 1n;
const MAX_INT = (1n << 63n) - 1n;
const MIN_INT = -(1n << 63n);

/** A number as it stands in the text, or what is wrong with it. */
export function parseNumber(text: string): NumberLiteral | string {
  if (text.endsWith('i') && !/^[+-]?0[xX]/.test(text)) return `complex numbers are not supported: ${text}`;
  const whole = parseInteger(text);
  const looksLikeFloat = /^[+-]?0[xX]/.test(text) ? /[.pP]/.test(text) : /[.eE]/.test(text);
  if (whole !== undefined) {
    const literal = numberOf(whole, looksLikeFloat ? 'float' : 'int');
    if (literal !== undefined) return literal;
  }
  const float = parseFloatLiteral(text);
  if (float === undefined) return `illegal number syntax: ${JSON.stringify(text)}`;
  if (!/[.eEpP]/.test(text)) return `integer overflow: ${JSON.stringify(text)}`;
  const exact = Number.isInteger(float) ? numberOf(BigInt(float), 'float') : undefined;
  return { ...exact, float, own: 'float' };
}

function numberOf(value: bigint, own: 'int' | 'float'): NumberLiteral | undefined {
  const isInt = value >= MIN_INT && value <= MAX_INT;
  const isUint = value >= 0n && value <= MAX_UINT;
  if (!isInt && !isUint) return undefined;
  return {
    ...(isInt ? { int: value } : {}),
    ...(isUint ? { uint: value } : {}),
    float: Number(value),
    own: isInt ? own : own === 'float' ? 'float' : undefined,
  };
}

/** `'x'`, whose value is its rune. */
export function parseCharacter(text: string): NumberLiteral | undefined {
  const bytes = unquote(text);
  if (bytes === undefined) return undefined;
  // A byte written as \xff is the rune 255.
  const { rune, size } = bytes.length === 1 ? { rune: bytes.charCodeAt(0), size: 1 } : runeAt(bytes, 0);
  return size === bytes.length && bytes !== '' ? numberOf(BigInt(rune), 'int') : undefined;
}

/** Go's strconv.ParseInt with base 0, without its limits. */
export function parseInteger(text: string): bigint | undefined {
  const match = text.match(/^([+-]?)(0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|0[0-7_]*|[1-9][\d_]*)$/);
  const [, sign = '', digits = ''] = match ?? [];
  if (match === null || !underscoresFit(digits)) return undefined;
  const plain = digits.replaceAll('_', '');
  const octal = /^0[0-7]+$/.test(plain) ? `0o${plain.slice(1)}` : plain;
  const value = BigInt(octal);
  return sign === '-' ? -value : value;
}

/** Underscores stand between digits, or between the base's prefix and a digit. */
function underscoresFit(digits: string): boolean {
  // In hexadecimal numbers e is a digit.
  if (/^[+-]?0[xX]/.test(digits)) return !/__|_$|_[.pP+-]|[.pP+-]_/.test(digits);
  return !/__|_$|_[.eE+-]|[.eE+-]_|^_/.test(digits);
}

/** Go's strconv.ParseFloat for finite numbers; undefined for what is none or too large. */
export function parseFloatLiteral(text: string): number | undefined {
  if (!underscoresFit(text)) return undefined;
  const plain = text.replaceAll('_', '');
  const hex = plain.match(/^([+-]?)0[xX]([\da-fA-F]*)(?:\.([\da-fA-F]*))?[pP]([+-]?\d+)$/);
  if (hex !== null) {
    const [, sign = '', whole = '', fraction = '', exponent = ''] = hex;
    if (whole + fraction === '') return undefined;
    const value = scaled(BigInt(`0x${whole}${fraction}`), Number(exponent) - 4 * fraction.length);
    return Number.isFinite(value) ? (sign === '-' ? -value : value) : undefined;
  }
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

/** mantissa × 2^exponent, rounded once. */
function scaled(mantissa: bigint, exponent: number): number {
  if (mantissa === 0n) return 0;
  const bits = mantissa.toString(2).length;
  if (bits + exponent > 1100) return Number.POSITIVE_INFINITY;
  if (bits + exponent < -1200) return 0;
  if (exponent >= 0) return Number(mantissa << BigInt(exponent));
  // As a decimal fraction, which JavaScript rounds correctly: m / 2^k = m × 5^k / 10^k.
  return Number(`${mantissa * 5n ** BigInt(-exponent)}e${exponent}`);
}
