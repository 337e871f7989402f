// Evaluates what stands inside of an action, by the rules of Go's text/template: what a name stands for, which values a
// parameter takes, and how a pipeline hands a value on.

import type { CallContext, GoFunction } from './functions/function.ts';
import type { Parameter } from './functions/parameters.ts';
import type { Command, Operand, Pipeline, Place } from './language/nodes.ts';
import type { NumberLiteral } from './language/numbers.ts';
import { CallError, TemplateError } from './templateerror.ts';
import { Dict } from './values/dict.ts';
import { Integer, int } from './values/integer.ts';
import { Opaque } from './values/opaque.ts';
import { isTrue, typeOf } from './values/types.ts';
import type { Value } from './values/value.ts';

/** Stands where a command has no value before it in its pipeline. */
const NOTHING = Symbol('nothing');
type Final = Value | typeof NOTHING;

export interface Variable {
  name: string;
  value: Value;
}

export class Evaluation {
  readonly #source: string;
  readonly #functions: ReadonlyMap<string, GoFunction>;
  readonly #context: CallContext;
  /** Known now; the last of a name counts. */
  variables: Variable[] = [];

  constructor(source: string, functions: ReadonlyMap<string, GoFunction>, context: CallContext) {
    this.#source = source;
    this.#functions = functions;
    this.#context = context;
  }

  /** The value of a pipeline, which goes to the variables that it names. */
  pipeline(pipeline: Pipeline, dot: Value): Value {
    let value: Final = NOTHING;
    for (const command of pipeline.commands) {
      const result: Value = this.#command(command, dot, value);
      // nil out of an interface is no value any more.
      value = result === null ? undefined : result;
    }
    const result = value === NOTHING ? undefined : value;
    for (const name of pipeline.variables) {
      if (pipeline.assigns) this.assign(name, result, pipeline);
      else this.variables.push({ name, value: result });
    }
    return result;
  }

  assign(name: string, value: Value, place: Place): void {
    this.variable(name, place).value = value;
  }

  variable(name: string, place: Place): Variable {
    const variable = this.variables.findLast((known) => known.name === name);
    if (variable === undefined) throw this.error(place, `undefined variable: ${name}`);
    return variable;
  }

  #command(command: Command, dot: Value, final: Final): Value {
    const { first, rest } = command;
    this.guard(command, () => this.#context.budget.step());
    switch (first.kind) {
      case 'function':
        return this.#call(first.name, this.#function(first.name, first), command, rest, dot, final);
      case 'field':
        return this.#chain(dot, first.path, first, command, dot, final);
      case 'chain':
        return this.#chain(this.#operand(first.base, dot), first.path, first, command, dot, final);
      case 'variable': {
        const { value } = this.variable(first.name, first);
        if (first.path.length > 0) return this.#chain(value, first.path, first, command, dot, final);
        break;
      }
    }
    if (rest.length > 0 || final !== NOTHING) {
      throw this.error(command, `can't give argument to non-function ${this.sourceOf(first)}`);
    }
    if (first.kind === 'nil') throw this.error(first, 'nil is not a command');
    return this.#operand(first, dot);
  }

  /** The value of an operand where nothing says which type is wanted. */
  #operand(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case 'constant':
        return operand.value;
      case 'number':
        return this.#ownNumber(operand.number, operand);
      case 'dot':
        return dot;
      case 'field':
        return this.#chain(dot, operand.path, operand, undefined, dot, NOTHING);
      case 'variable': {
        const { value } = this.variable(operand.name, operand);
        return this.#chain(value, operand.path, operand, undefined, dot, NOTHING);
      }
      case 'function':
        return this.#call(operand.name, this.#function(operand.name, operand), operand, [], dot, NOTHING);
      case 'chain':
        return this.#chain(this.#operand(operand.base, dot), operand.path, operand, undefined, dot, NOTHING);
      case 'pipeline':
        return this.pipeline(operand.pipeline, dot);
      default:
        return null;
    }
  }

  #ownNumber(number: NumberLiteral, place: Place): Value {
    if (number.own === 'float') return number.float;
    if (number.own === 'int' && number.int !== undefined) return int(number.int);
    throw this.error(place, `${this.sourceOf(place)} overflows int`);
  }

  /** `.a.b.c`; only the last of them may get arguments, and only when it is a method. */
  #chain(
    receiver: Value,
    path: readonly string[],
    place: Place,
    command: Command | undefined,
    dot: Value,
    final: Final,
  ): Value {
    let value = receiver;
    for (const [index, name] of path.entries()) {
      const last = index === path.length - 1;
      value = this.#field(value, name, place, last ? (command?.rest ?? []) : [], dot, last ? final : NOTHING);
    }
    return value;
  }

  #field(receiver: Value, name: string, place: Place, rest: readonly Operand[], dot: Value, final: Final): Value {
    if (receiver === undefined) return undefined;
    if (receiver === null) throw this.error(place, `nil pointer evaluating interface {}.${name}`);
    const hasArguments = rest.length > 0 || final !== NOTHING;
    if (receiver instanceof Dict) {
      if (hasArguments) throw this.error(place, `${name} is not a method but has arguments`);
      return receiver.get(name);
    }
    if (receiver instanceof Opaque) {
      const method = receiver.method(name);
      if (method !== undefined) return this.#call(name, method, place, rest, dot, final);
      const field = receiver.field(name);
      if (field !== undefined) {
        if (hasArguments) throw this.error(place, `${name} has arguments but cannot be invoked as function`);
        return field;
      }
    }
    throw this.error(place, `can't evaluate field ${name} in type ${typeOf(receiver)}`);
  }

  #function(name: string, place: Place): GoFunction {
    const found = this.#functions.get(name);
    if (found === undefined) throw this.error(place, `${JSON.stringify(name)} is not a defined function`);
    return found;
  }

  #call(name: string, callee: GoFunction, place: Place, operands: readonly Operand[], dot: Value, final: Final): Value {
    const { parameters, rest } = callee;
    const count = operands.length + (final === NOTHING ? 0 : 1);
    if (rest === undefined ? count !== parameters.length : count < parameters.length) {
      const wanted = rest === undefined ? `want ${parameters.length}` : `want at least ${parameters.length}`;
      throw this.error(place, `wrong number of args for ${name}: ${wanted} got ${count}`);
    }
    if (name === 'and' || name === 'or') return this.#shortCircuit(name, operands, dot, final);
    const values: Value[] = [];
    for (const [index, operand] of operands.entries()) {
      const parameter = parameters[index] ?? rest;
      if (parameter !== undefined) values.push(this.#argument(operand, parameter, dot));
    }
    if (final !== NOTHING) {
      const parameter = parameters[operands.length] ?? rest;
      if (parameter !== undefined) values.push(this.#fitting(final, parameter, place));
    }
    return this.guard(place, () => callee.call(values, this.#context), `error calling ${name}: `);
  }

  /** `and` and `or` evaluate no further than needed, and return what decided. */
  #shortCircuit(name: 'and' | 'or', operands: readonly Operand[], dot: Value, final: Final): Value {
    let value: Value;
    for (const operand of operands) {
      value = operand.kind === 'nil' ? undefined : this.#operand(operand, dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return final === NOTHING ? value : final;
  }

  /** An operand as an argument of a type. */
  #argument(operand: Operand, parameter: Parameter<unknown>, dot: Value): Value {
    switch (operand.kind) {
      case 'nil':
        if (parameter.nilable) return undefined;
        throw this.error(operand, `cannot assign nil to ${parameter.type}`);
      case 'constant':
      case 'number':
        return this.#literal(operand, parameter);
      default:
        return this.#fitting(this.#operand(operand, dot), parameter, operand);
    }
  }

  #literal(operand: Extract<Operand, { kind: 'constant' | 'number' }>, parameter: Parameter<unknown>): Value {
    const { literal } = parameter;
    if (literal === 'any')
      return operand.kind === 'constant' ? operand.value : this.#ownNumber(operand.number, operand);
    if (operand.kind === 'number') {
      const { int: whole, uint, float } = operand.number;
      if (literal === 'int' && whole !== undefined) return int(whole);
      if (literal === 'uint' && uint !== undefined) return new Integer('uint32', uint);
      if (literal === 'float' && float !== undefined) return float;
    } else if (literal === 'string' ? typeof operand.value === 'string' : literal === 'bool') {
      if (parameter.accepts(operand.value)) return operand.value;
    }
    const found = this.sourceOf(operand);
    if (literal === 'none') throw this.error(operand, `can't handle ${found} for arg of type ${parameter.type}`);
    throw this.error(operand, `expected ${EXPECTED[literal]}; found ${found}`);
  }

  /** A value that a parameter takes, or an error in Go's words. */
  #fitting(value: Value, parameter: Parameter<unknown>, place: Place): Value {
    if (value === undefined) {
      if (parameter.nilable) return undefined;
      throw this.error(place, `invalid value; expected ${parameter.type}`);
    }
    if (parameter.accepts(value)) return value;
    const type = value === null ? 'interface {}' : typeOf(value);
    throw this.error(place, `wrong type for value; expected ${parameter.type}; got ${type}`);
  }

  /** Runs an action whose refusal gets a place. */
  guard<T>(place: Place, action: () => T, before = ''): T {
    try {
      return action();
    } catch (error) {
      if (error instanceof CallError) throw this.error(place, before + error.message);
      throw error;
    }
  }

  sourceOf({ start, end }: Place): string {
    const text = this.#source.slice(start, end).replace(/\s+/g, ' ');
    return text.length > 60 ? `${text.slice(0, 60)}…` : text;
  }

  error(place: Place, message: string): TemplateError {
    return new TemplateError(`<${this.sourceOf(place)}>: ${message}`, place.start);
  }
}

const EXPECTED = { bool: 'bool', int: 'integer', uint: 'unsigned integer', float: 'float', string: 'string' } as const;
