// The entries of a mapping under the names that are known for it: misspellings that are plain are accepted with a
// warning, unknown keys get a "did you mean", and of a key that is given twice the later one counts.

import type { Decoding } from './decoding.ts';
import { isMap, type Node, type YamlMap } from './nodes.ts';
import { nearestWord } from './suggestion.ts';
import { type Entry, joinMaps } from './yamltext.ts';

export interface Names {
  known: readonly string[];
  /** Misspelling → known name. Upper case and `-` for `_` are understood without being listed. */
  aliases?: Readonly<Record<string, string>>;
  /** What to do with a key that isn't known; by default it is reported. */
  unknown?: (entry: Entry, at: Decoding) => void;
}

/** The known entries of a mapping by name, each once, in the order of the file. */
export function namedEntries(map: YamlMap, names: Names, at: Decoding): Map<string, Entry> {
  const { own, merged } = at.entries(map);
  const result = new Map<string, Entry>();
  for (const entry of own) {
    const name = nameOf(entry, names, at);
    if (name !== undefined) result.set(name, later(result.get(name), { ...entry, key: name }, at));
  }
  for (const entry of merged) {
    const name = nameOf(entry, names, at);
    if (name !== undefined && !result.has(name)) result.set(name, { ...entry, key: name });
  }
  return result;
}

/** All entries of a mapping whose keys are free, each once, in the order of the file. */
export function freeEntries(map: YamlMap, at: Decoding): Entry[] {
  const { own, merged } = at.entries(map);
  const result = new Map<string, Entry>();
  for (const entry of own) result.set(entry.key, later(result.get(entry.key), entry, at));
  return [...result.values(), ...merged];
}

/** go-yaml v2's rule for a key that is given twice: the later value counts, and two mappings become one. */
function later(first: Entry | undefined, second: Entry, at: Decoding): Entry {
  if (first === undefined) return second;
  const { line } = at.yaml.locateNode(first.keyNode);
  const a = mapOf(first.value, at);
  const b = mapOf(second.value, at);
  const both = a !== undefined && b !== undefined;
  at.warn(
    second.keyNode,
    `the key "${second.key}" is given twice, first in line ${line}: ${both ? 'both are put together' : 'this one counts'}`,
    'keep one of the two',
  );
  return both ? { ...second, value: joinMaps(a, b) } : second;
}

function mapOf(node: Node | null, at: Decoding): YamlMap | undefined {
  const target = node === null ? undefined : at.yaml.follow(node);
  return target !== undefined && isMap(target) ? target : undefined;
}

function nameOf(entry: Entry, names: Names, at: Decoding): string | undefined {
  const { key, keyNode } = entry;
  if (names.known.includes(key)) return key;
  const alias = names.aliases?.[key] ?? names.known.find((name) => plain(name) === plain(key));
  if (alias !== undefined) {
    at.warn(keyNode, `the key "${key}" is read as "${alias}"`, `write "${alias}"`);
    return alias;
  }
  if (names.unknown !== undefined) {
    names.unknown(entry, at);
    return undefined;
  }
  const near = nearestWord(key, names.known);
  at.warn(
    keyNode,
    `the key "${key}" is not known and has no effect`,
    near === undefined ? listKnown(names.known) : `did you mean "${near}"?`,
  );
  return undefined;
}

/** A step has more keys than a line of a terminal has room for. */
function listKnown(known: readonly string[]): string {
  return known.length > 12 ? '"holdfast schema" tells all keys' : `known keys: ${known.join(', ')}`;
}

function plain(key: string): string {
  return key.toLowerCase().replaceAll('-', '_');
}
