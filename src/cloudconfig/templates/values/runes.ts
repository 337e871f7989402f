// What Go's package unicode says about single runes, and its case mapping, which is by rune and never makes one rune two.

export function isLetter(rune: number): boolean {
  return test(rune, /\p{L}/u);
}

export function isDigit(rune: number): boolean {
  return test(rune, /\p{Nd}/u);
}

export function isNumber(rune: number): boolean {
  return test(rune, /\p{N}/u);
}

export function isPunctuation(rune: number): boolean {
  return test(rune, /\p{P}/u);
}

export function isUpper(rune: number): boolean {
  return test(rune, /\p{Lu}/u);
}

export function isLower(rune: number): boolean {
  return test(rune, /\p{Ll}/u);
}

export function isTitle(rune: number): boolean {
  return test(rune, /\p{Lt}/u);
}

/** Letters, marks, numbers, punctuation, symbols and the plain space. */
export function isPrintable(rune: number): boolean {
  if (rune >= 0x20 && rune < 0x7f) return true;
  return test(rune, /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u);
}

export function isSpace(rune: number): boolean {
  if (rune < 0x100) return (rune >= 9 && rune <= 13) || rune === 0x20 || rune === 0x85 || rune === 0xa0;
  return test(rune, /[\p{Zs}\u2028\u2029]/u);
}

export function toUpper(rune: number): number {
  return mapped(rune, (text) => text.toUpperCase());
}

export function toLower(rune: number): number {
  // The only rune whose plain mapping JavaScript replaces by two: capital I with a dot.
  return rune === 0x130 ? 0x69 : mapped(rune, (text) => text.toLowerCase());
}

function test(rune: number, pattern: RegExp): boolean {
  return pattern.test(String.fromCodePoint(rune));
}

function mapped(rune: number, map: (text: string) => string): number {
  const [first, ...more] = map(String.fromCodePoint(rune));
  return first === undefined || more.length > 0 ? rune : (first.codePointAt(0) ?? rune);
}
