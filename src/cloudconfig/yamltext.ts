// A YAML text as nodes with their places and source text, within limits that keep a hostile file from costing time,
// memory or the stack. Anchors, merge keys and duplicate keys are resolved here, as go-yaml does it.

import { YAMLException } from 'js-yaml';
import type { SourceLocation } from '../system/errors.ts';
import { DEDENT_HINT, type FirstDocument, MAX_DEPTH, parseFirst } from './firstdocument.ts';
import { type LooseText, tightenYaml } from './looseyaml.ts';
import { isAlias, isMap, isScalar, isSeq, makeMap, type Node, type Scalar, type YamlMap } from './nodes.ts';
import { buildTree } from './nodetree.ts';
import type { ScalarText } from './scalar.ts';
import { explainSyntaxError } from './syntaxerror.ts';
import { TextLines } from './textlines.ts';

export const LIMITS = {
  textBytes: 8 << 20,
  depth: MAX_DEPTH,
  /** Signs that can begin a value; the parser's list of parts is in memory as a whole. */
  signs: 1_000_000,
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

/** Hears that a node can't be used, or with a hint, that it is only odd. */
type Report = (node: Node, message: string, oddHint?: string) => void;

const SECOND_MERGE_HINT = 'write one: <<: [*first, *second], where the earlier counts';

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
  /** Where a line is indented less than the first one: for go-yaml the text ends there, whatever follows. */
  readonly cutOff: SourceLocation | undefined;
  readonly #text: string;
  /** What the parser has read: the text itself, or what a loosely written one means. */
  #source: LooseText;
  readonly #anchors: ReadonlyMap<string, readonly Node[]>;
  readonly #entries = new Map<YamlMap, Entries>();
  readonly #lines: TextLines;

  /** @throws YamlError when the text is broken or beyond a limit. */
  constructor(text: string, file: string) {
    this.file = file;
    this.#text = text.startsWith('\uFEFF') ? text.slice(1) : text;
    this.#lines = new TextLines(this.#text);
    if (Buffer.byteLength(text) > LIMITS.textBytes)
      throw this.#limit(`is larger than ${LIMITS.textBytes >> 20} MiB`, 0);
    if (hasTooManySigns(this.#text)) throw this.#limit(`has more than ${LIMITS.signs} parts`, 0);
    this.#source = { text: this.#text, original: (offset) => offset };
    const { events, further, cutOff } = this.#parse();
    const { contents, anchors, next } = buildTree(events, this.#source);
    this.#anchors = anchors;
    const at = further ?? next;
    this.furtherDocument = at === undefined ? undefined : this.#locateSource(at);
    this.cutOff = cutOff === undefined ? undefined : this.#locateSource(cutOff);
    if (this.cutOff !== undefined && (contents === null || !isMap(contents))) {
      throw new YamlError(
        'the YAML is broken: this line is indented less than the first one',
        this.cutOff,
        DEDENT_HINT,
      );
    }
    this.contents = contents;
  }

  #parse(): FirstDocument {
    try {
      return parseFirst(this.#text);
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      return this.#parseLoosely(error);
    }
  }

  #parseLoosely(refusal: YAMLException): FirstDocument {
    const loose = tightenYaml(this.#text, LIMITS.textBytes);
    if (loose === undefined) throw this.#broken(refusal);
    this.#source = loose;
    try {
      return parseFirst(loose.text);
    } catch (error) {
      throw error instanceof YAMLException ? this.#broken(error) : error;
    }
  }

  #broken({ reason, mark }: YAMLException): YamlError {
    const { text, original } = this.#source;
    const position = mark?.position ?? 0;
    if (reason.startsWith('nesting exceeded')) {
      return this.#limit(`nests deeper than ${LIMITS.depth} levels`, original(position));
    }
    const { message, hint, offset } = explainSyntaxError(reason, text, position);
    return new YamlError(message, this.#locateSource(offset), hint);
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

  #locateSource(offset: number): SourceLocation {
    return this.locate(this.#source.original(offset));
  }

  locate(offset: number): SourceLocation {
    return { file: this.file, ...this.#lines.place(offset) };
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
    if (node.style === 'literal') {
      const body = this.#text.indexOf('\n', start) + 1;
      const lines = this.#text.slice(body, node.range?.[1]).split('\n');
      const values = node.value.split('\n');
      const full = values.findIndex((text) => text !== '');
      const indent = (lines[full]?.replace(/\r$/, '').length ?? 0) - (values[full]?.length ?? 0);
      const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
      return this.locate(body + before + indent + column - 1);
    }
    const source = this.#text.slice(start, node.range?.[1] ?? start);
    if (source.includes('\n')) return this.locate(start);
    return this.locate(start + column - 1 + (node.style === 'plain' ? 0 : 1));
  }

  /** The node that an alias stands for, or the node itself; undefined when there is no such anchor before it. */
  follow(node: Node): Node | undefined {
    if (!isAlias(node)) return node;
    const at = node.range?.[0] ?? 0;
    return this.#anchors.get(node.source)?.findLast((candidate) => (candidate.range?.[0] ?? 0) < at);
  }

  /**
   * The entries of a mapping with its merge keys followed: own keys before merged ones, in a list of merged mappings
   * the earlier wins, of two merge keys the later one (go-yaml v2; v3 refuses the second), shallow. Duplicate own keys
   * are kept, for the caller to decide on.
   * @param report called for merge keys and keys that can't be used, and as a warning for a second merge key.
   */
  entries(map: YamlMap, report: Report): Entries {
    const known = this.#entries.get(map);
    if (known !== undefined) return known;
    // Until it is complete, a mapping that merges itself sees nothing.
    this.#entries.set(map, { own: [], merged: [] });
    const own: Entry[] = [];
    const merges: Node[] = [];
    for (const { key, value } of map.items) {
      const keyNode = this.follow(key);
      if (keyNode === undefined || !isScalar(keyNode)) report(key, 'a key must be a single word or text');
      else if (isMergeKey(keyNode)) {
        if (merges.length > 0) report(key, 'a second "<<": its keys replace those of the first', SECOND_MERGE_HINT);
        merges.unshift(value);
      } else own.push({ key: keyNode.value, keyNode: key, value });
    }
    const entries = { own, merged: merges.length === 0 ? [] : this.#mergedEntries(merges, own, report) };
    this.#entries.set(map, entries);
    return entries;
  }

  #mergedEntries(merges: readonly Node[], own: readonly Entry[], report: Report) {
    const merged = new Map<string, Entry>();
    const ownKeys = new Set(own.map(({ key }) => key));
    const sources = merges.flatMap((node) => {
      const target = this.follow(node);
      return target !== undefined && isSeq(target) ? target.items : [node];
    });
    for (const source of sources) {
      const target = this.follow(source);
      if (target === undefined || !isMap(target)) {
        const missing = target === undefined;
        report(source, missing ? `there is no anchor for ${aliasName(source)}` : '<< merges only mappings');
        continue;
      }
      const inner = this.entries(target, report);
      for (const entry of [...lastOfEach(inner.own), ...inner.merged]) {
        if (!ownKeys.has(entry.key) && !merged.has(entry.key)) merged.set(entry.key, entry);
      }
    }
    return [...merged.values()];
  }
}

/** A scalar node's text with what else decides on its meaning. */
export function scalarText({ value, style, tag }: Scalar): ScalarText {
  return { text: value, quoted: style !== 'plain', tag };
}

/** Two mappings as one: what go-yaml v2 makes of a key that is given twice with a mapping each time. */
export function joinMaps(earlier: YamlMap, later: YamlMap): YamlMap {
  return makeMap([...earlier.items, ...later.items], later.range);
}

export function aliasName(node: Node): string {
  return isAlias(node) ? `*${node.source}` : 'the alias';
}

function isMergeKey({ tag, style, value }: Scalar): boolean {
  return tag !== undefined ? tag === 'tag:yaml.org,2002:merge' : style === 'plain' && value === '<<';
}

function lastOfEach(entries: readonly Entry[]): Entry[] {
  return [...new Map(entries.map((entry) => [entry.key, entry])).values()];
}

function hasTooManySigns(text: string): boolean {
  if (text.length < LIMITS.signs) return false;
  let signs = 0;
  for (let at = 0; at < text.length && signs <= LIMITS.signs; at += 1) {
    // Letters and digits come after these; data in base64 passes quickly.
    if (SIGNS.has(text.charCodeAt(at))) signs += 1;
  }
  return signs > LIMITS.signs;
}

const SIGNS: ReadonlySet<number> = new Set([...'\n,:[{-?'].map((sign) => sign.charCodeAt(0)));
