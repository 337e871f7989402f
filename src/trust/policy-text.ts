// The YAML of a policy as plain values, each with its place. Nothing that YAML can do beyond mappings, lists and texts is
// taken: a file that decides on trust should say one thing to everybody who reads it.

import { isAlias, isMap, isSeq, type Node } from '../cloudconfig/nodes.ts';
import { YamlError, YamlText } from '../cloudconfig/yamltext.ts';
import { HoldfastError, type SourceLocation } from '../system/errors.ts';

export interface LocatedValue {
  value: unknown;
  /** The place of what a path of keys and indexes leads to; of the nearest thing above it where it leads nowhere. */
  locate(path: readonly PropertyKey[]): SourceLocation;
}

const HINT = 'docs: the reference page "trust" shows a whole policy';

/** @throws HoldfastError HF-CONFIG with the place of what is no plain YAML. */
export function readPolicyText(text: string, file: string): LocatedValue {
  let yaml: YamlText;
  try {
    yaml = new YamlText(text, file);
  } catch (error) {
    if (error instanceof YamlError) throw refuse(error.message, error.location, error.hint);
    throw error;
  }
  const further = yaml.furtherDocument ?? yaml.cutOff;
  if (further !== undefined) throw refuse('the policy goes on after its end', further, 'a policy is one document');
  const places = new Map<string, SourceLocation>();
  const convert = (node: Node, path: readonly PropertyKey[]): unknown => {
    const place = yaml.locateNode(node);
    if (!places.has(keyOf(path))) places.set(keyOf(path), place);
    if (isAlias(node)) throw refuse('a policy has no aliases', place, 'write out what is meant');
    if (node.tag !== undefined) throw refuse('a policy has no tags', place, 'leave out the word that begins with !');
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        const found = convert(item, [...path, index]);
        if (found === null) throw refuse('an entry of the list is empty', yaml.locateNode(item), HINT);
        return found;
      });
    }
    if (!isMap(node)) return node.style === 'plain' ? plain(node.value) : node.value;
    // Without a prototype: keys come from a file.
    const value: Record<string, unknown> = Object.create(null);
    const { own, merged } = yaml.entries(node, (odd, message) => {
      throw refuse(message, yaml.locateNode(odd));
    });
    if (merged.length > 0) throw refuse('a policy has no merge keys', place, 'write out what is meant');
    for (const { key, keyNode, value: child } of own) {
      const at = yaml.locateNode(keyNode);
      if (Object.hasOwn(value, key)) throw refuse(`the key ${JSON.stringify(key)} is given twice`, at, HINT);
      places.set(keyOf([...path, key]), at);
      const found = child === null ? null : convert(child, [...path, key]);
      // "Not asked" is what a key that is left out says; of one without a value, the lines below may be commented out.
      if (found === null)
        throw refuse(`the key ${JSON.stringify(key)} is empty`, at, 'write its value, or leave it out');
      value[key] = found;
    }
    return value;
  };
  return {
    value: yaml.contents === null ? {} : (convert(yaml.contents, []) ?? {}),
    locate: (path) => {
      for (let length = path.length; length > 0; length -= 1) {
        const place = places.get(keyOf(path.slice(0, length)));
        if (place !== undefined) return place;
      }
      return places.get(keyOf([])) ?? yaml.locate(0);
    },
  };
}

/** Versions stay the text that they are: 1.10 is no number. */
function plain(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return ['', '~', 'null', 'Null', 'NULL'].includes(text) ? null : text;
}

function keyOf(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

function refuse(message: string, location: SourceLocation, hint: string = HINT): HoldfastError {
  return new HoldfastError('HF-CONFIG', message, { location, hint });
}
