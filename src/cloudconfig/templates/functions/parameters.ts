// The types that parameters have: which values they take, which literals, and what nil becomes.

import { CallError } from '../templateerror.ts';
import { Dict } from '../values/dict.ts';
import { Integer, type IntegerType } from '../values/integer.ts';
import { Opaque } from '../values/opaque.ts';
import { typeOf } from '../values/types.ts';
import type { Value } from '../values/value.ts';

export interface Parameter<T> {
  /** As Go names it in messages. */
  type: string;
  /** How a literal is read: by the type, or, for `any`, by its own form. */
  literal: 'bool' | 'int' | 'uint' | 'float' | 'string' | 'any' | 'none';
  /** Whether nil may stand for a value. */
  nilable: boolean;
  accepts: (value: Value) => boolean;
  /** The accepted value in the form that bodies of functions take. */
  read: (value: Value) => T;
}

function parameter<T>(
  type: string,
  literal: Parameter<T>['literal'],
  read: (value: Value) => T | undefined,
  nil?: () => T,
): Parameter<T> {
  return {
    type,
    literal,
    nilable: nil !== undefined,
    accepts: (value) => read(value) !== undefined,
    read: (value) => {
      const found = value === undefined && nil !== undefined ? nil() : read(value);
      if (found === undefined) throw new CallError(`wrong type for value; expected ${type}; got ${typeOf(value)}`);
      return found;
    },
  };
}

function integerOf(type: IntegerType): (value: Value) => bigint | undefined {
  return (value) => (value instanceof Integer && value.type === type ? value.value : undefined);
}

/** Numbers beyond what JavaScript counts exactly are beyond every limit here as well. */
function counted(value: bigint | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  return value < BigInt(Number.MIN_SAFE_INTEGER) ? Number.MIN_SAFE_INTEGER : Number(value);
}

/** `interface {}`: anything. */
export const any: Parameter<Value> = {
  type: 'interface {}',
  literal: 'any',
  nilable: true,
  accepts: () => true,
  read: (value) => (value === undefined ? null : value),
};

/** Anything, and told apart whether there is a value: what text/template's own functions take. */
export const reflected: Parameter<Value> = { ...any, type: 'reflect.Value', read: (value) => value ?? undefined };

export const text = parameter('string', 'string', (value) => (typeof value === 'string' ? value : undefined));
export const bool = parameter('bool', 'bool', (value) => (typeof value === 'boolean' ? value : undefined));
export const float = parameter('float64', 'float', (value) => (typeof value === 'number' ? value : undefined));
/** `int`, as a count, a length or an index. */
export const count = parameter('int', 'int', (value) => counted(integerOf('int')(value)));
/** `int`, exactly. */
export const integer = parameter('int', 'int', integerOf('int'));
export const unsigned32 = parameter('uint32', 'uint', (value) => counted(integerOf('uint32')(value)));
/** `map[string]interface {}`. */
export const map = parameter(
  'map[string]interface {}',
  'none',
  (value) => (value instanceof Dict && value.element === 'interface {}' ? value : undefined),
  () => new Dict('interface {}', { isNil: true }),
);

/** A type of its own. */
export function opaque<T extends Opaque>(type: string, isOne: (value: Opaque) => value is T): Parameter<T> {
  return parameter(type, 'none', (value) => (value instanceof Opaque && isOne(value) ? value : undefined));
}
