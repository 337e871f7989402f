// sprig's arithmetic: whole numbers are int64 and wrap around, whatever text or number they were before.

import type { Budget } from '../budget.ts';
import { print } from '../printing/values.ts';
import { CallError } from '../templateerror.ts';
import { int, int64 } from '../values/integer.ts';
import { List } from '../values/list.ts';
import type { Value } from '../values/value.ts';
import { fractionOf, wholeOf } from './conversion.ts';
import { type FunctionTable, fn1, fn2, fn3, type GoFunction, variadic, variadic1, variadic2 } from './function.ts';
import { any, count, float, integer, text } from './parameters.ts';

const MAX_INT = (1n << 63n) - 1n;

const largest = variadic1(any, any, (value, others) => int64(extreme(value, others, (a, b) => a > b)));

export const numbers: FunctionTable = {
  int: fn1(any, (value) => int(wholeOf(value))),
  int64: fn1(any, (value) => int64(wholeOf(value))),
  float64: fn1(any, fractionOf),
  atoi: fn1(text, (bytes) => int(parseDecimal(bytes))),
  toDecimal: fn1(any, (value, { budget }) => int64(parseOctal(print([value], budget)))),
  add1: fn1(any, (value) => int64(wholeOf(value) + 1n)),
  add: variadic(any, (values) => int64(values.reduce((sum: bigint, value) => sum + wholeOf(value), 0n))),
  sub: fn2(any, any, (a, b) => int64(wholeOf(a) - wholeOf(b))),
  mul: variadic1(any, any, (value, others) =>
    int64(others.reduce((product: bigint, other) => BigInt.asIntN(64, product * wholeOf(other)), wholeOf(value))),
  ),
  div: divided((a, b) => a / b),
  mod: divided((a, b) => a % b),
  max: largest,
  biggest: largest,
  min: variadic1(any, any, (value, others) => int64(extreme(value, others, (a, b) => a < b))),
  maxf: variadic1(any, any, (value, others) => Math.max(...[value, ...others].map(fractionOf))),
  minf: variadic1(any, any, (value, others) => Math.min(...[value, ...others].map(fractionOf))),
  floor: fn1(any, (value) => Math.floor(fractionOf(value))),
  ceil: fn1(any, (value) => Math.ceil(fractionOf(value))),
  round: variadic2(any, count, float, (value, places, [limit = 0.5]) => round(fractionOf(value), places, limit)),
  until: fn1(integer, (stop, { budget }) => intsOf(steps(0n, stop, stop < 0n ? -1n : 1n, budget))),
  untilStep: fn3(integer, integer, integer, (start, stop, step, { budget }) =>
    intsOf(steps(start, stop, step, budget)),
  ),
  seq: variadic(integer, (bounds, { budget }) => seq(bounds, budget)),
  randInt: fn2(integer, integer, (from, to, { host }) => {
    if (to <= from) throw new CallError('invalid argument to Intn');
    const bytes = Buffer.from(host.randomBytes(16)).toString('hex');
    return int(from + (BigInt(`0x${bytes}`) % (to - from)));
  }),
};

function divided(divide: (a: bigint, b: bigint) => bigint): GoFunction {
  return fn2(any, any, (a, b) => {
    const divisor = wholeOf(b);
    if (divisor === 0n) throw new CallError('runtime error: integer divide by zero');
    return int64(divide(wholeOf(a), divisor));
  });
}

function extreme(value: Value, others: readonly Value[], isBetter: (a: bigint, b: bigint) => boolean): bigint {
  return others.map(wholeOf).reduce((best, other) => (isBetter(other, best) ? other : best), wholeOf(value));
}

/** Go's strconv.Atoi, whose error sprig drops: 0, or the nearest number when there are too many digits. */
function parseDecimal(bytes: string): bigint {
  if (!/^[+-]?\d+$/.test(bytes)) return 0n;
  const number = BigInt(bytes.replace('+', ''));
  if (number > MAX_INT) return MAX_INT;
  return number < -MAX_INT - 1n ? -MAX_INT - 1n : number;
}

function parseOctal(bytes: string): bigint {
  const [, sign, digits] = bytes.match(/^([+-]?)([0-7]+)$/) ?? [];
  if (digits === undefined) return 0n;
  const number = BigInt(`0o${digits}`) * (sign === '-' ? -1n : 1n);
  return number > MAX_INT || number < -MAX_INT - 1n ? 0n : number;
}

/** sprig rounds up from `limit` on, by the part behind the point with its sign. */
function round(value: number, places: number, limit: number): number {
  const power = 10 ** places;
  const digits = power * value;
  const rounded = digits - Math.trunc(digits) >= limit ? Math.ceil(digits) : Math.floor(digits);
  return rounded / power;
}

function steps(start: bigint, stop: bigint, step: bigint, budget: Budget): bigint[] {
  if (step === 0n || stop < start !== step < 0n) return [];
  const count = (stop - start + (step > 0n ? step - 1n : step + 1n)) / step;
  budget.step(Number(count));
  return Array.from({ length: Number(count) }, (_, index) => start + step * BigInt(index));
}

function intsOf(values: readonly bigint[]): Value {
  return new List('int', values.map(int));
}

/** `seq END`, `seq START END`, `seq START STEP END`: numbers with both ends, separated by spaces. */
function seq(bounds: readonly bigint[], budget: Budget): string {
  if (bounds.length === 0 || bounds.length > 3) return '';
  const start = bounds.length === 1 ? 1n : (bounds[0] ?? 0n);
  const end = bounds.at(-1) ?? 0n;
  const direction = end < start ? -1n : 1n;
  const step = bounds.length === 3 ? (bounds[1] ?? 0n) : direction;
  if (end < start && step > 0n) return '';
  const numbers = steps(start, end + direction, step, budget);
  budget.text(numbers.length * 20);
  return numbers.join(' ');
}
