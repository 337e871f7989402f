// The tokens of a template one after the other, with a look ahead as far as the grammar needs it.

import { TemplateError } from '../templateerror.ts';
import { Lexer } from './lexer.ts';
import { unquote } from './quotes.ts';
import type { Token, TokenType } from './token.ts';

export class Tokens {
  readonly #lexer: Lexer;
  /** Looked at and not taken. */
  readonly #ahead: Token[] = [];
  /** Where the last token that was taken ends. */
  lastEnd = 0;

  constructor(text: string) {
    this.#lexer = new Lexer(text);
  }

  next(): Token {
    const token = this.#ahead.shift() ?? this.#lexer.next();
    this.lastEnd = token.end;
    return token;
  }

  peek(): Token {
    const token = this.#ahead[0] ?? this.#lexer.next();
    if (this.#ahead.length === 0) this.#ahead.push(token);
    return token;
  }

  /** Goes past space, which inside of an action only separates. */
  peekWord(): Token {
    while (this.peek().type === 'space') this.#ahead.shift();
    return this.peek();
  }

  nextWord(): Token {
    this.peekWord();
    return this.next();
  }

  expect(type: TokenType, context: string): Token {
    const token = this.nextWord();
    if (token.type !== type) throw unexpected(token, context);
    return token;
  }

  /** Gives a token back. */
  unread(token: Token): void {
    this.#ahead.unshift(token);
  }
}

export function isKeyword(token: Token, word: string): boolean {
  return token.type === 'keyword' && token.text === word;
}

/** The bytes of a literal. */
export function unquoted({ text, start }: Token): string {
  const bytes = unquote(text);
  if (bytes === undefined) throw new TemplateError(`invalid escape in ${text}`, start);
  return bytes;
}

export function unexpected({ type, text, start }: Token, context: string): TemplateError {
  const what = type === 'end' ? 'end of the text' : JSON.stringify(text.length > 20 ? `${text.slice(0, 20)}…` : text);
  return new TemplateError(`unexpected ${what} in ${context}`, start);
}
