// A value of a Go type that templates can only print and ask for its members: a time, a version, a key with certificate.

import type { GoFunction } from '../functions/function.ts';
import type { Value } from './value.ts';

export abstract class Opaque {
  /** Go's name of the type: `time.Time`. */
  abstract readonly type: string;
  /** `struct` or `ptr`. */
  abstract readonly kind: string;

  /** How it is printed, in bytes. */
  abstract toString(): string;

  /** A method by its name. */
  abstract method(name: string): GoFunction | undefined;

  /** A field by its name. */
  field(_name: string): Value {
    return undefined;
  }

  /** How it looks in JSON. */
  toJson(): Value {
    return this.toString();
  }

  equals(other: Opaque): boolean {
    return this === other;
  }
}
