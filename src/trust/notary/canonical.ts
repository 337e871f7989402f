// Canonical JSON as Notary signs it (docker/go's canonical encoder): the bytes that a signature covers, made from the parsed
// file. It is neither RFC 8785 nor what the server sends: keys are sorted by their UTF-8 bytes, and only quotes and
// backslashes are escaped.

import { isObject, type Json } from './json.ts';

/** The bytes over which a value is signed or hashed. */
export function canonicalJson(value: Json): Buffer {
  return Buffer.from(write(value), 'utf8');
}

function write(value: Json): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, '\\$&')}"`;
  if (typeof value !== 'object') return String(value);
  if (!isObject(value)) return `[${value.map(write).join(',')}]`;
  const members = [...value].map(([key, member]) => ({ key, bytes: Buffer.from(key, 'utf8'), member }));
  // JavaScript compares UTF-16 units, which is another order beyond the basic plane.
  members.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  return `{${members.map(({ key, member }) => `${write(key)}:${write(member)}`).join(',')}}`;
}
