// Parses what stands inside of an action: pipelines of commands, with their operands. Functions and variables are checked
// here.

import { nearestWord } from '../../suggestion.ts';
import { TemplateError } from '../templateerror.ts';
import { bytesOf } from '../values/bytes.ts';
import type { Command, Operand, Pipeline } from './nodes.ts';
import { parseCharacter, parseNumber } from './numbers.ts';
import type { Token } from './token.ts';
import { type Tokens, unexpected, unquoted } from './tokens.ts';

/** Blocks and parentheses inside of each other. */
const MAX_DEPTH = 200;

/** Which functions there are. */
export interface KnownFunctions {
  has: (name: string) => boolean;
  /** All, for a suggestion. */
  keys: () => Iterable<string>;
}

export class Expressions {
  readonly #tokens: Tokens;
  readonly #known: KnownFunctions;
  /** The functions that were called. */
  readonly functions = new Set<string>();
  /** The variables that are known here. */
  variables = ['$'];
  #depth = 0;

  constructor(tokens: Tokens, known: KnownFunctions) {
    this.#tokens = tokens;
    this.#known = known;
  }

  /** Goes one level down. */
  nested<T>(token: Token, action: () => T): T {
    if (this.#depth >= MAX_DEPTH) throw new TemplateError(`more than ${MAX_DEPTH} levels of nesting`, token.start);
    this.#depth++;
    const result = action();
    this.#depth--;
    return result;
  }

  /** A pipeline and its end, which is taken. */
  pipeline(context: string, end: '}}' | ')'): Pipeline {
    const { start } = this.#tokens.peekWord();
    const { variables, assigns } = this.#declarations(context);
    const commands: Command[] = [];
    while (this.#tokens.peekWord().type !== end) commands.push(this.#command(context));
    const stop = this.#tokens.nextWord();
    if (commands.length === 0) throw new TemplateError(`missing value for ${context}`, stop.start);
    for (const [index, { first }] of commands.entries()) {
      if (index > 0 && ['constant', 'number', 'nil', 'dot'].includes(first.kind)) {
        throw new TemplateError(`non executable command in pipeline stage ${index + 1}`, first.start);
      }
    }
    return { variables, assigns, commands, start, end: commands.at(-1)?.end ?? stop.start };
  }

  /** `$x :=`, `$x =`, and in a range `$i, $x :=`. */
  #declarations(context: string): { variables: string[]; assigns: boolean } {
    const variables: string[] = [];
    while (this.#tokens.peekWord().type === 'variable') {
      const variable = this.#tokens.next();
      const space = this.#tokens.peek();
      const sign = this.#tokens.peekWord();
      if (sign.type !== '=' && sign.type !== ':=' && sign.type !== ',') {
        if (space.type === 'space') this.#tokens.unread(space);
        this.#tokens.unread(variable);
        break;
      }
      this.#tokens.next();
      variables.push(variable.text);
      this.variables.push(variable.text);
      if (sign.type !== ',') return { variables, assigns: sign.type === '=' };
      if (context !== 'range' || variables.length > 1) {
        throw new TemplateError(`too many declarations in ${context}`, variable.start);
      }
      const next = this.#tokens.peekWord();
      if (next.type !== 'variable') throw new TemplateError('range can only initialize variables', next.start);
    }
    return { variables, assigns: false };
  }

  /** Operands up to a `|`, which is taken, or to the pipeline's end. */
  #command(context: string): Command {
    const first = this.#operand();
    if (first === undefined) throw unexpected(this.#tokens.peekWord(), context);
    const rest: Operand[] = [];
    for (;;) {
      const token = this.#tokens.next();
      const place = { start: first.start, end: rest.at(-1)?.end ?? first.end };
      switch (token.type) {
        case 'space': {
          const operand = this.#operand();
          if (operand !== undefined) rest.push(operand);
          break;
        }
        case '|':
          return { first, rest, ...place };
        case '}}':
        case ')':
          this.#tokens.unread(token);
          return { first, rest, ...place };
        default:
          throw unexpected(token, 'operand');
      }
    }
  }

  /** A term with the fields that are asked of it. */
  #operand(): Operand | undefined {
    const term = this.#term();
    if (term === undefined || this.#tokens.peek().type !== 'field') return term;
    const path: string[] = [];
    while (this.#tokens.peek().type === 'field') path.push(bytesOf(this.#tokens.next().text.slice(1)));
    const place = { start: term.start, end: this.#tokens.lastEnd };
    switch (term.kind) {
      case 'field':
        return { ...term, ...place, path: [...term.path, ...path] };
      case 'variable':
        return { ...term, ...place, path: [...term.path, ...path] };
      case 'function':
      case 'pipeline':
        return { kind: 'chain', base: term, path, ...place };
      default:
        throw new TemplateError('unexpected . after a value', term.end);
    }
  }

  #term(): Operand | undefined {
    const token = this.#tokens.peekWord();
    const { type, text, start, end } = token;
    const taken = <T extends Operand>(operand: T): T => {
      this.#tokens.next();
      return operand;
    };
    switch (type) {
      case 'identifier':
        if (!this.#known.has(text)) throw this.#unknownFunction(token);
        this.functions.add(text);
        return taken({ kind: 'function', name: text, start, end });
      case 'dot':
        return taken({ kind: 'dot', start, end });
      case 'nil':
        return taken({ kind: 'nil', start, end });
      case 'variable':
        if (!this.variables.includes(text)) throw new TemplateError(`undefined variable ${text}`, start);
        return taken({ kind: 'variable', name: text, path: [], start, end });
      case 'field':
        return taken({ kind: 'field', path: [bytesOf(text.slice(1))], start, end });
      case 'bool':
        return taken({ kind: 'constant', value: text === 'true', start, end });
      case 'string':
      case 'raw string':
        return taken({ kind: 'constant', value: unquoted(token), start, end });
      case 'character': {
        const number = parseCharacter(text);
        if (number === undefined) throw new TemplateError(`malformed character constant: ${text}`, start);
        return taken({ kind: 'number', number, start, end });
      }
      case 'number': {
        const number = parseNumber(text);
        if (typeof number === 'string') throw new TemplateError(number, start);
        return taken({ kind: 'number', number, start, end });
      }
      case '(': {
        this.#tokens.next();
        const pipeline = this.nested(token, () => this.pipeline('parenthesized pipeline', ')'));
        return { kind: 'pipeline', pipeline, start, end: this.#tokens.lastEnd };
      }
      default:
        return undefined;
    }
  }

  #unknownFunction({ text, start }: Token): TemplateError {
    const nearest = nearestWord(text, this.#known.keys());
    const hint = nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
    return new TemplateError(`function ${JSON.stringify(text)} not defined${hint}`, start);
  }
}
