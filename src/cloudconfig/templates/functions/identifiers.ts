// Names in one writing from names in another: `http_server`, `HTTPServer`, `http-server`. By the rules of xstrings, the
// library behind sprig's camelcase, snakecase and kebabcase.

import { bytesOfRunes, runesOf } from '../values/bytes.ts';
import { isLetter, isNumber, isPunctuation, isSpace, isUpper, toLower, toUpper } from '../values/runes.ts';

type WordType = 'number' | 'capitals' | 'letters' | 'connector' | 'punctuation' | 'other';

interface Word {
  type: WordType;
  runes: readonly number[];
}

function isConnector(rune: number): boolean {
  return rune === 0x2d || rune === 0x5f || isSpace(rune);
}

/** `some_words` → `SomeWords`. Connectors at the start stay. */
export function toPascalCase(bytes: string): string {
  const runes = runesOf(bytes);
  const lead = runes.findIndex((rune) => !isConnector(rune));
  // As xstrings has it: the last of nothing but connectors comes twice.
  if (lead < 0) return bytes + bytesOfRunes(runes.slice(-1));
  const result = runes.slice(0, lead);
  const [first = 0, ...rest] = runes.slice(lead);
  // Capitals that begin a word in capitals become small.
  let capitals = isUpper(first);
  let last = toUpper(first);
  for (const rune of rest) {
    let next = rune;
    if (!isConnector(last)) {
      if (capitals && isUpper(rune)) next = toLower(rune);
      else capitals = false;
      result.push(last);
    } else if (isConnector(rune)) {
      result.push(last);
    } else {
      capitals = isUpper(rune);
      next = toUpper(rune);
    }
    last = next;
  }
  return bytesOfRunes([...result, last]);
}

/** `HTTPServer20x` → `http_server_20x`. */
export function toSeparated(bytes: string, separator: '_' | '-'): string {
  const words = wordsOf(runesOf(bytes));
  const sign = separator.charCodeAt(0);
  const result: number[] = [];
  const write = ({ type, runes }: Word) => {
    const lowers = type === 'capitals' || type === 'connector';
    for (const rune of runes) result.push(lowers ? (isConnector(rune) ? sign : toLower(rune)) : rune);
  };
  const separate = (next: Word | undefined) => {
    if (next !== undefined && next.type !== 'connector' && next.type !== 'punctuation') result.push(sign);
  };
  let at = 0;
  /** Letters and numbers right behind a number belong to it. */
  const writeTail = () => {
    for (let word = words[at]; word?.type === 'letters' || word?.type === 'number'; word = words[at]) {
      write(word);
      at++;
    }
    separate(words[at]);
  };
  for (let word = words[at]; word !== undefined; word = words[at]) {
    write(word);
    at++;
    const next = words[at];
    if (next === undefined || word.type === 'connector' || word.type === 'punctuation') continue;
    if (word.type === 'number') writeTail();
    else if (next.type !== 'number') separate(next);
    else if (words[at + 1]?.type === 'letters') {
      // A number with small letters behind it is a word: http_2xx.
      result.push(sign);
      write(next);
      at++;
      writeTail();
    } else if (words[at + 1] !== undefined) {
      // Any other number ends the word before it: bld4_floor.
      write(next);
      at++;
      separate(words[at]);
    }
  }
  return bytesOfRunes(result);
}

function wordsOf(runes: readonly number[]): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < runes.length; ) {
    const [type, length] = wordAt(runes, at);
    words.push({ type, runes: runes.slice(at, at + length) });
    at += length;
  }
  return words;
}

function wordAt(runes: readonly number[], at: number): [WordType, number] {
  const rune = runes[at] ?? 0;
  const run = (fits: (rune: number) => boolean, from = at + 1): number => {
    let end = from;
    while (end < runes.length && fits(runes[end] ?? 0)) end++;
    return end - at;
  };
  if (isConnector(rune)) return ['connector', run(isConnector)];
  if (isPunctuation(rune)) return ['punctuation', run(isPunctuation)];
  if (isUpper(rune)) {
    const second = runes[at + 1];
    if (second === undefined || !isUpper(second)) return ['capitals', run(isSmallLetter)];
    const length = run(isUpper);
    const after = runes[at + length];
    // In HTTPServer the S belongs to the next word.
    return ['capitals', after !== undefined && isAlphabetic(after) ? length - 1 : length];
  }
  if (isAlphabetic(rune)) return ['letters', run(isSmallLetter)];
  if (isNumber(rune)) return ['number', run(isNumber)];
  return ['other', run((next) => !isConnector(next) && !isAlphabetic(next) && !isNumber(next) && !isPunctuation(next))];
}

function isSmallLetter(rune: number): boolean {
  return isAlphabetic(rune) && !isUpper(rune);
}

/** Letters of scripts that have words; Chinese characters have none. */
function isAlphabetic(rune: number): boolean {
  return isLetter(rune) && !/\p{Script=Han}/u.test(String.fromCodePoint(rune));
}
