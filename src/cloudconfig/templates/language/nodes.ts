// What a parsed template consists of. Each part knows where in the text it stands, for messages.

import type { Value } from '../values/value.ts';
import type { NumberLiteral } from './numbers.ts';

export interface Place {
  start: number;
  end: number;
}

export type Operand = Place &
  (
    | { kind: 'constant'; value: Value }
    | { kind: 'number'; number: NumberLiteral }
    | { kind: 'nil' }
    | { kind: 'dot' }
    /** `.a.b` */
    | { kind: 'field'; path: readonly string[] }
    /** `$a.b` */
    | { kind: 'variable'; name: string; path: readonly string[] }
    /** The name of a function. */
    | { kind: 'function'; name: string }
    /** `(…).a.b` */
    | { kind: 'chain'; base: Operand; path: readonly string[] }
    | { kind: 'pipeline'; pipeline: Pipeline }
  );

/** Operands side by side: a function with its arguments, or a value. */
export interface Command extends Place {
  first: Operand;
  rest: readonly Operand[];
}

export interface Pipeline extends Place {
  /** Names on the left side of `:=` or `=`. */
  variables: readonly string[];
  assigns: boolean;
  commands: readonly Command[];
}

export type Node = Place &
  (
    | { kind: 'text'; bytes: string }
    | { kind: 'action'; pipeline: Pipeline }
    | { kind: 'if' | 'with' | 'range'; pipeline: Pipeline; body: readonly Node[]; otherwise: readonly Node[] }
    | { kind: 'template'; name: string; pipeline: Pipeline | undefined }
    | { kind: 'break' }
    | { kind: 'continue' }
  );

export interface Template {
  root: readonly Node[];
  /** By name, of `define` and `block`. */
  definitions: ReadonlyMap<string, readonly Node[]>;
  /** The functions that are called anywhere. */
  functions: ReadonlySet<string>;
}
