// Broken YAML in words for people who write stage files by hand: what it means and what usually mends it. The parser says
// where it stopped; what was meant is often clear from the lines around.

import { findOpenings } from './looseyaml.ts';

/** What the parser says (js-yaml 5) and what it means, the more special first. */
const EXPLANATIONS: readonly { reason: RegExp; message?: string; hint: string }[] = [
  { reason: /^tab characters/, message: 'a tab is used for indentation', hint: 'indent with spaces only' },
  {
    reason: /sequence entry$/,
    message: 'a list item does not begin with "- "',
    hint: 'the line is indented as if it belonged to the list above it',
  },
  {
    reason: /^bad indentation of a mapping entry/,
    hint: 'keys of one mapping and items of one list must start in the same column',
  },
  {
    reason: /multiline key/,
    message: 'a key goes over more than one line',
    hint: 'is a ":" missing in the line before?',
  },
  {
    reason: /quoted scalar$/,
    message: 'a quote is not closed',
    hint: 'look for a quote that is missing in this line or above',
  },
  { reason: /flow collection/, hint: 'look for a bracket or comma that is missing here or in the line before' },
  {
    reason: /^(?:unknown escape|expected hexadecimal)/,
    message: 'an unknown escape in double quotes',
    hint: 'in double quotes a backslash starts an escape: write \\\\ or use single quotes',
  },
  { reason: /alias node|anchor node/, hint: 'text that starts with * or & must be in quotes' },
  { reason: /tag (?:handle|suffix|name)/, hint: 'text that starts with ! must be in quotes' },
  { reason: /^directive|directives end/, hint: 'text that starts with % must be in quotes' },
  { reason: /block scalar|chomping|indentation width/, hint: 'after | or > only "-", "+" or a digit may stand' },
  { reason: /non-printable|null byte/, hint: 'the file holds bytes that are no text; put them in as base64' },
];

const FALLBACK_HINT = 'look at the indentation and the quotes of this line and of the one before';

/**
 * A parser's complaint as one sentence with a hint.
 * @param position where the parser stopped, as an offset in the text.
 * @returns also the offset to point at.
 */
export function explainSyntaxError(
  reason: string,
  text: string,
  position: number,
): { message: string; hint: string; offset: number } {
  // The parser often stops at the end of a line; the caret belongs under its first letter.
  const offset = skipBlanks(text, position);
  const broken = (message: string, hint: string, at = offset) => ({
    message: `the YAML is broken: ${message}`,
    hint,
    offset: at,
  });
  const openings = findOpenings(text);
  // What comes after the error is not its cause.
  const unclosed = (openings.unclosed ?? text.length) <= position ? openings.unclosed : undefined;
  const sign = unclosed === undefined ? '' : text.charAt(unclosed);
  if (unclosed !== undefined && /["']/.test(sign)) {
    return broken('the quote that opens here is not closed', `add ${sign} at the end of the text`, unclosed);
  }
  if (unclosed !== undefined && /deficient|flow collection/.test(reason)) {
    const closing = sign === '[' ? ']' : '}';
    return broken('the bracket that opens here is not closed', `add ${closing} after the last item`, unclosed);
  }
  const before = openings.quoted.find(({ start, end }) => start <= position && isFollowed(text, end));
  if (before !== undefined) {
    const quote = text.charAt(before.start);
    const other = quote === '"' ? "'" : '"';
    const lines = text.slice(before.start, before.end).split('\n').length - 1;
    if (lines > 0) {
      return broken(
        `the quote that opens here is closed ${lines === 1 ? 'in the next line' : `${lines} lines below`}`,
        `is ${quote} missing at the end of this line?`,
        before.start,
      );
    }
    return broken(
      'something follows a text in quotes',
      `to have quotes inside of a text, put all of it into the other ones: ${other}…${other}`,
      skipBlanks(text, before.end),
    );
  }
  if (/[@%`]/.test(text.charAt(offset))) {
    return broken(`a text can't begin with ${text.charAt(offset)}`, 'put it in quotes');
  }
  if (reason.startsWith('bad indentation of a mapping entry')) {
    const value = valueWithColon(text, position);
    if (value !== undefined) {
      return broken(
        'a second ": " in one line',
        'put the value in quotes, or begin the inner mapping on a line of its own',
        value,
      );
    }
  }
  const known = EXPLANATIONS.find((explanation) => explanation.reason.test(reason));
  return broken(known?.message ?? reason, known?.hint ?? FALLBACK_HINT);
}

/** Whether something stands behind a closing quote that can't. */
function isFollowed(text: string, end: number): boolean {
  const lineEnd = text.indexOf('\n', end);
  return /^[^\S\n]*[^\s#:,\]}]/.test(text.slice(end, lineEnd < 0 ? undefined : lineEnd));
}

/** Where the value begins of a line that has a second ": " in it. */
function valueWithColon(text: string, position: number): number | undefined {
  const start = text.lastIndexOf('\n', position - 1) + 1;
  const end = text.indexOf('\n', start);
  const line = text.slice(start, end < 0 ? undefined : end);
  const key = line.match(/^(?:\s*-(?=\s))*\s*[^\s"'][^:]*:\s+/)?.[0].length;
  return key !== undefined && /:(?:\s|$)/.test(line.slice(key)) ? start + key : undefined;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ') at += 1;
  return at;
}
