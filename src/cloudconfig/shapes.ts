// The types that a value in a cloud-config can have, as small decoders that are put together to the schema. What each
// accepts and rejects follows go-yaml v3 as the originals use it; where ours accepts more, it warns.

import type { Decoding, Shape } from './decoding.ts';
import { freeEntries, type Names, namedEntries } from './fields.ts';
import type { TextRole } from './leaf.ts';
import { isMap, isScalar, isSeq, type Node } from './nodes.ts';
import { isNull, scalarBoolean, scalarContent, scalarNumber } from './scalar.ts';
import { scalarText } from './yamltext.ts';

/** Any scalar, with its text as written: `0777`, `yes` and `1.50` stay what they are. */
export const string: Shape<string> = {
  what: 'text',
  form: { kind: 'text' },
  empty: () => '',
  decode(node, at) {
    const content = bytes.decode(node, at);
    return content === undefined || typeof content === 'string' ? content : Buffer.from(content).toString('utf8');
  },
};

/** Text with a purpose, which is looked at closer by `validate`. */
export function text(role: TextRole): Shape<string> {
  return {
    what: 'text',
    form: { kind: 'text', role },
    empty: string.empty,
    decode(node, at) {
      const value = string.decode(node, at);
      if (value !== undefined) at.examine(role, node, value);
      return value;
    },
  };
}

/** Unquoted, `[ -f /x ]` is a list, `{{ .X }}` and `echo a: b` are mappings. */
function quoteHint(node: Node, at: Decoding): string | undefined {
  const { lineText, column } = at.yaml.locateNode(node);
  const first = lineText?.charAt(column - 1);
  if (first === '[' || first === '{') return `put text that begins with ${first} in quotes`;
  return isMap(node) ? 'put text that has ": " in it in quotes' : undefined;
}

/** Text, or the bytes of a scalar with the tag `!!binary`. */
const bytes: Shape<string | Uint8Array> = {
  what: 'text',
  form: { kind: 'content' },
  empty: () => '',
  decode(node, at) {
    if (!isScalar(node)) return wrongType(node, at, 'text', quoteHint(node, at));
    return scalarContent(scalarText(node)) ?? at.reject(node, 'the base64 after !!binary is broken');
  },
};

/** What a file is to hold: text, in which templates are expanded, or bytes. */
export const content: Shape<string | Uint8Array> = {
  ...bytes,
  decode(node, at) {
    const value = bytes.decode(node, at);
    if (typeof value === 'string') at.examine('template', node, value);
    return value;
  },
};

function number(min: number, max: number, what: string): Shape<number> {
  return {
    what,
    form: { kind: 'number', min, max },
    empty: () => 0,
    decode(node, at) {
      if (!isScalar(node)) return wrongType(node, at, what);
      const scalar = scalarText(node);
      const value = scalarNumber(scalar);
      if (value === undefined) {
        const hint = scalar.quoted && /^\d/.test(scalar.text) ? `write ${scalar.text} without quotes` : undefined;
        return at.reject(node, `${JSON.stringify(scalar.text)} is not ${what}`, hint);
      }
      if (value < min || value > max) return at.reject(node, `${scalar.text} is out of range (${min} to ${max})`);
      return value;
    },
  };
}

export const unsigned = number(0, 0xffffffff, 'a whole number');
export const integer = number(-0x80000000, 0xffffffff, 'a whole number');

export const boolean: Shape<boolean> = {
  what: 'true or false',
  form: { kind: 'boolean' },
  empty: () => false,
  decode(node, at) {
    if (!isScalar(node)) return wrongType(node, at, 'true or false');
    const scalar = scalarText(node);
    const hint = scalar.quoted ? 'write true or false without quotes' : 'write true or false';
    return scalarBoolean(scalar) ?? at.reject(node, `${JSON.stringify(scalar.text)} is not true or false`, hint);
  },
};

/** A sequence; null elements are dropped. A single value stands for a list of one, with a warning. */
export function list<T>(of: Shape<T>): Shape<readonly T[]> {
  return {
    what: 'a list',
    form: { kind: 'list', of },
    empty: () => [],
    decode(node, at) {
      if (isSeq(node)) {
        const given = node.items.filter((item) => at.isGiven(item));
        return given
          .map((item, index) => at.index(index).value(of, item))
          .filter((value): value is NonNullable<typeof value> => value !== undefined);
      }
      if (!isScalar(node)) return wrongType(node, at, 'a list');
      const before = at.errors;
      const value = at.value(of, node);
      if (value === undefined || at.errors > before) return undefined;
      at.warn(node, 'a single value is read as a list of one', 'put "- " before it, on a line of its own');
      return [value];
    },
  };
}

/** A mapping with free keys, in the order of the file; a key without a value has the empty value. */
export function map<T>(of: Shape<T>): Shape<ReadonlyMap<string, T>> {
  return {
    what: 'a mapping',
    form: { kind: 'map', of },
    empty: () => new Map(),
    decode(node, at) {
      if (!isMap(node)) return wrongType(node, at, 'a mapping', 'write "name: value", each on a line of its own');
      const result = new Map<string, T>();
      for (const { key, value } of freeEntries(node, at)) {
        const decoded = at.key(key).value(of, value);
        if (decoded !== undefined) result.set(key, decoded);
      }
      return result;
    },
  };
}

type Fields = Readonly<Record<string, Shape<unknown>>>;

/** The value of a mapping with these fields. A field that isn't written, or is null, is absent. */
export type Struct<F extends Fields> = { readonly [K in keyof F]?: F[K] extends Shape<infer T> ? T : never };

/**
 * A mapping with known keys.
 * @param options.closed a key that isn't known makes the value unusable, instead of having no effect.
 */
export function struct<F extends Fields>(
  fields: F,
  aliases: Readonly<Record<string, string>> = {},
  options: { closed?: boolean } = {},
): Shape<Struct<F>> {
  const known = Object.keys(fields);
  return {
    what: 'a mapping',
    form: { kind: 'struct', fields, aliases },
    empty: () => ({}),
    decode(node, at) {
      if (!isMap(node)) return wrongType(node, at, 'a mapping', `its keys are: ${known.join(', ')}`);
      const result: Partial<Record<string, unknown>> = {};
      const names: Names = { known, aliases };
      if (options.closed) {
        names.unknown = ({ key, keyNode }) => at.reject(keyNode, `there is no "${key}"`, `known: ${known.join(', ')}`);
      }
      for (const [name, { value }] of namedEntries(node, names, at)) {
        const shape = fields[name];
        if (shape === undefined || !at.isGiven(value)) continue;
        const decoded = at.key(name).value(shape, value);
        if (decoded !== undefined) result[name] = decoded;
      }
      // Each name was decoded by the shape of that name; TypeScript can't follow that through the record.
      return result as Struct<F>;
    },
  };
}

/** Reports a value of the wrong kind in words that name both. */
export function wrongType(node: Node, at: Decoding, wanted: string, hint?: string): undefined {
  const found = isMap(node)
    ? 'a mapping'
    : isSeq(node)
      ? 'a list'
      : isScalar(node) && isNull(scalarText(node))
        ? 'nothing'
        : 'a single value';
  return at.reject(node, `this must be ${wanted}, not ${found}`, hint);
}
