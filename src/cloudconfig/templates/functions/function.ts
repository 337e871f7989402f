// A function that templates may call, with the Go types of its parameters: they decide how a literal is read and which
// values are refused. The constructors keep a function's body and its parameters in step.

import type { Budget } from '../budget.ts';
import type { TemplateHost } from '../host.ts';
import type { Value } from '../values/value.ts';
import type { Parameter } from './parameters.ts';

/** What a function may use besides its arguments. */
export interface CallContext {
  budget: Budget;
  host: TemplateHost;
  /** Addresses that were looked up so far, by name. */
  addresses: Map<string, readonly string[]>;
}

export interface GoFunction {
  parameters: readonly Parameter<unknown>[];
  /** The type of any number of further arguments. */
  rest?: Parameter<unknown>;
  /** The arguments fit the parameters. Throws CallError. */
  call: (values: readonly Value[], context: CallContext) => Value;
}

/** Functions by name. */
export type FunctionTable = Readonly<Record<string, GoFunction>>;

export function fn0(body: (context: CallContext) => Value): GoFunction {
  return { parameters: [], call: (_, context) => body(context) };
}

export function fn1<A>(a: Parameter<A>, body: (a: A, context: CallContext) => Value): GoFunction {
  return { parameters: [a], call: ([x], context) => body(a.read(x), context) };
}

export function fn2<A, B>(
  a: Parameter<A>,
  b: Parameter<B>,
  body: (a: A, b: B, context: CallContext) => Value,
): GoFunction {
  return { parameters: [a, b], call: ([x, y], context) => body(a.read(x), b.read(y), context) };
}

export function fn3<A, B, C>(
  a: Parameter<A>,
  b: Parameter<B>,
  c: Parameter<C>,
  body: (a: A, b: B, c: C, context: CallContext) => Value,
): GoFunction {
  return { parameters: [a, b, c], call: ([x, y, z], context) => body(a.read(x), b.read(y), c.read(z), context) };
}

/** Any number of arguments of one type. */
export function variadic<R>(rest: Parameter<R>, body: (rest: R[], context: CallContext) => Value): GoFunction {
  return { parameters: [], rest, call: (values, context) => body(values.map(rest.read), context) };
}

/** One argument and any number of further ones. */
export function variadic1<A, R>(
  a: Parameter<A>,
  rest: Parameter<R>,
  body: (a: A, rest: R[], context: CallContext) => Value,
): GoFunction {
  return {
    parameters: [a],
    rest,
    call: ([x, ...values], context) => body(a.read(x), values.map(rest.read), context),
  };
}

/** Two arguments and any number of further ones. */
export function variadic2<A, B, R>(
  a: Parameter<A>,
  b: Parameter<B>,
  rest: Parameter<R>,
  body: (a: A, b: B, rest: R[], context: CallContext) => Value,
): GoFunction {
  return {
    parameters: [a, b],
    rest,
    call: ([x, y, ...values], context) => body(a.read(x), b.read(y), values.map(rest.read), context),
  };
}
