// Go's regular expressions (RE2) as conditions use them: found anywhere in a text. A plain pattern means the same to
// JavaScript, which has its engine at hand; for the others a real RE2 is loaded; and one with look-around, which RE2
// doesn't know, is translated for JavaScript, since people write it although the originals always skip the step.

import type { RE2JS } from 're2js';

export type PatternMatch =
  /** `foreign`: the originals can't use the pattern. */
  | { found: boolean; foreign: boolean }
  /** Nobody can use it; why, in the words of RE2. */
  | { invalid: string };

/** Nothing but what RE2 and JavaScript read alike and JavaScript decides at once: no group is repeated. */
const PLAIN = /^(?:[\^$|()]|(?:[\w /,:@=%~-]|\\[.\-/d]|\.|\[\^?[\w .:-]+\])[*+?]?)*$/;
/** What a backtracking engine may not come back from. */
const NESTED_REPETITION = /[*+}][^()]*\)[*+{]/;
const PRINTABLE = /^[ -~]*$/;

/**
 * Looks for a pattern in a text.
 * @param options.ignoreCase as if it began with `(?i)`.
 */
export async function matchPattern(
  pattern: string,
  text: string,
  options: { ignoreCase?: boolean } = {},
): Promise<PatternMatch> {
  const flags = options.ignoreCase ? 'i' : '';
  const plain = isPlain(pattern) && PRINTABLE.test(text) ? compileJs(pattern, flags) : undefined;
  if (plain !== undefined) return { found: plain.test(text), foreign: false };
  try {
    const found = (await compileRe2(options.ignoreCase ? `(?i)${pattern}` : pattern)).matcher(text).find();
    return { found, foreign: false };
  } catch (error) {
    const foreign = withoutRe2(pattern, error, flags);
    return foreign instanceof RegExp ? { found: foreign.test(text), foreign: true } : foreign;
  }
}

/**
 * A pattern that RE2 refuses, for JavaScript, when that is what was meant.
 * @param refusal what RE2 threw.
 */
export function withoutRe2(pattern: string, refusal: unknown, flags = ''): RegExp | { invalid: string } {
  if (hasLookAround(pattern) && NESTED_REPETITION.test(pattern)) {
    return { invalid: 'look-around together with a repeated group that repeats something could take for ever' };
  }
  const translated = hasLookAround(pattern) ? translate(pattern) : undefined;
  const foreign = translated && compileJs(translated.source, `${translated.flags}${flags}`);
  if (foreign !== undefined) return foreign;
  return {
    invalid: (refusal instanceof Error ? refusal.message : String(refusal)).replace(/^error parsing regexp: /, ''),
  };
}

/** The patterns that were used last: files have the same few in many steps, and compiling one takes a millisecond. */
const compiled = new Map<string, RE2JS>();
const MAX_COMPILED = 100;

async function compileRe2(pattern: string): Promise<RE2JS> {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  // Takes milliseconds to load, which is why it isn't imported above.
  const { RE2JS: Engine } = await import('re2js');
  const result = Engine.compile(pattern);
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(pattern, result);
  return result;
}

function isPlain(pattern: string): boolean {
  // Each repetition multiplies the ways that a backtracking engine tries.
  return pattern.length <= 200 && (pattern.match(/[*+?]/g)?.length ?? 0) <= 3 && PLAIN.test(pattern);
}

/** Whether it has look-ahead, look-behind or a back-reference. */
export function hasLookAround(pattern: string): boolean {
  return /\(\?(?:=|!|<=|<!)|\\(?:[1-9]|k<)/.test(pattern);
}

/** Whether it demands that something is not there. */
export function isNegative(pattern: string): boolean {
  return /\(\?<?!/.test(pattern);
}

function compileJs(source: string, flags: string): RegExp | undefined {
  try {
    return new RegExp(source, [...new Set(flags)].join(''));
  } catch {
    return undefined;
  }
}

/** POSIX classes as they stand inside of brackets. */
const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\0-\\x7f',
  blank: '\\t ',
  cntrl: '\\0-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
};

/** One piece of RE2's syntax at a time: those that JavaScript reads differently have a group of their own. */
const TOKEN =
  /\\Q(?<literal>[\s\S]*?)(?:\\E|$)|\\(?<property>[pP])(?<letter>[A-Z])|\\(?<anchor>[Az])|(?<space>\\[sS])|\\[\s\S]|\(\?P(?=<)|\[:(?<posix>\^?[a-z]+):\]|(?<bracket>[[\]])|(?<dot>\.)|[\s\S]/g;

/** A pattern with look-around for JavaScript: flags at its start, names, anchors and classes in JavaScript's words. */
function translate(pattern: string): { source: string; flags: string } {
  const [head = '', letters = ''] = pattern.match(/^\(\?([ims]+)\)/) ?? [];
  let inClass = false;
  const source = pattern.slice(head.length).replace(TOKEN, (token, ...rest) => {
    const groups: Record<string, string | undefined> = rest.at(-1);
    const { literal, property, letter, anchor, space, posix, bracket, dot } = groups;
    if (literal !== undefined) return literal.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
    if (property !== undefined) return `\\${property}{${letter}}`;
    if (anchor !== undefined) return anchor === 'A' ? '(?<![\\s\\S])' : '(?![\\s\\S])';
    if (space !== undefined && !(inClass && space === '\\S')) {
      const blanks = '\\t\\n\\f\\r ';
      if (inClass) return blanks;
      return space === '\\s' ? `[${blanks}]` : `[^${blanks}]`;
    }
    if (posix !== undefined && inClass) return POSIX[posix] ?? token;
    if (bracket !== undefined) inClass = bracket === '[';
    if (dot !== undefined && !inClass && !letters.includes('s')) return '[^\\n]';
    return token === '(?P' ? '(?' : token;
  });
  return { source, flags: `${letters}${/\\[pP]\{/.test(source) ? 'u' : ''}` };
}
