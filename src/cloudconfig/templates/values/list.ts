// A slice of Go: items of one element type. Functions never change one, they make a new one.

import { int } from './integer.ts';
import type { Value } from './value.ts';

export type ElementType = 'interface {}' | 'string' | 'int' | 'uint8' | '[]interface {}';

export class List {
  readonly element: ElementType;
  readonly items: readonly Value[];
  /** A nil slice, which is `null` in JSON. */
  readonly isNil: boolean;

  constructor(element: ElementType, items: readonly Value[], isNil = false) {
    this.element = element;
    this.items = items;
    this.isNil = isNil;
  }

  get type(): string {
    return `[]${this.element}`;
  }
}

/** `[]interface {}`. */
export function list(items: readonly Value[]): List {
  // Inside of an interface there is nil or a value; "no value" doesn't exist there.
  return new List(
    'interface {}',
    items.map((item) => (item === undefined ? null : item)),
  );
}

export function nilList(): List {
  return new List('interface {}', [], true);
}

export function stringList(items: readonly string[]): List {
  return new List('string', items);
}

export function intList(items: readonly number[]): List {
  return new List('int', items.map(int));
}
