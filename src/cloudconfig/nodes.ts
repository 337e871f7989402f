// The nodes of a YAML text: what stands where, with the source text of every scalar. What a scalar means is not decided
// here but by the type that is wanted.

/** Start and end in the text, as offsets of UTF-16 units. */
export type Range = readonly [start: number, end: number];

export type ScalarStyle = 'plain' | 'single-quoted' | 'double-quoted' | 'literal' | 'folded';

interface NodeBase {
  range: Range | null;
  anchor?: string | undefined;
  /** The explicit tag, in full (`tag:yaml.org,2002:binary`), if there is one. */
  tag?: string | undefined;
}

export interface Scalar extends NodeBase {
  kind: 'scalar';
  /** As text, quotes and escapes resolved. */
  value: string;
  style: ScalarStyle;
}

export interface YamlMap extends NodeBase {
  kind: 'map';
  items: readonly { key: Node; value: Node }[];
}

export interface YamlSeq extends NodeBase {
  kind: 'seq';
  items: readonly Node[];
}

export interface Alias extends NodeBase {
  kind: 'alias';
  /** The anchor's name. */
  source: string;
}

export type Node = Scalar | YamlMap | YamlSeq | Alias;

export const isScalar = (node: Node): node is Scalar => node.kind === 'scalar';
export const isMap = (node: Node): node is YamlMap => node.kind === 'map';
export const isSeq = (node: Node): node is YamlSeq => node.kind === 'seq';
export const isAlias = (node: Node): node is Alias => node.kind === 'alias';

/** A scalar that stands in no text: it came from somewhere else, the kernel command line for example. */
export function makeScalar(value: string, range: Range | null = null, style: ScalarStyle = 'plain'): Scalar {
  return { kind: 'scalar', value, style, range };
}

export function makeMap(items: readonly { key: Node; value: Node }[], range: Range | null = null): YamlMap {
  return { kind: 'map', items, range };
}

export function makeSeq(items: readonly Node[], range: Range | null = null): YamlSeq {
  return { kind: 'seq', items, range };
}
