// Go templates' comparisons: numbers of different kinds don't compare, and lists and maps only with nil.

import { CallError } from '../templateerror.ts';
import { Dict } from '../values/dict.ts';
import { Integer } from '../values/integer.ts';
import { List } from '../values/list.ts';
import { Opaque } from '../values/opaque.ts';
import { typeOf } from '../values/types.ts';
import type { Value } from '../values/value.ts';
import { type FunctionTable, fn2, variadic1 } from './function.ts';
import { reflected } from './parameters.ts';

type Kind = 'bool' | 'string' | 'float' | 'int' | 'none';

function basicKind(value: Value): Kind {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'number') return 'float';
  return value instanceof Integer ? 'int' : 'none';
}

function equal(a: Value, b: Value): boolean {
  const kind = basicKind(a);
  if (kind !== basicKind(b)) {
    if (a === undefined || b === undefined) return false;
    throw new CallError(`incompatible types for comparison: ${typeOf(a)} and ${typeOf(b)}`);
  }
  if (kind !== 'none') return a instanceof Integer && b instanceof Integer ? a.value === b.value : a === b;
  if (a instanceof Opaque && b instanceof Opaque && a.kind === b.kind) return a.equals(b);
  const isNil = (value: Value) =>
    value === undefined || ((value instanceof List || value instanceof Dict) && value.isNil);
  const comparable = a === undefined || b === undefined || sameKind(a, b);
  if (comparable && (isNil(a) || isNil(b))) return isNil(a) === isNil(b);
  throw new CallError(
    comparable ? `non-comparable type ${typeOf(b)}` : `non-comparable types ${typeOf(a)}, ${typeOf(b)}`,
  );
}

function sameKind(a: Value, b: Value): boolean {
  return (a instanceof List && b instanceof List) || (a instanceof Dict && b instanceof Dict);
}

function less(a: Value, b: Value): boolean {
  const kind = basicKind(a);
  const other = basicKind(b);
  if (kind === 'none' || other === 'none') throw new CallError('invalid type for comparison');
  if (kind !== other) throw new CallError(`incompatible types for comparison: ${typeOf(a)} and ${typeOf(b)}`);
  if (a instanceof Integer && b instanceof Integer) return a.value < b.value;
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  if (typeof a === 'string' && typeof b === 'string') return a < b;
  throw new CallError('invalid type for comparison');
}

export const comparisons: FunctionTable = {
  eq: variadic1(reflected, reflected, (first, others) => {
    if (others.length === 0) throw new CallError('missing argument for comparison');
    return others.some((other) => equal(first, other));
  }),
  ne: fn2(reflected, reflected, (a, b) => !equal(a, b)),
  lt: fn2(reflected, reflected, less),
  le: fn2(reflected, reflected, (a, b) => less(a, b) || equal(a, b)),
  gt: fn2(reflected, reflected, (a, b) => !(less(a, b) || equal(a, b))),
  ge: fn2(reflected, reflected, (a, b) => !less(a, b)),
};
