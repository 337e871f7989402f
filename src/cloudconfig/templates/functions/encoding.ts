// Base64 and base32. A text that can't be decoded becomes the complaint about it, as in sprig.

import { bufferOf } from '../values/bytes.ts';
import { type FunctionTable, fn1 } from './function.ts';
import { text } from './parameters.ts';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export const encoding: FunctionTable = {
  b64enc: fn1(text, (bytes, { budget }) => {
    budget.text(bytes.length * 2);
    return bufferOf(bytes).toString('base64');
  }),
  b64dec: fn1(text, decodeBase64),
  b32enc: fn1(text, (bytes, { budget }) => {
    budget.text(bytes.length * 2);
    return encodeBase32(bytes);
  }),
  b32dec: fn1(text, decodeBase32),
};

/** Standard base64 with padding; line ends are passed over. */
function decodeBase64(bytes: string): string {
  const illegal = illegalAt(bytes, /[A-Za-z0-9+/]/, 4, (digits) => [0, 2, 3].includes(digits));
  if (illegal !== undefined) return `illegal base64 data at input byte ${illegal}`;
  return Buffer.from(bytes, 'base64').toString('latin1');
}

function encodeBase32(bytes: string): string {
  let result = '';
  let [value, bits] = [0, 0];
  for (let at = 0; at < bytes.length; at++) {
    value = (value << 8) | bytes.charCodeAt(at);
    bits += 8;
    for (; bits >= 5; bits -= 5) result += BASE32.charAt((value >> (bits - 5)) & 31);
    value &= 0xff;
  }
  if (bits > 0) result += BASE32.charAt((value << (5 - bits)) & 31);
  return result.padEnd(Math.ceil(result.length / 8) * 8, '=');
}

function decodeBase32(bytes: string): string {
  const illegal = illegalAt(bytes, /[A-Z2-7]/, 8, (digits) => [0, 2, 4, 5, 7].includes(digits));
  if (illegal !== undefined) return `illegal base32 data at input byte ${illegal}`;
  let result = '';
  let [value, bits] = [0, 0];
  for (const digit of bytes.replace(/[\r\n=]/g, '')) {
    value = ((value << 5) | BASE32.indexOf(digit)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    result += String.fromCharCode((value >> bits) & 0xff);
  }
  return result;
}

/** Where a text stops being whole groups of digits with padding at the end; undefined when it doesn't. */
function illegalAt(
  bytes: string,
  digit: RegExp,
  group: number,
  endsAfter: (digits: number) => boolean,
): number | undefined {
  let digits = 0;
  let padding = 0;
  for (let at = 0; at < bytes.length; at++) {
    const sign = bytes.charAt(at);
    if (sign === '\n' || sign === '\r') continue;
    if (sign === '=') {
      padding++;
      const used = digits % group;
      if (used === 0 || !endsAfter(used) || used + padding > group) return at;
    } else {
      if (padding > 0 || !digit.test(sign)) return at;
      digits++;
    }
  }
  const incomplete = (digits + padding) % group !== 0;
  // Go names the start of the last group that isn't whole.
  return incomplete ? bytes.length - (padding > 0 ? 0 : digits % group) : undefined;
}
