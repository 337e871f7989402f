// sprig's arithmetic with fractions, which goes through decimal numbers so that 0.1 + 0.2 is 0.3.

import { CallError } from '../templateerror.ts';
import type { Value } from '../values/value.ts';
import { fractionOf } from './conversion.ts';
import { type FunctionTable, fn1, variadic, variadic1 } from './function.ts';
import { any } from './parameters.ts';

/** digits × 10^exponent */
interface Decimal {
  digits: bigint;
  exponent: number;
}

/** Digits behind the point of a quotient. */
const DIVISION_DIGITS = 16;

export const decimals: FunctionTable = {
  add1f: fn1(any, (value) => calculate(value, [1], add)),
  addf: variadic(any, (values) => calculate(0, values, add)),
  subf: variadic1(any, any, (value, others) => calculate(value, others, subtract)),
  mulf: variadic1(any, any, (value, others) => calculate(value, others, multiply)),
  divf: variadic1(any, any, (value, others) => calculate(value, others, divide)),
};

function calculate(value: Value, others: readonly Value[], operation: (a: Decimal, b: Decimal) => Decimal): number {
  const { digits, exponent } = others.map(decimalOf).reduce(operation, decimalOf(value));
  return Number(`${digits}e${exponent}`);
}

function decimalOf(value: Value): Decimal {
  const number = fractionOf(value);
  if (!Number.isFinite(number)) throw new CallError(`Cannot create a Decimal from ${number}`);
  const [mantissa = '0', exponent = '0'] = number.toExponential().split('e');
  const [, fraction = ''] = mantissa.split('.');
  return { digits: BigInt(mantissa.replace('.', '')), exponent: Number(exponent) - fraction.length };
}

/** Both with the smaller exponent. */
function aligned(a: Decimal, b: Decimal): { x: bigint; y: bigint; exponent: number } {
  const exponent = Math.min(a.exponent, b.exponent);
  const digits = (value: Decimal) => value.digits * 10n ** BigInt(value.exponent - exponent);
  return { x: digits(a), y: digits(b), exponent };
}

function add(a: Decimal, b: Decimal): Decimal {
  const { x, y, exponent } = aligned(a, b);
  return { digits: x + y, exponent };
}

function subtract(a: Decimal, b: Decimal): Decimal {
  return add(a, { ...b, digits: -b.digits });
}

function multiply(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, exponent: a.exponent + b.exponent };
}

function divide(a: Decimal, b: Decimal): Decimal {
  if (b.digits === 0n) throw new CallError('decimal division by 0');
  const { x, y } = aligned(a, b);
  const scaled = x * 10n ** BigInt(DIVISION_DIGITS);
  const quotient = scaled / y;
  const remainder = scaled % y;
  const magnitude = (value: bigint) => (value < 0n ? -value : value);
  const roundsUp = magnitude(remainder) * 2n >= magnitude(y);
  const away = x < 0n === y < 0n ? 1n : -1n;
  return { digits: roundsUp ? quotient + away : quotient, exponent: -DIVISION_DIGITS };
}
