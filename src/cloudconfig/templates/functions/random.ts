// sprig's random texts. All randomness comes from the host's, which is fit for secrets.

import type { TemplateHost } from '../host.ts';
import { CallError } from '../templateerror.ts';
import { bytesOfRunes, runesOf } from '../values/bytes.ts';
import { type FunctionTable, fn0, fn1, type GoFunction } from './function.ts';
import { count, text } from './parameters.ts';

const DIGITS = '0123456789';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PRINTABLE = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');

export const random: FunctionTable = {
  randAlphaNum: randomText(DIGITS + LETTERS),
  randAlpha: randomText(LETTERS),
  randNumeric: randomText(DIGITS),
  randAscii: randomText(PRINTABLE),
  randBytes: fn1(count, (length, { host, budget }) => {
    if (length < 0) throw new CallError('makeslice: len out of range');
    budget.text(length * 2);
    return Buffer.from(host.randomBytes(length)).toString('base64');
  }),
  uuidv4: fn0(({ host }) => uuid(host)),
  shuffle: fn1(text, (bytes, { host, budget }) => {
    budget.text(bytes.length * 8);
    const runes = runesOf(bytes);
    for (let last = runes.length - 1; last > 0; last--) {
      budget.step();
      const other = below(last + 1, host);
      [runes[last], runes[other]] = [runes[other] ?? 0, runes[last] ?? 0];
    }
    return bytesOfRunes(runes);
  }),
};

function randomText(alphabet: string): GoFunction {
  return fn1(count, (length, { host, budget }) => {
    // sprig drops the error about a negative length.
    if (length < 0) return '';
    budget.text(length * 4);
    budget.step(Math.ceil(length / 16));
    const limit = 256 - (256 % alphabet.length);
    let result = '';
    while (result.length < length) {
      for (const byte of host.randomBytes(Math.min(2 * (length - result.length), 4096))) {
        // A byte above the limit would make the first letters more likely.
        if (byte < limit && result.length < length) result += alphabet.charAt(byte % alphabet.length);
      }
    }
    return result;
  });
}

/** A number from 0 up to the limit, which it never is. */
function below(limit: number, host: TemplateHost): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = host.randomBytes(6);
  return (((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f) % limit;
}

function uuid(host: TemplateHost): string {
  const bytes = Buffer.from(host.randomBytes(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
