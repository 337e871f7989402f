// A YAML text as nodes with their places and source text, within limits that keep a hostile file from costing time,
// memory or the stack. Anchors, merge keys and duplicate keys are resolved here, as go-yaml does it.

import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type ParsedNode,
  Parser,
  Scalar,
  visit,
  YAMLMap,
  type Document as YamlDocument,
} from 'yaml';
import type { SourceLocation } from '../system/errors.ts';
import type { ScalarText } from './scalar.ts';
import { explainSyntaxError } from './syntaxerror.ts';

export const LIMITS = {
  textBytes: 8 << 20,
  /** Nested lists and mappings. The parser's composer recurses, and a deep enough file would end the process. */
  depth: 100,
  tokens: 1_000_000,
  /** Values that one file may decode to, aliases expanded. */
  values: 250_000,
} as const;

/** A text that can't be used at all: broken syntax or beyond a limit. */
export class YamlError extends Error {
  readonly location: SourceLocation;
  readonly hint: string | undefined;

  constructor(message: string, location: SourceLocation, hint?: string) {
    super(message);
    this.location = location;
    this.hint = hint;
  }
}

export interface Entry {
  key: string;
  keyNode: Node;
  /** null where the file has none. */
  value: Node | null;
}

/** What a mapping holds; `merged` came through `<<` and gives way to `own`. */
export interface Entries {
  own: readonly Entry[];
  merged: readonly Entry[];
}

export class YamlText {
  readonly file: string;
  /** The first document's content; null when there is none. */
  readonly contents: Node | null;
  /** Where a further document with content starts; it isn't used. */
  readonly furtherDocument: SourceLocation | undefined;
  readonly #text: string;
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, Node[]>();
  readonly #entries = new Map<YAMLMap, Entries>();

  /** @throws YamlError when the text is broken or beyond a limit. */
  constructor(text: string, file: string) {
    this.file = file;
    this.#text = text.startsWith('\uFEFF') ? text.slice(1) : text;
    this.#lines = new LineCounter();
    if (Buffer.byteLength(text) > LIMITS.textBytes)
      throw this.#limit(`is larger than ${LIMITS.textBytes >> 20} MiB`, 0);

    // failsafe: every scalar stays text; what it means is decided by the type that is wanted.
    const composer = new Composer<ParsedNode, false>({
      schema: 'failsafe',
      resolveKnownTags: false,
      uniqueKeys: false,
      strict: false,
      prettyErrors: false,
    });
    let first: YamlDocument.Parsed<ParsedNode, false> | undefined;
    let further: SourceLocation | undefined;
    for (const document of composer.compose(this.#tokens())) {
      if (first === undefined) first = document;
      else if (hasContent(document)) {
        further = this.locate(document.range[0]);
        break;
      }
    }
    const error = first?.errors[0];
    if (error !== undefined) {
      const { message, hint } = explainSyntaxError(error);
      // Where the complaint is about indentation, the caret belongs under the first letter.
      const blanks = this.#text.slice(error.pos[0]).match(/^ */)?.[0].length ?? 0;
      throw new YamlError(message, this.locate(error.pos[0] + blanks), hint);
    }
    this.furtherDocument = further;
    this.contents = first?.contents ?? null;
    visit(this.contents, {
      Node: (_key, node) => {
        if (isAlias(node) || node.anchor === undefined) return;
        const known = this.#anchors.get(node.anchor);
        if (known === undefined) this.#anchors.set(node.anchor, [node]);
        else known.push(node);
      },
    });
  }

  *#tokens() {
    const parser = new Parser(this.#lines.addNewLine);
    this.#lines.addNewLine(0);
    let count = 0;
    for (const lexeme of new Lexer().lex(this.#text)) {
      yield* parser.next(lexeme);
      if (parser.stack.length > LIMITS.depth)
        throw this.#limit(`nests deeper than ${LIMITS.depth} levels`, parser.offset);
      count += 1;
      if (count > LIMITS.tokens) throw this.#limit(`has more than ${LIMITS.tokens} parts`, parser.offset);
    }
    yield* parser.end();
  }

  #limit(what: string, offset: number): YamlError {
    return new YamlError(`the file ${what}`, this.locate(offset), 'split it into several files');
  }

  /** The error for a file whose aliases expand beyond the limit. */
  expansionError(node: Node): YamlError {
    return new YamlError(
      `the file expands to more than ${LIMITS.values} values`,
      this.locateNode(node),
      'aliases (*name) multiply what they stand for; use fewer of them',
    );
  }

  locate(offset: number): SourceLocation {
    const { line, col } = this.#lines.linePos(offset);
    if (line === 0) return { file: this.file, line: 1, column: 1 };
    const start = this.#lines.lineStarts[line - 1] ?? 0;
    const end = this.#text.indexOf('\n', start);
    const lineText = this.#text.slice(start, end < 0 ? undefined : end).replace(/\r$/, '');
    const location = { file: this.file, line, column: col };
    // A line of embedded data would bury the message; the numbers are enough then.
    return lineText.length > 300 ? location : { ...location, lineText };
  }

  locateNode(node: Node): SourceLocation {
    return this.locate(node.range?.[0] ?? 0);
  }

  /**
   * Where a place inside of a scalar's text is in the file; both count from 1. Exact for texts that the file has line by
   * line (`|`, plain and quoted on one line); for the others it is where the scalar begins.
   */
  locateInside(node: Node, line: number, column: number): SourceLocation {
    const start = node.range?.[0] ?? 0;
    if (!isScalar(node)) return this.locate(start);
    if (node.type === Scalar.BLOCK_LITERAL) {
      const body = this.#text.slice(this.#text.indexOf('\n', start) + 1, node.range?.[1] ?? start);
      const lines = body.split('\n');
      const indent = lines.find((text) => text.trim() !== '')?.match(/^ */)?.[0].length ?? 0;
      const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
      return this.locate(this.#text.indexOf('\n', start) + 1 + before + indent + column - 1);
    }
    const source = this.#text.slice(start, node.range?.[1] ?? start);
    if (source.includes('\n')) return this.locate(start);
    return this.locate(start + column - 1 + (node.type === Scalar.PLAIN ? 0 : 1));
  }

  /** The node that an alias stands for, or the node itself; undefined when there is no such anchor before it. */
  follow(node: Node): Node | undefined {
    if (!isAlias(node)) return node;
    const at = node.range?.[0] ?? 0;
    return this.#anchors.get(node.source)?.findLast((candidate) => (candidate.range?.[0] ?? 0) < at);
  }

  /**
   * The entries of a mapping with its merge keys followed: own keys before merged ones, in a list of merged mappings
   * the earlier wins, shallow. Duplicate own keys are kept, for the caller to decide on.
   * @param report called for merge keys and keys that can't be used.
   */
  entries(map: YAMLMap, report: (node: Node, message: string) => void): Entries {
    const known = this.#entries.get(map);
    if (known !== undefined) return known;
    // Until it is complete, a mapping that merges itself sees nothing.
    this.#entries.set(map, { own: [], merged: [] });
    const own: Entry[] = [];
    const merged = new Map<string, Entry>();
    const merges: Node[] = [];
    for (const { key, value } of map.items) {
      const keyNode = isNode(key) ? this.follow(key) : undefined;
      const valueNode = isNode(value) ? value : null;
      if (keyNode === undefined || !isScalar(keyNode)) {
        report(isNode(key) ? key : map, 'a key must be a single word or text');
      } else if (isMergeKey(keyNode)) {
        if (valueNode !== null) merges.push(valueNode);
      } else {
        own.push({ key: scalarText(keyNode).text, keyNode: isNode(key) ? key : keyNode, value: valueNode });
      }
    }
    const ownKeys = new Set(own.map(({ key }) => key));
    const sources = merges.flatMap((node) => {
      const target = this.follow(node);
      return target !== undefined && isSeq(target) ? target.items.filter(isNode) : [node];
    });
    for (const source of sources) {
      const target = this.follow(source);
      if (target === undefined || !isMap(target)) {
        report(
          source,
          target === undefined ? `there is no anchor for ${aliasName(source)}` : '<< merges only mappings',
        );
        continue;
      }
      const inner = this.entries(target, report);
      for (const entry of [...lastOfEach(inner.own), ...inner.merged]) {
        if (!ownKeys.has(entry.key) && !merged.has(entry.key)) merged.set(entry.key, entry);
      }
    }
    const entries = { own, merged: [...merged.values()] };
    this.#entries.set(map, entries);
    return entries;
  }
}

/** A scalar node's text with what else decides on its meaning. */
export function scalarText(node: Scalar): ScalarText {
  const quoted = node.type !== undefined && node.type !== Scalar.PLAIN;
  return { text: String(node.value ?? ''), quoted, tag: node.tag };
}

/** Two mappings as one: what go-yaml v2 makes of a key that is given twice with a mapping each time. */
export function joinMaps(earlier: YAMLMap, later: YAMLMap): YAMLMap {
  const joined = new YAMLMap();
  joined.items = [...earlier.items, ...later.items];
  joined.range = later.range ?? null;
  return joined;
}

export function aliasName(node: Node): string {
  return isAlias(node) ? `*${node.source}` : 'the alias';
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function isMergeKey(node: Scalar): boolean {
  if (node.tag !== undefined) return node.tag === 'tag:yaml.org,2002:merge';
  return node.type === Scalar.PLAIN && node.value === '<<';
}

function lastOfEach(entries: readonly Entry[]): Entry[] {
  return [...new Map(entries.map((entry) => [entry.key, entry])).values()];
}

function hasContent(document: YamlDocument.Parsed<ParsedNode, false>): boolean {
  if (document.errors.length > 0) return true;
  const { contents } = document;
  return !(contents === null || (isScalar(contents) && contents.type === Scalar.PLAIN && contents.value === ''));
}
