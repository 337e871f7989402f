// Turns the plain data that a template is given into values. Only own properties count, and a getter runs when its key
// is read.

import { bytesOf, textOf } from './bytes.ts';
import { Dict } from './dict.ts';
import { Integer } from './integer.ts';
import { List } from './list.ts';
import type { Value } from './value.ts';

/** Numbers become float64, bigints int; what has no counterpart (functions, symbols) is as if it weren't there. */
export function toValue(data: unknown): Value {
  if (data === undefined || data === null) return null;
  if (typeof data === 'boolean' || typeof data === 'number') return data;
  if (typeof data === 'string') return bytesOf(data);
  if (typeof data === 'bigint') return new Integer('int', data);
  if (Array.isArray(data)) return new List('interface {}', data.map(toValue));
  if (typeof data !== 'object') return null;
  return dictOf(data);
}

/** A map of an object's own properties; one whose value is undefined is no property. */
export function dictOf(data: object): Dict {
  return new Dict('interface {}', {
    source: {
      keys: () => Object.keys(data).map(bytesOf),
      read: (key) => {
        const property = Object.getOwnPropertyDescriptor(data, textOf(key));
        const value: unknown = property?.get === undefined ? property?.value : property.get.call(data);
        return value === undefined ? undefined : toValue(value);
      },
    },
  });
}
