// A file of Kubernetes objects as values, each with the place of every part: documents between `---`, scalars as the API server's
// own reader takes them (YAML 1.1: `yes` is true, `1.10` a number).

import { isMap, isScalar, isSeq, type Node, type Scalar } from '../cloudconfig/nodes.ts';
import { isNull, scalarNumber } from '../cloudconfig/scalar.ts';
import { scalarText, YamlError, YamlText } from '../cloudconfig/yamltext.ts';
import type { SourceLocation } from '../system/errors.ts';

/** More objects than any file of plans has. */
const MAX_DOCUMENTS = 1000;
const MAX_VALUES = 100_000;

export interface ReadObject {
  value: unknown;
  /** Where a part begins; for one that isn't there, the nearest part above it. */
  locate: (path: readonly (string | number)[]) => SourceLocation;
  /** Keys that stand twice, of which the last one counts. */
  repeated: readonly (readonly (string | number)[])[];
}

/**
 * @param file for the places.
 * @throws YamlError when the text is broken, or has more documents or values than it may.
 */
export function readObjects(text: string, file: string): ReadObject[] {
  const objects: ReadObject[] = [];
  for (const { content, line } of splitDocuments(text)) {
    // Empty lines before it keep the numbers of the lines.
    const yaml = new YamlText('\n'.repeat(line) + content, file);
    if (yaml.contents === null) continue;
    objects.push(readObject(yaml, yaml.contents));
    if (objects.length > MAX_DOCUMENTS) {
      throw new YamlError(`the file has more than ${MAX_DOCUMENTS} documents`, { file, line: line + 1, column: 1 });
    }
  }
  return objects;
}

/** The objects of a List, as `kubectl get` prints several, or the object itself. */
export function itemsOf(object: ReadObject): ReadObject[] {
  const { value, locate, repeated } = object;
  if (typeof value !== 'object' || value === null || !('items' in value) || !Array.isArray(value.items))
    return [object];
  return value.items.map((item: unknown, index) => ({
    value: item,
    locate: (path) => locate(['items', index, ...path]),
    repeated: repeated.flatMap(([key, at, ...rest]) => (key === 'items' && at === index ? [rest] : [])),
  }));
}

/** At `---` in the first column, where no block text can reach. `line` counts from 0. */
function splitDocuments(text: string): { content: string; line: number }[] {
  const documents: { content: string; line: number }[] = [];
  let current: string[] = [];
  let start = 0;
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  for (const [index, each] of lines.entries()) {
    const marker = /^---(?:[ \t\r]|$)/.test(each);
    if (!marker && !/^\.\.\.[ \t\r]*$/.test(each)) {
      current.push(each);
      continue;
    }
    documents.push({ content: current.join('\n'), line: start });
    // What follows the marker on its line belongs to the document.
    current = [marker ? `   ${each.slice(3)}`.replace(/^\s+$/, '') : ''];
    start = index;
  }
  documents.push({ content: current.join('\n'), line: start });
  return documents;
}

function readObject(yaml: YamlText, contents: Node): ReadObject {
  const places = new Map<string, Node>();
  const repeated: (string | number)[][] = [];
  let count = 0;
  const read = (given: Node, path: readonly (string | number)[]): unknown => {
    count += 1;
    if (count > MAX_VALUES) throw yaml.expansionError(given);
    const node = yaml.follow(given);
    if (node === undefined) throw new YamlError('there is no anchor for this alias', yaml.locateNode(given));
    places.set(keyOf(path), given);
    if (isSeq(node)) return node.items.map((item, index) => read(item, [...path, index]));
    if (isScalar(node)) return scalarValue(node);
    if (!isMap(node)) return null;
    const value: Record<string, unknown> = {};
    const { own, merged } = yaml.entries(node, (at, message) => {
      throw new YamlError(message, yaml.locateNode(at));
    });
    for (const { key, keyNode, value: below } of [...merged, ...own]) {
      const place = [...path, key];
      if (Object.hasOwn(value, key) && own.some((entry) => entry.keyNode === keyNode)) repeated.push(place);
      const decoded = below === null ? null : read(below, place);
      Object.defineProperty(value, key, { value: decoded, enumerable: true, configurable: true, writable: true });
      places.set(keyOf(place), keyNode);
    }
    return value;
  };
  const value = read(contents, []);
  const locate = (path: readonly (string | number)[]): SourceLocation => {
    for (let length = path.length; length > 0; length--) {
      const node = places.get(keyOf(path.slice(0, length)));
      if (node !== undefined) return yaml.locateNode(node);
    }
    return yaml.locateNode(contents);
  };
  return { value, locate, repeated };
}

function scalarValue(node: Scalar): unknown {
  const scalar = scalarText(node);
  if (isNull(scalar)) return null;
  if (scalar.quoted || scalar.tag === 'tag:yaml.org,2002:str') return scalar.text;
  if (/^(?:y|Y|yes|Yes|YES|on|On|ON|true|True|TRUE)$/.test(scalar.text)) return true;
  if (/^(?:n|N|no|No|NO|off|Off|OFF|false|False|FALSE)$/.test(scalar.text)) return false;
  // A fraction stays one: it is no version, and no whole number either.
  if (/^[-+]?(?:\d[\d_]*\.[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?$|^[-+]?\d+[eE][-+]?\d+$/.test(scalar.text)) {
    return Number(scalar.text.replaceAll('_', ''));
  }
  return scalarNumber(scalar) ?? scalar.text;
}

function keyOf(path: readonly (string | number)[]): string {
  return JSON.stringify(path);
}
