// sprig's functions that choose between values, ask for their type, or give up.

import { CallError } from '../templateerror.ts';
import { textOf } from '../values/bytes.ts';
import { isTrue, kindOf, typeOf } from '../values/types.ts';
import { deepEqual } from './equality.ts';
import { type FunctionTable, fn1, fn2, fn3, variadic, variadic1 } from './function.ts';
import { any, bool, text } from './parameters.ts';

export const choices: FunctionTable = {
  default: variadic1(any, any, (otherwise, [given]) => (isTrue(given) ? given : otherwise)),
  empty: fn1(any, (value) => !isTrue(value)),
  coalesce: variadic(any, (values) => values.find(isTrue)),
  all: variadic(any, (values) => values.every(isTrue)),
  any: variadic(any, (values) => values.some(isTrue)),
  ternary: fn3(any, any, bool, (yes, no, condition) => (condition ? yes : no)),
  fail: fn1(text, (message) => {
    throw new CallError(textOf(message));
  }),
  typeOf: fn1(any, typeOf),
  typeIs: fn2(text, any, (type, value) => typeOf(value) === type),
  typeIsLike: fn2(text, any, (type, value) => typeOf(value) === type || typeOf(value) === `*${type}`),
  kindOf: fn1(any, kindOf),
  kindIs: fn2(text, any, (kind, value) => kindOf(value) === kind),
  deepEqual: fn2(any, any, (a, b, { budget }) => deepEqual(a, b, budget)),
};
