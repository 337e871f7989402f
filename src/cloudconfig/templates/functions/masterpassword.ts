// The Master Password algorithm behind sprig's derivePassword: the same password for the same user, site and counter on
// every machine, without storing it.

import { bufferOf } from '../values/bytes.ts';

const SEED = 'com.lyndir.masterpassword';

/** Each kind of password has templates; a letter of one stands for a set of characters. */
const TEMPLATES: Readonly<Record<string, string>> = {
  maximum: 'anoxxxxxxxxxxxxxxxxx axxxxxxxxxxxxxxxxxno',
  long:
    'CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno CvcvnoCvccCvcv ' +
    'CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv ' +
    'CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno',
  medium: 'CvcnoCvc CvcCvcno',
  short: 'Cvcn',
  basic: 'aaanaaan aannaaan aaannaaa',
  pin: 'nnnn',
};

const VOWELS = 'AEIOU';
const CONSONANTS = 'BCDFGHJKLMNPQRSTVWXYZ';
const LETTERS = VOWELS + VOWELS.toLowerCase() + CONSONANTS + CONSONANTS.toLowerCase();
const CHARACTERS: Readonly<Record<string, string>> = {
  V: VOWELS,
  C: CONSONANTS,
  v: VOWELS.toLowerCase(),
  c: CONSONANTS.toLowerCase(),
  A: VOWELS + CONSONANTS,
  a: LETTERS,
  n: '0123456789',
  o: "@&%?,=[]_:-+*$#!'^~;()/.",
  x: `${LETTERS}0123456789!@#$%^&*()`,
};

type Scrypt = (password: Buffer, salt: Buffer, length: number, options: object) => Buffer;

/** Texts are bytes; `scrypt` and `hmac` (SHA-256) are the caller's. */
export function derivePassword(
  counter: number,
  kind: string,
  password: string,
  user: string,
  site: string,
  scrypt: Scrypt,
  hmac: (key: Buffer, data: Buffer) => Buffer,
): string {
  const templates = Object.hasOwn(TEMPLATES, kind) ? TEMPLATES[kind]?.split(' ') : undefined;
  if (templates === undefined) return `cannot find password template ${kind}`;
  const salt = Buffer.concat([Buffer.from(SEED), bigEndian(user.length), bufferOf(user)]);
  const key = scrypt(bufferOf(password), salt, 64, { N: 32768, r: 8, p: 2, maxmem: 128 << 20 });
  const message = Buffer.concat([Buffer.from(SEED), bigEndian(site.length), bufferOf(site), bigEndian(counter)]);
  const [choice = 0, ...bytes] = hmac(key, message);
  const template = templates[choice % templates.length] ?? '';
  return [...template]
    .map((letter, index) => {
      const characters = CHARACTERS[letter] ?? '';
      return characters.charAt((bytes[index] ?? 0) % characters.length);
    })
    .join('');
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
