// Parses a template by the grammar of Go's text/template: text, actions, and the blocks that actions begin and end.

import { TemplateError } from '../templateerror.ts';
import { bytesOf } from '../values/bytes.ts';
import { Expressions, type KnownFunctions } from './expressions.ts';
import type { Node, Template } from './nodes.ts';
import type { Token } from './token.ts';
import { isKeyword, Tokens, unexpected, unquoted } from './tokens.ts';

/** How a list of nodes ended. */
interface ListEnd {
  token: Token;
  /** The keyword after `else`, which begins the next link of a chain. */
  chained?: 'if' | 'with';
}

/** Parses a text. Throws TemplateError. */
export function parseTemplate(text: string, known: KnownFunctions): Template {
  return new Parser(text, known).parse();
}

class Parser {
  readonly #tokens: Tokens;
  readonly #expressions: Expressions;
  readonly #definitions = new Map<string, readonly Node[]>();
  #rangeDepth = 0;

  constructor(text: string, known: KnownFunctions) {
    this.#tokens = new Tokens(text);
    this.#expressions = new Expressions(this.#tokens, known);
  }

  parse(): Template {
    const root: Node[] = [];
    for (let token = this.#tokens.peek(); token.type !== 'end'; token = this.#tokens.peek()) {
      if (token.type === '{{') {
        this.#tokens.next();
        if (isKeyword(this.#tokens.peekWord(), 'define')) {
          this.#tokens.next();
          this.#define(token);
          continue;
        }
        this.#tokens.unread(token);
      }
      const node = this.#node();
      if ('token' in node) throw unexpected(node.token, 'the template');
      root.push(node);
    }
    return { root, definitions: this.#definitions, functions: this.#expressions.functions };
  }

  #define(start: Token): void {
    const name = this.#templateName('define clause');
    this.#tokens.expect('}}', 'define clause');
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
    const [variables, rangeDepth] = [this.#expressions.variables, this.#rangeDepth];
    this.#expressions.variables = ['$'];
    this.#rangeDepth = 0;
    const result = action();
    this.#expressions.variables = variables;
    this.#rangeDepth = rangeDepth;
    return result;
  }

  /** Nodes up to an `end`. */
  #list(context: string): readonly Node[] {
    const { nodes, end } = this.#nodes();
    if (end.token.text !== 'end') throw unexpected(end.token, context);
    return nodes;
  }

  /** Nodes up to an `end` or `else`, whose action is taken. */
  #nodes(): { nodes: readonly Node[]; end: ListEnd } {
    const nodes: Node[] = [];
    for (;;) {
      if (this.#tokens.peek().type === 'end') throw new TemplateError('unexpected EOF', this.#tokens.peek().start);
      const node = this.#node();
      if ('token' in node) return { nodes, end: node };
      nodes.push(node);
    }
  }

  #node(): Node | ListEnd {
    const token = this.#tokens.next();
    const { start, end } = token;
    if (token.type === 'text') return { kind: 'text', bytes: bytesOf(token.text), start, end };
    if (token.type !== '{{') throw unexpected(token, 'input');
    const word = this.#tokens.peekWord();
    if (word.type !== 'keyword') {
      const pipeline = this.#expressions.pipeline('command', '}}');
      return { kind: 'action', pipeline, start, end: this.#tokens.lastEnd };
    }
    this.#tokens.next();
    const node = this.#expressions.nested(word, () => this.#control(word));
    return 'token' in node ? node : { ...node, start, end: this.#tokens.lastEnd };
  }

  #control(word: Token): Node | ListEnd {
    const { start, end } = word;
    switch (word.text) {
      case 'if':
      case 'with':
      case 'range':
        return this.#block(word.text, word);
      case 'template': {
        const name = this.#templateName('template clause');
        const closes = this.#tokens.peekWord().type === '}}';
        const pipeline = closes ? undefined : this.#expressions.pipeline('template clause', '}}');
        if (closes) this.#tokens.expect('}}', 'template clause');
        return { kind: 'template', name, pipeline, start, end };
      }
      case 'block': {
        const name = this.#templateName('block clause');
        const pipeline = this.#expressions.pipeline('block clause', '}}');
        const body = this.#separately(() => this.#list('block clause'));
        this.#add(name, body, word);
        return { kind: 'template', name, pipeline, start, end };
      }
      case 'break':
      case 'continue':
        this.#tokens.expect('}}', `{{${word.text}}}`);
        if (this.#rangeDepth === 0) throw new TemplateError(`{{${word.text}}} outside {{range}}`, start);
        return { kind: word.text, start, end };
      case 'else': {
        const next = this.#tokens.peekWord();
        if (isKeyword(next, 'if')) return { token: word, chained: 'if' };
        if (isKeyword(next, 'with')) return { token: word, chained: 'with' };
        this.#tokens.expect('}}', 'else');
        return { token: word };
      }
      case 'end':
        this.#tokens.expect('}}', 'end');
        return { token: word };
      default:
        throw unexpected(word, 'command');
    }
  }

  /** `if`, `with`, `range` with everything up to its `end`. A chain of `else if` is one block inside of the other. */
  #block(kind: 'if' | 'with' | 'range', word: Token): Node {
    const known = this.#expressions.variables.length;
    const pipeline = this.#expressions.pipeline(kind, '}}');
    if (kind === 'range') this.#rangeDepth++;
    const { nodes: body, end } = this.#nodes();
    if (kind === 'range') this.#rangeDepth--;
    const otherwise = end.token.text === 'else' ? this.#otherwise(kind, end) : [];
    this.#expressions.variables.length = known;
    return { kind, pipeline, body, otherwise, start: word.start, end: this.#tokens.lastEnd };
  }

  #otherwise(kind: 'if' | 'with' | 'range', { token, chained }: ListEnd): readonly Node[] {
    if (chained === kind) {
      this.#tokens.next();
      return [this.#expressions.nested(token, () => this.#block(chained, token))];
    }
    // `{{ else if }}` of another block: the rest of the action isn't text.
    if (chained !== undefined) throw unexpected(this.#tokens.peek(), 'input');
    return this.#list('expected end;');
  }

  #templateName(context: string): string {
    const token = this.#tokens.nextWord();
    if (token.type !== 'string' && token.type !== 'raw string') throw unexpected(token, context);
    return unquoted(token);
  }
}

/** Whether it holds nothing but space: such a definition gives way to another one of its name. */
function isBlank(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.kind === 'text' && node.bytes.trim() === '');
}
