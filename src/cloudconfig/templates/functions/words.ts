// Words of a text: line breaks between them, and their first letters. As in sprig's library goutils, by bytes.

import type { Budget } from '../budget.ts';
import { bytesOfRune } from '../values/bytes.ts';
import { isSpace } from '../values/runes.ts';
import { type FunctionTable, fn2, fn3 } from './function.ts';
import { count, text } from './parameters.ts';

export const words: FunctionTable = {
  wrap: fn2(count, text, (width, bytes, { budget }) => wrap(bytes, width, '\n', false, budget)),
  wrapWith: fn3(count, text, text, (width, separator, bytes, { budget }) =>
    wrap(bytes, width, separator || '\n', true, budget),
  ),
};

/** Lines of at most the width, broken at spaces; words that are longer are cut, or left whole. */
function wrap(bytes: string, width: number, separator: string, cutsWords: boolean, budget: Budget): string {
  const length = Math.max(width, 1);
  budget.text(bytes.length + separator.length * Math.ceil(bytes.length / length));
  const lines: string[] = [];
  let at = 0;
  while (bytes.length - at > length) {
    budget.step();
    if (bytes[at] === ' ') {
      at++;
      continue;
    }
    const space = bytes.slice(at, at + length + 1).lastIndexOf(' ');
    if (space >= 0) {
      lines.push(bytes.slice(at, at + space));
      at += space + 1;
    } else if (cutsWords) {
      lines.push(bytes.slice(at, at + length));
      at += length;
    } else {
      const next = bytes.indexOf(' ', at + length);
      lines.push(bytes.slice(at, next < 0 ? undefined : next));
      if (next < 0) return lines.join(separator);
      at = next + 1;
    }
  }
  return [...lines, bytes.slice(at)].join(separator);
}

/** The first byte of each word, as a rune. */
export function initials(bytes: string): string {
  let result = '';
  let begins = true;
  for (const byte of bytes) {
    const code = byte.charCodeAt(0);
    if (isSpace(code)) begins = true;
    else if (begins) {
      result += bytesOfRune(code);
      begins = false;
    }
  }
  return result;
}
