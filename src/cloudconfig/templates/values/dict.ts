// A map of Go with text keys, which `set` and the like change in place. One made of facts reads a key only when it is
// asked for, since a section of them may be costly to gather.

import type { Value } from './value.ts';

export class Dict {
  readonly element: 'interface {}' | 'string';
  /** A nil map: it can be read and not written. */
  readonly isNil: boolean;
  readonly #entries = new Map<string, Value>();
  #source: DictSource | undefined;

  constructor(
    element: 'interface {}' | 'string' = 'interface {}',
    options: { source?: DictSource; isNil?: boolean } = {},
  ) {
    this.element = element;
    this.#source = options.source;
    this.isNil = options.isNil ?? false;
  }

  get type(): string {
    return `map[string]${this.element}`;
  }

  /** Undefined when there is no such key. */
  get(key: string): Value {
    const known = this.#entries.get(key);
    if (known !== undefined || this.#source === undefined) return known;
    const read = this.#source.read(key);
    if (read !== undefined) this.#entries.set(key, read);
    return read;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  set(key: string, value: Value): void {
    this.#readAll().set(key, value === undefined ? null : value);
  }

  delete(key: string): void {
    this.#readAll().delete(key);
  }

  get size(): number {
    return this.#readAll().size;
  }

  /** Sorted by bytes, which is also the order in which Go's templates and formats go through a map. */
  get keys(): string[] {
    return [...this.#readAll().keys()].sort();
  }

  /** In the order of {@link keys}. */
  get entries(): (readonly [string, Value])[] {
    return this.keys.map((key) => [key, this.get(key)] as const);
  }

  #readAll(): Map<string, Value> {
    const source = this.#source;
    if (source !== undefined) {
      for (const key of source.keys()) this.get(key);
      this.#source = undefined;
    }
    return this.#entries;
  }
}

/** Where a map's values come from when they are asked for. */
export interface DictSource {
  keys: () => readonly string[];
  /** Undefined when there is no such key. */
  read: (key: string) => Value;
}

export function dict(entries: Iterable<readonly [string, Value]>, element?: 'interface {}' | 'string'): Dict {
  const result = new Dict(element);
  for (const [key, value] of entries) result.set(key, value);
  return result;
}
