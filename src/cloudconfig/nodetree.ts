// The tree of a YAML text from its parser's events, with the places that values have in the file as its owner wrote it.

import {
  type DocumentEvent,
  EVENT_ID,
  type Event,
  getScalarValue,
  type PopEvent,
  SCALAR_STYLE,
  type ScalarEvent,
  type ScalarStyle as ScalarEventStyle,
} from 'js-yaml';
import type { LooseText } from './looseyaml.ts';
import type { Node, Range, ScalarStyle, YamlMap } from './nodes.ts';

export interface NodeTree {
  /** null when the first document has none. */
  contents: Node | null;
  /** What each anchor was set to, in the order of the text. */
  anchors: ReadonlyMap<string, readonly Node[]>;
  /** Where the content of a second document begins, as an offset of what the parser has read. */
  next?: number;
}

/**
 * The first document's tree.
 * @param source what the parser has read, and where that stands in the file.
 */
export function buildTree(events: readonly Event[], source: LooseText): NodeTree {
  const { text, original } = source;
  const anchors = new Map<string, Node[]>();
  const open: OpenCollection[] = [];
  let contents: Node | null = null;
  let documents = 0;
  let end = 0;
  for (const event of events) {
    if (event.type === EVENT_ID.DOCUMENT) {
      documents += 1;
    } else if (event.type === EVENT_ID.POP) {
      open.pop();
    } else if (documents > 1) {
      if (!isEmptyScalar(event)) return { contents, anchors, next: startOf(event, text, end) };
    } else {
      const range = [startOf(event, text, end), event.type === EVENT_ID.SCALAR ? event.valueEnd : -1] as const;
      end = Math.max(end, ...range);
      const parent = open.at(-1);
      const node = makeNode(event, [original(range[0]), original(range[1])], text, open);
      if (parent === undefined) contents = node;
      else addTo(parent, node);
      const anchor = anchorOf(event, text);
      if (anchor === undefined) continue;
      const known = anchors.get(anchor);
      if (known === undefined) anchors.set(anchor, [node]);
      else known.push(node);
    }
  }
  return { contents, anchors };
}

/** Makes a node; a collection is put on the stack of those that are open. */
function makeNode(event: ContentEvent, range: Range, text: string, open: OpenCollection[]): Node {
  if (event.type === EVENT_ID.ALIAS) {
    return { kind: 'alias', source: text.slice(event.anchorStart, event.anchorEnd), range };
  }
  const tag = tagOf(event, text);
  if (event.type === EVENT_ID.SCALAR) {
    return { kind: 'scalar', value: scalarValue(text, event), style: STYLES[event.style], range, tag };
  }
  if (event.type === EVENT_ID.MAPPING) {
    const items: Pair[] = [];
    open.push({ items, pending: { key: undefined } });
    return { kind: 'map', items, range, tag };
  }
  const items: Node[] = [];
  open.push({ items, pending: undefined });
  return { kind: 'seq', items, range, tag };
}

function anchorOf(event: ContentEvent, text: string): string | undefined {
  if (event.type === EVENT_ID.ALIAS || event.anchorStart < 0) return undefined;
  return text.slice(event.anchorStart, event.anchorEnd);
}

/** The tag in full. */
function tagOf({ tagStart, tagEnd }: { tagStart: number; tagEnd: number }, text: string): string | undefined {
  if (tagStart < 0) return undefined;
  const written = text.slice(tagStart, tagEnd);
  if (written.startsWith('!!')) return `tag:yaml.org,2002:${written.slice(2)}`;
  return written.startsWith('!<') ? written.slice(2, -1) : written;
}

/** go-yaml adds no line break to the last line of a block when the text ends without one. */
function scalarValue(text: string, event: ScalarEvent): string {
  const value = getScalarValue(text, event);
  const isBlock = event.style === SCALAR_STYLE.LITERAL_BLOCK || event.style === SCALAR_STYLE.FOLDED_BLOCK;
  const lastLine = text.length - text.lastIndexOf('\n') - 1;
  // A last line of blanks alone isn't a line of the block.
  const isOpen = isBlock && event.valueEnd === text.length && lastLine > Math.max(event.indent, 0);
  return isOpen && value.endsWith('\n') ? value.slice(0, -1) : value;
}

type ContentEvent = Exclude<Event, DocumentEvent | PopEvent>;
type Pair = YamlMap['items'][number];

/** A collection whose end hasn't come yet; of a mapping with the key that waits for its value. */
type OpenCollection = { items: Pair[]; pending: { key: Node | undefined } } | { items: Node[]; pending: undefined };

const STYLES: Readonly<Record<ScalarEventStyle, ScalarStyle>> = {
  [SCALAR_STYLE.PLAIN]: 'plain',
  [SCALAR_STYLE.SINGLE_QUOTED]: 'single-quoted',
  [SCALAR_STYLE.DOUBLE_QUOTED]: 'double-quoted',
  [SCALAR_STYLE.LITERAL_BLOCK]: 'literal',
  [SCALAR_STYLE.FOLDED_BLOCK]: 'folded',
};

function addTo(parent: OpenCollection, node: Node): void {
  if (parent.pending === undefined) {
    parent.items.push(node);
  } else if (parent.pending.key === undefined) {
    parent.pending.key = node;
  } else {
    parent.items.push({ key: parent.pending.key, value: node });
    parent.pending.key = undefined;
  }
}

/** Where a node begins: at its quote, its `|` or `>`, its `*`; an empty one where the text before it ends. */
function startOf(event: ContentEvent, text: string, end: number): number {
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart - 1;
  if (event.type !== EVENT_ID.SCALAR) return event.start;
  if (event.valueStart < 0) return end;
  switch (event.style) {
    case SCALAR_STYLE.PLAIN:
      return event.valueStart;
    case SCALAR_STYLE.LITERAL_BLOCK:
      return Math.max(end, text.lastIndexOf('|', event.valueStart - 1));
    case SCALAR_STYLE.FOLDED_BLOCK:
      return Math.max(end, text.lastIndexOf('>', event.valueStart - 1));
    default:
      return event.valueStart - 1;
  }
}

function isEmptyScalar(event: ContentEvent): boolean {
  return event.type === EVENT_ID.SCALAR && event.valueStart < 0;
}
