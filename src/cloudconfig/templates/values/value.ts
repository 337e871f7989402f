// The values that templates work with, each with its Go type: comparison, printing and the types of arguments depend on
// whether a number is an `int`, an `int64` or a `float64`.

import type { Dict } from './dict.ts';
import type { Integer } from './integer.ts';
import type { List } from './list.ts';
import type { Opaque } from './opaque.ts';

/**
 * `undefined` is no value at all (a key that isn't there), `null` is nil in an interface, a string holds bytes
 * (see bytes.ts), a number is a float64.
 */
export type Value = undefined | null | boolean | string | number | Integer | List | Dict | Opaque;
