// Takes runes of a set away from both ends of a text.

import { bytesOfRune, isAscii, runesOf } from '../values/bytes.ts';

/** Trims the runes that the set has. */
export function trimRunes(bytes: string, cutset: { has: (rune: number) => boolean }): string {
  if (isAscii(bytes)) {
    const [from, to] = boundsOf(bytes.length, (index) => cutset.has(bytes.charCodeAt(index)));
    return bytes.slice(from, to);
  }
  const runes = runesOf(bytes);
  const [from, to] = boundsOf(runes.length, (index) => cutset.has(runes[index] ?? 0));
  // The bytes of what is cut away, rather than of what is kept: those may be no UTF-8.
  const length = (some: readonly number[]) => some.reduce((sum, rune) => sum + bytesOfRune(rune).length, 0);
  return bytes.slice(length(runes.slice(0, from)), bytes.length - length(runes.slice(to)));
}

function boundsOf(length: number, isCut: (index: number) => boolean): [number, number] {
  let from = 0;
  let to = length;
  while (from < to && isCut(from)) from++;
  while (to > from && isCut(to - 1)) to--;
  return [from, to];
}
