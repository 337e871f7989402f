// Upper and lower case, and names in one case from names in another, by the rules of sprig's libraries.

import { bytesOfRunes, isAscii, runesOf } from '../values/bytes.ts';
import { isDigit, isLetter, isLower, isSpace, isTitle, isUpper, toLower, toUpper } from '../values/runes.ts';
import { type FunctionTable, fn1 } from './function.ts';
import { toPascalCase, toSeparated } from './identifiers.ts';
import { text } from './parameters.ts';
import { initials } from './words.ts';

export const casing: FunctionTable = {
  upper: fn1(text, (bytes) => (isAscii(bytes) ? bytes.toUpperCase() : mapRunes(bytes, toUpper))),
  lower: fn1(text, (bytes) => (isAscii(bytes) ? bytes.toLowerCase() : mapRunes(bytes, toLower))),
  title: fn1(text, title),
  untitle: fn1(text, (bytes) => mapStarts(bytes, toLower)),
  swapcase: fn1(text, swapCase),
  initials: fn1(text, initials),
  camelcase: fn1(text, toPascalCase),
  snakecase: fn1(text, (bytes) => toSeparated(bytes, '_')),
  kebabcase: fn1(text, (bytes) => toSeparated(bytes, '-')),
};

function mapRunes(bytes: string, map: (rune: number) => number): string {
  return bytesOfRunes(runesOf(bytes).map(map));
}

/** Go's strings.Title: a letter behind anything that is no letter, digit or underscore. */
function title(bytes: string): string {
  let begins = true;
  return mapRunes(bytes, (rune) => {
    const mapped = begins ? toUpper(rune) : rune;
    begins = separates(rune);
    return mapped;
  });
}

function separates(rune: number): boolean {
  if (rune < 0x80) return !/\w/.test(String.fromCharCode(rune));
  return !isLetter(rune) && !isDigit(rune) && isSpace(rune);
}

/** The first rune of each word. */
function mapStarts(bytes: string, map: (rune: number) => number): string {
  let begins = true;
  return mapRunes(bytes, (rune) => {
    if (isSpace(rune)) {
      begins = true;
      return rune;
    }
    const mapped = begins ? map(rune) : rune;
    begins = false;
    return mapped;
  });
}

/** A lower-case letter becomes upper case in any case, so where a word begins doesn't matter. */
function swapCase(bytes: string): string {
  return mapRunes(bytes, (rune) => {
    if (isUpper(rune) || isTitle(rune)) return toLower(rune);
    return isLower(rune) ? toUpper(rune) : rune;
  });
}
