// Words of a text as a POSIX shell splits it, without expanding anything: how the originals read the kernel command line
// in dot notation. An unterminated quote costs its word and everything after it, as it does there.

export interface Word {
  text: string;
  /** Where it begins in the text. */
  offset: number;
}

export interface Words {
  words: readonly Word[];
  /** Where the word begins whose quote or backslash has no end; it and what follows are no words. */
  unterminated?: number;
}

/**
 * Splits a text (google/shlex): white space separates, `'…'` is literal, in `"…"` and outside a backslash takes the next
 * character as it is, and `#` at the start of a word begins a comment up to the end of the line.
 */
export function splitWords(text: string): Words {
  const words: Word[] = [];
  let at = 0;
  while (at < text.length) {
    const first = text.charAt(at);
    if (isBlank(first)) {
      at += 1;
    } else if (first === '#') {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end + 1;
    } else {
      const offset = at;
      let word = '';
      while (at < text.length && !isBlank(text.charAt(at))) {
        const piece = nextPiece(text, at);
        if (piece === undefined) return { words, unterminated: offset };
        word += piece.text;
        at = piece.end;
      }
      words.push({ text: word, offset });
    }
  }
  return { words };
}

/** A quoted part, an escaped character, or a run of plain ones; undefined when it has no end. */
function nextPiece(text: string, at: number): { text: string; end: number } | undefined {
  const first = text.charAt(at);
  if (first === '\\') return at + 1 < text.length ? { text: text.charAt(at + 1), end: at + 2 } : undefined;
  if (first === "'") {
    const end = text.indexOf("'", at + 1);
    return end < 0 ? undefined : { text: text.slice(at + 1, end), end: end + 1 };
  }
  if (first === '"') return doubleQuoted(text, at + 1);
  let end = at + 1;
  while (end < text.length && !/[ \t\r\n'"\\]/.test(text.charAt(end))) end += 1;
  return { text: text.slice(at, end), end };
}

function doubleQuoted(text: string, start: number): { text: string; end: number } | undefined {
  let result = '';
  for (let at = start; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '"') return { text: result, end: at + 1 };
    if (character === '\\') at += 1;
    result += text.charAt(at);
  }
  return undefined;
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\n' || character === '\r';
}
