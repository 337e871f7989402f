// Parses a template by the grammar of Go's text/template. Functions and variables are checked here, as there.

import { nearestWord } from '../../suggestion.ts';
import { TemplateError } from '../templateerror.ts';
import { bytesOf } from '../values/bytes.ts';
import { Lexer } from './lexer.ts';
import type { Command, Node, Operand, Pipeline, Template } from './nodes.ts';
import { parseCharacter, parseNumber } from './numbers.ts';
import { unquote } from './quotes.ts';
import type { Token, TokenType } from './token.ts';

/** Blocks and parentheses inside of each other. */
const MAX_DEPTH = 200;

/** How a list of nodes ended. */
interface ListEnd {
  token: Token;
  /** The keyword after `else`, which begins the next link of a chain. */
  chained?: 'if' | 'with';
}

/**
 * Parses a text.
 * @param knows whether there is a function of that name.
 * @param names all functions, for a suggestion.
 * @throws TemplateError
 */
export function parseTemplate(text: string, knows: (name: string) => boolean, names: () => Iterable<string>): Template {
  return new Parser(text, knows, names).parse();
}

class Parser {
  readonly #lexer: Lexer;
  readonly #knows: (name: string) => boolean;
  readonly #names: () => Iterable<string>;
  readonly #definitions = new Map<string, readonly Node[]>();
  readonly #functions = new Set<string>();
  /** Tokens that were looked at and not taken. */
  readonly #ahead: Token[] = [];
  #variables = ['$'];
  #rangeDepth = 0;
  #depth = 0;

  constructor(text: string, knows: (name: string) => boolean, names: () => Iterable<string>) {
    this.#lexer = new Lexer(text);
    this.#knows = knows;
    this.#names = names;
  }

  parse(): Template {
    const root: Node[] = [];
    for (let token = this.#peek(); token.type !== 'end'; token = this.#peek()) {
      if (token.type === '{{') {
        this.#next();
        if (this.#isKeyword(this.#peekWord(), 'define')) {
          this.#next();
          this.#define(token);
          continue;
        }
        this.#ahead.unshift(token);
      }
      const node = this.#node();
      if ('token' in node) throw this.#unexpected(node.token, 'the template');
      root.push(node);
    }
    return { root, definitions: this.#definitions, functions: this.#functions };
  }

  #define(start: Token): void {
    const name = this.#templateName('define clause');
    this.#expect('}}', 'define clause');
    const body = this.#separately(() => this.#list('define clause'));
    this.#add(name, body, start);
  }

  #add(name: string, body: readonly Node[], start: Token): void {
    const known = this.#definitions.get(name);
    if (known !== undefined && !isBlank(known)) {
      if (isBlank(body)) return;
      throw new TemplateError(`multiple definition of template ${JSON.stringify(name)}`, start.start);
    }
    this.#definitions.set(name, body);
  }

  /** A template of its own: no variables, no loop around it. */
  #separately<T>(action: () => T): T {
    const [variables, rangeDepth] = [this.#variables, this.#rangeDepth];
    this.#variables = ['$'];
    this.#rangeDepth = 0;
    const result = action();
    this.#variables = variables;
    this.#rangeDepth = rangeDepth;
    return result;
  }

  /** Nodes up to an `end`. */
  #list(context: string): readonly Node[] {
    const { nodes, end } = this.#nodes();
    if (end.token.text !== 'end') throw this.#unexpected(end.token, context);
    return nodes;
  }

  /** Nodes up to an `end` or `else`, whose action is taken. */
  #nodes(): { nodes: readonly Node[]; end: ListEnd } {
    const nodes: Node[] = [];
    for (;;) {
      if (this.#peek().type === 'end') throw new TemplateError('unexpected EOF', this.#peek().start);
      const node = this.#node();
      if ('token' in node) return { nodes, end: node };
      nodes.push(node);
    }
  }

  #node(): Node | ListEnd {
    const token = this.#next();
    const { start, end } = token;
    if (token.type === 'text') return { kind: 'text', bytes: bytesOf(token.text), start, end };
    if (token.type !== '{{') throw this.#unexpected(token, 'input');
    const word = this.#peekWord();
    if (word.type !== 'keyword') {
      const pipeline = this.#pipeline('command', '}}');
      return { kind: 'action', pipeline, start, end: this.#lastEnd };
    }
    this.#next();
    const node = this.#nested(word, () => this.#control(word));
    return 'token' in node ? node : { ...node, start, end: this.#lastEnd };
  }

  /** Where the last token that was taken ends. */
  #lastEnd = 0;

  #control(word: Token): Node | ListEnd {
    const { start, end } = word;
    switch (word.text) {
      case 'if':
      case 'with':
      case 'range':
        return this.#block(word.text, word);
      case 'template': {
        const name = this.#templateName('template clause');
        const closes = this.#peekWord().type === '}}';
        const pipeline = closes ? undefined : this.#pipeline('template clause', '}}');
        if (closes) this.#expect('}}', 'template clause');
        return { kind: 'template', name, pipeline, start, end };
      }
      case 'block': {
        const name = this.#templateName('block clause');
        const pipeline = this.#pipeline('block clause', '}}');
        const body = this.#separately(() => this.#list('block clause'));
        this.#add(name, body, word);
        return { kind: 'template', name, pipeline, start, end };
      }
      case 'break':
      case 'continue':
        this.#expect('}}', `{{${word.text}}}`);
        if (this.#rangeDepth === 0) throw new TemplateError(`{{${word.text}}} outside {{range}}`, start);
        return { kind: word.text, start, end };
      case 'else': {
        const next = this.#peekWord();
        if (this.#isKeyword(next, 'if')) return { token: word, chained: 'if' };
        if (this.#isKeyword(next, 'with')) return { token: word, chained: 'with' };
        this.#expect('}}', 'else');
        return { token: word };
      }
      case 'end':
        this.#expect('}}', 'end');
        return { token: word };
      default:
        throw this.#unexpected(word, 'command');
    }
  }

  /** `if`, `with`, `range` with everything up to its `end`. A chain of `else if` is one block inside of the other. */
  #block(kind: 'if' | 'with' | 'range', word: Token): Node {
    const known = this.#variables.length;
    const pipeline = this.#pipeline(kind, '}}');
    if (kind === 'range') this.#rangeDepth++;
    const { nodes: body, end } = this.#nodes();
    if (kind === 'range') this.#rangeDepth--;
    const otherwise = end.token.text === 'else' ? this.#otherwise(kind, end) : [];
    this.#variables.length = known;
    return { kind, pipeline, body, otherwise, start: word.start, end: this.#lastEnd };
  }

  #otherwise(kind: 'if' | 'with' | 'range', { token, chained }: ListEnd): readonly Node[] {
    if (chained === kind) {
      this.#next();
      return [this.#nested(token, () => this.#block(chained, token))];
    }
    // `{{ else if }}` of another block: the rest of the action isn't text.
    if (chained !== undefined) throw this.#unexpected(this.#peek(), 'input');
    return this.#list('expected end;');
  }

  #nested<T>(token: Token, action: () => T): T {
    if (this.#depth >= MAX_DEPTH) throw new TemplateError(`more than ${MAX_DEPTH} levels of nesting`, token.start);
    this.#depth++;
    const result = action();
    this.#depth--;
    return result;
  }

  #templateName(context: string): string {
    const token = this.#nextWord();
    if (token.type !== 'string' && token.type !== 'raw string') throw this.#unexpected(token, context);
    return this.#unquoted(token);
  }

  #pipeline(context: string, end: '}}' | ')'): Pipeline {
    const { start } = this.#peekWord();
    const { variables, assigns } = this.#declarations(context);
    const commands: Command[] = [];
    while (this.#peekWord().type !== end) commands.push(this.#command(context));
    const stop = this.#nextWord();
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
    while (this.#peekWord().type === 'variable') {
      const variable = this.#next();
      const space = this.#peek();
      const sign = this.#peekWord();
      if (sign.type !== '=' && sign.type !== ':=' && sign.type !== ',') {
        if (space.type === 'space') this.#ahead.unshift(space);
        this.#ahead.unshift(variable);
        break;
      }
      this.#next();
      variables.push(variable.text);
      this.#variables.push(variable.text);
      if (sign.type !== ',') return { variables, assigns: sign.type === '=' };
      if (context !== 'range' || variables.length > 1) {
        throw new TemplateError(`too many declarations in ${context}`, variable.start);
      }
      const next = this.#peekWord();
      if (next.type !== 'variable') throw new TemplateError('range can only initialize variables', next.start);
    }
    return { variables, assigns: false };
  }

  /** Operands up to a `|`, which is taken, or to the pipeline's end. */
  #command(context: string): Command {
    const first = this.#operand();
    if (first === undefined) throw this.#unexpected(this.#peekWord(), context);
    const rest: Operand[] = [];
    for (;;) {
      const token = this.#next();
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
          this.#ahead.unshift(token);
          return { first, rest, ...place };
        default:
          throw this.#unexpected(token, 'operand');
      }
    }
  }

  /** A term with the fields that are asked of it. */
  #operand(): Operand | undefined {
    const term = this.#term();
    if (term === undefined || this.#peek().type !== 'field') return term;
    const path: string[] = [];
    while (this.#peek().type === 'field') path.push(bytesOf(this.#next().text.slice(1)));
    const place = { start: term.start, end: this.#lastEnd };
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
    const token = this.#peekWord();
    const { type, text, start, end } = token;
    const taken = <T extends Operand>(operand: T): T => {
      this.#next();
      return operand;
    };
    switch (type) {
      case 'identifier':
        if (!this.#knows(text)) throw this.#unknownFunction(token);
        this.#functions.add(text);
        return taken({ kind: 'function', name: text, start, end });
      case 'dot':
        return taken({ kind: 'dot', start, end });
      case 'nil':
        return taken({ kind: 'nil', start, end });
      case 'variable':
        if (!this.#variables.includes(text)) throw new TemplateError(`undefined variable ${text}`, start);
        return taken({ kind: 'variable', name: text, path: [], start, end });
      case 'field':
        return taken({ kind: 'field', path: [bytesOf(text.slice(1))], start, end });
      case 'bool':
        return taken({ kind: 'constant', value: text === 'true', start, end });
      case 'string':
      case 'raw string':
        return taken({ kind: 'constant', value: this.#unquoted(token), start, end });
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
        this.#next();
        const pipeline = this.#nested(token, () => this.#pipeline('parenthesized pipeline', ')'));
        return { kind: 'pipeline', pipeline, start, end: this.#lastEnd };
      }
      default:
        return undefined;
    }
  }

  #unknownFunction({ text, start }: Token): TemplateError {
    const nearest = nearestWord(text, this.#names());
    const hint = nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
    return new TemplateError(`function ${JSON.stringify(text)} not defined${hint}`, start);
  }

  #unquoted({ text, start }: Token): string {
    const bytes = unquote(text);
    if (bytes === undefined) throw new TemplateError(`invalid escape in ${text}`, start);
    return bytes;
  }

  #isKeyword(token: Token, word: string): boolean {
    return token.type === 'keyword' && token.text === word;
  }

  #unexpected({ type, text, start }: Token, context: string): TemplateError {
    const what = type === 'end' ? 'end of the text' : JSON.stringify(text.length > 20 ? `${text.slice(0, 20)}…` : text);
    return new TemplateError(`unexpected ${what} in ${context}`, start);
  }

  #next(): Token {
    const token = this.#ahead.shift() ?? this.#lexer.next();
    this.#lastEnd = token.end;
    return token;
  }

  #peek(): Token {
    const token = this.#ahead[0] ?? this.#lexer.next();
    if (this.#ahead.length === 0) this.#ahead.push(token);
    return token;
  }

  /** Goes past space, which inside of an action only separates. */
  #peekWord(): Token {
    while (this.#peek().type === 'space') this.#ahead.shift();
    return this.#peek();
  }

  #nextWord(): Token {
    this.#peekWord();
    return this.#next();
  }

  #expect(type: TokenType, context: string): Token {
    const token = this.#nextWord();
    if (token.type !== type) throw this.#unexpected(token, context);
    return token;
  }
}

/** Whether it holds nothing but space: such a definition gives way to another one of its name. */
function isBlank(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.kind === 'text' && node.bytes.trim() === '');
}
