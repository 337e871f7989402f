// Checksums of a text, in hexadecimal digits.

import { createHash } from 'node:crypto';
import { bufferOf } from '../values/bytes.ts';
import { type FunctionTable, fn1, type GoFunction } from './function.ts';
import { text } from './parameters.ts';

export const checksums: FunctionTable = {
  sha1sum: hash('sha1'),
  sha256sum: hash('sha256'),
  sha512sum: hash('sha512'),
  adler32sum: fn1(text, adler32),
};

function hash(algorithm: string): GoFunction {
  return fn1(text, (bytes, { budget }) => {
    budget.text(bytes.length);
    return createHash(algorithm).update(bufferOf(bytes)).digest('hex');
  });
}

function adler32(bytes: string): string {
  let [a, b] = [1, 0];
  for (let at = 0; at < bytes.length; at++) {
    a = (a + bytes.charCodeAt(at)) % 65521;
    b = (b + a) % 65521;
  }
  return String(b * 65536 + a);
}
