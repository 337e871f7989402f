// Cuts a template's text into tokens, one at a time, by the rules of Go's text/template: comments and what trim markers
// take away never reach the parser.

import { TemplateError } from '../templateerror.ts';
import type { Token, TokenType } from './token.ts';

const KEYWORDS = new Set(['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'range', 'template', 'with']);
const SINGLE = new Map<string, TokenType>([
  ['=', '='],
  ['|', '|'],
  [',', ','],
]);
const WORD = /[\p{L}\p{Nd}_]*/uy;
const SPACE = /[ \t\r\n]+/y;
/** Go's scanner takes more than numbers; what isn't one is refused when it is read. */
const NUMBER =
  /[+-]?(?:0[xX][\da-fA-F_]*(?:\.[\da-fA-F_]*)?(?:[pP][+-]?[\d_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?[\d_]*)?)i?/y;
const QUOTED = /"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"/y;
const CHARACTER = /'[^'\\\n]*(?:\\[^\n][^'\\\n]*)*'/y;

export class Lexer {
  readonly #text: string;
  #at = 0;
  #inside = false;
  #parentheses = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next token; `end` for ever at the end. Throws TemplateError. */
  next(): Token {
    return this.#inside ? this.#nextInside() : this.#nextOutside();
  }

  #nextOutside(): Token {
    for (;;) {
      const start = this.#at;
      const open = this.#text.indexOf('{{', start);
      if (open < 0) {
        this.#at = this.#text.length;
        return this.#token(start < this.#at ? 'text' : 'end', start);
      }
      const trims = this.#trimsAfter(open + 2);
      const text = this.#text.slice(start, open);
      const kept = trims ? text.replace(/[ \t\r\n]+$/, '') : text;
      this.#at = open;
      if (kept !== '') return { type: 'text', text: kept, start, end: start + kept.length };
      const body = open + (trims ? 4 : 2);
      if (this.#text.startsWith('/*', body)) {
        this.#skipComment(body);
        continue;
      }
      this.#at = open + 2;
      const token = this.#token('{{', open);
      this.#at = body;
      this.#inside = true;
      this.#parentheses = 0;
      return token;
    }
  }

  /** Whether "- " stands here, after an opening. */
  #trimsAfter(at: number): boolean {
    return this.#text[at] === '-' && isSpace(this.#text[at + 1]);
  }

  /** The length of `}}` or ` -}}` here, and whether it trims what follows. */
  #closing(at: number): { length: number; trims: boolean } | undefined {
    if (isSpace(this.#text[at]) && this.#text.startsWith('-}}', at + 1)) return { length: 4, trims: true };
    return this.#text.startsWith('}}', at) ? { length: 2, trims: false } : undefined;
  }

  #skipComment(start: number): void {
    const end = this.#text.indexOf('*/', start + 2);
    if (end < 0) throw new TemplateError('unclosed comment', start);
    const closing = this.#closing(end + 2);
    if (closing === undefined) throw new TemplateError('comment ends before closing delimiter', end + 2);
    this.#at = end + 2 + closing.length;
    if (closing.trims) this.#match(SPACE);
  }

  #nextInside(): Token {
    const start = this.#at;
    const closing = this.#closing(start);
    if (closing !== undefined) {
      if (this.#parentheses > 0) throw new TemplateError('unclosed left paren', start);
      this.#at += closing.length;
      const token = this.#token('}}', start);
      if (closing.trims) this.#match(SPACE);
      this.#inside = false;
      return token;
    }
    const sign = this.#text[start];
    if (sign === undefined) throw new TemplateError('unclosed action', start);
    if (isSpace(sign)) {
      this.#match(SPACE);
      // The last space belongs to a marker that follows.
      if (this.#closing(this.#at - 1)?.trims) this.#at--;
      return this.#token('space', start);
    }
    return this.#nextWord(start, sign);
  }

  #nextWord(start: number, sign: string): Token {
    const single = SINGLE.get(sign);
    if (single !== undefined) return this.#take(single, start, 1);
    switch (sign) {
      case ':':
        if (this.#text[start + 1] !== '=') throw new TemplateError('expected :=', start);
        return this.#take(':=', start, 2);
      case '"':
        return this.#literal('string', QUOTED, 'unterminated quoted string');
      case '`': {
        const end = this.#text.indexOf('`', start + 1);
        if (end < 0) throw new TemplateError('unterminated raw quoted string', start);
        return this.#take('raw string', start, end + 1 - start);
      }
      case "'":
        return this.#literal('character', CHARACTER, 'unterminated character constant');
      case '$':
        return this.#name('variable', start);
      case '(':
        this.#parentheses++;
        return this.#take('(', start, 1);
      case ')':
        if (--this.#parentheses < 0) throw new TemplateError('unexpected right paren', start);
        return this.#take(')', start, 1);
    }
    if (sign === '.' && !/[0-9]/.test(this.#text[start + 1] ?? '')) {
      const token = this.#name('field', start);
      return token.text === '.' ? { ...token, type: 'dot' } : token;
    }
    if (/[0-9.+-]/.test(sign)) return this.#number(start);
    const character = String.fromCodePoint(this.#text.codePointAt(start) ?? 0);
    if (/[\p{L}\p{Nd}_]/u.test(character)) return this.#identifier(start);
    if (/[ -~]/.test(character)) return this.#take('sign', start, 1);
    throw new TemplateError(`unrecognized character in action: ${describe(character)}`, start);
  }

  #identifier(start: number): Token {
    const token = this.#name('identifier', start, start);
    const { text } = token;
    if (KEYWORDS.has(text)) return { ...token, type: 'keyword' };
    if (text === 'true' || text === 'false') return { ...token, type: 'bool' };
    return text === 'nil' ? { ...token, type: 'nil' } : token;
  }

  /** A word, after its sign if it has one; what follows must be able to end a word. */
  #name(type: TokenType, start: number, word = start + 1): Token {
    this.#at = word;
    this.#match(WORD);
    const next = this.#text.codePointAt(this.#at);
    const end = next === undefined ? undefined : String.fromCodePoint(next);
    if (end !== undefined && !/[ \t\r\n.,|:()]/.test(end) && !this.#text.startsWith('}}', this.#at)) {
      throw new TemplateError(`bad character ${describe(end)}`, this.#at);
    }
    return this.#token(type, start);
  }

  #number(start: number): Token {
    this.#match(NUMBER);
    // Go's complex constants are scanned as one: 1+2i.
    if (/[+-]/.test(this.#text[this.#at] ?? '')) {
      this.#match(NUMBER);
      if (this.#text[this.#at - 1] !== 'i') throw this.#badNumber(start);
    }
    const next = this.#text.codePointAt(this.#at);
    if (next !== undefined && /[\p{L}\p{Nd}_]/u.test(String.fromCodePoint(next))) {
      this.#at++;
      throw this.#badNumber(start);
    }
    return this.#token('number', start);
  }

  #badNumber(start: number): TemplateError {
    return new TemplateError(`bad number syntax: ${JSON.stringify(this.#text.slice(start, this.#at))}`, start);
  }

  #literal(type: TokenType, pattern: RegExp, complaint: string): Token {
    const start = this.#at;
    if (!this.#match(pattern)) throw new TemplateError(complaint, start);
    return this.#token(type, start);
  }

  #take(type: TokenType, start: number, length: number): Token {
    this.#at = start + length;
    return this.#token(type, start);
  }

  /** Goes past what matches here. */
  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at += found[0].length;
    return found !== null;
  }

  #token(type: TokenType, start: number): Token {
    return { type, text: this.#text.slice(start, this.#at), start, end: this.#at };
  }
}

function isSpace(sign: string | undefined): boolean {
  return sign === ' ' || sign === '\t' || sign === '\r' || sign === '\n';
}

/** `U+0025 '%'`. */
function describe(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return /[\p{Cc}\p{Cs}]/u.test(character) ? `U+${code}` : `U+${code} '${character}'`;
}
