// JSON as Go's encoding/json writes it: keys sorted, `<`, `>` and `&` escaped unless raw, bytes that are no UTF-8 replaced.

import type { Budget } from '../budget.ts';
import { CallError } from '../templateerror.ts';
import { bytesOf, textOf } from '../values/bytes.ts';
import { Dict } from '../values/dict.ts';
import { toValue } from '../values/facts.ts';
import { Integer } from '../values/integer.ts';
import { List } from '../values/list.ts';
import type { Value } from '../values/value.ts';
import { type FunctionTable, fn1, type GoFunction } from './function.ts';
import { any, text } from './parameters.ts';

interface Style {
  indent: boolean;
  /** `<`, `>` and `&` stay as they are. */
  raw: boolean;
}

const COMPACT: Style = { indent: false, raw: false };
const PRETTY: Style = { indent: true, raw: false };
const RAW: Style = { indent: false, raw: true };

export const json: FunctionTable = {
  toJson: writer(COMPACT, { drops: true }),
  mustToJson: writer(COMPACT),
  toPrettyJson: writer(PRETTY, { drops: true }),
  mustToPrettyJson: writer(PRETTY),
  toRawJson: writer(RAW),
  mustToRawJson: writer(RAW),
  fromJson: fn1(text, (bytes) => {
    try {
      return parse(bytes);
    } catch {
      return null;
    }
  }),
  mustFromJson: fn1(text, (bytes) => {
    try {
      return parse(bytes);
    } catch (error) {
      throw new CallError(`not valid JSON: ${error instanceof Error ? error.message : error}`);
    }
  }),
};

/** A value that JSON doesn't have, such as NaN. */
class Unwritable extends CallError {}

function writer(style: Style, options: { drops?: boolean } = {}): GoFunction {
  return fn1(any, (value, { budget }) => {
    try {
      return write(value, style, '\n', budget);
    } catch (error) {
      // sprig's plain variants return an empty text.
      if (error instanceof Unwritable && options.drops) return '';
      throw error;
    }
  });
}

function parse(bytes: string): Value {
  const parsed: unknown = JSON.parse(textOf(bytes), (_, value: unknown) => {
    if (typeof value === 'number' && !Number.isFinite(value)) throw new CallError('a number is too large');
    return value;
  });
  return toValue(parsed);
}

function write(value: Value, style: Style, newLine: string, budget: Budget): string {
  budget.step();
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return writeText(value, style, budget);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Unwritable(`json: unsupported value: ${value}`);
    return Object.is(value, -0) ? '-0' : String(value);
  }
  if (value instanceof Integer) return String(value.value);
  if (value instanceof List) {
    if (value.isNil) return 'null';
    return budget.within(() =>
      writeAll(
        value.items.map((item) => write(item, style, `${newLine}  `, budget)),
        ['[', ']'],
        style,
        newLine,
        budget,
      ),
    );
  }
  if (value instanceof Dict) {
    if (value.isNil) return 'null';
    return budget.within(() => writeDict(value, style, newLine, budget));
  }
  return write(value.toJson(), style, newLine, budget);
}

function writeDict(dict: Dict, style: Style, newLine: string, budget: Budget): string {
  const colon = style.indent ? ': ' : ':';
  const members = dict.entries.map(
    ([key, item]) => writeText(key, style, budget) + colon + write(item, style, `${newLine}  `, budget),
  );
  return writeAll(members, ['{', '}'], style, newLine, budget);
}

function writeAll(
  members: readonly string[],
  [open, close]: readonly [string, string],
  style: Style,
  newLine: string,
  budget: Budget,
): string {
  const between = style.indent ? `,${newLine}  ` : ',';
  budget.text(members.reduce((length, member) => length + member.length + between.length, 2));
  if (members.length === 0 || !style.indent) return open + members.join(between) + close;
  return `${open}${newLine}  ${members.join(between)}${newLine}${close}`;
}

function writeText(bytes: string, style: Style, budget: Budget): string {
  budget.text(bytes.length * 2);
  const quoted = JSON.stringify(textOf(bytes)).replace(/[\u2028\u2029]/g, unicodeEscape);
  // A byte that is no UTF-8 is written as an escape, a replacement character that was in the text as itself.
  const marked = bytes.includes('\xef\xbf\xbd') ? quoted : quoted.replaceAll('\ufffd', '\\ufffd');
  return bytesOf(style.raw ? marked : marked.replace(/[<>&]/g, unicodeEscape));
}

function unicodeEscape(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
