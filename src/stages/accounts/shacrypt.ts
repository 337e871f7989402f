// SHA-256 and SHA-512 crypt ($5$ and $6$) of crypt(3), which Node doesn't offer: U. Drepper's "Unix crypt using SHA-256
// and SHA-512", version 0.6. The output must be the same byte for byte, or nobody can log in.

import { createHash, hash as hashAtOnce, randomBytes } from 'node:crypto';

interface Method {
  algorithm: 'sha256' | 'sha512';
  bytes: number;
  /** How the three byte positions of one group of output follow from those of the group before. */
  next: (group: Triple) => Triple;
  /** What is left after the full groups, most significant byte first. */
  tail: readonly number[];
}

type Triple = readonly [number, number, number];

const METHODS: Readonly<Record<string, Method>> = {
  '5': { algorithm: 'sha256', bytes: 32, next: ([a, b, c]) => [c + 1, a + 1, b + 1], tail: [31, 30] },
  '6': { algorithm: 'sha512', bytes: 64, next: ([a, b, c]) => [b + 1, c + 1, a + 1], tail: [63] },
};

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const DEFAULT_ROUNDS = 5000;
const MIN_ROUNDS = 1000;
const MAX_ROUNDS = 999_999_999;
const SALT_LENGTH = 16;

/** A password can't be checked against a hash with more rounds than this: it would take seconds at every boot. */
export const MAX_CHECKED_ROUNDS = 1_000_000;

interface Setting {
  id: string;
  method: Method;
  rounds: number;
  /** Whether the rounds are written out. */
  explicit: boolean;
  salt: Buffer;
}

/** `$6$SALT$HASH` of a text, with a random salt of 16 characters and 5000 rounds: crypt(3)'s own default. */
export function hashPassword(text: string): string {
  const salt = [...randomBytes(SALT_LENGTH)].map((byte) => ALPHABET.charAt(byte & 63)).join('');
  return crypt(text, `$6$${salt}`);
}

/**
 * crypt(3) for the two methods.
 * @param setting `$5$…` or `$6$…`, with or without `rounds=N$` and a hash behind the salt.
 * @throws RangeError for a setting of any other method.
 */
export function crypt(text: string, setting: string): string {
  const parsed = parseSetting(setting);
  if (parsed === undefined) throw new RangeError('the setting is neither $5$ nor $6$');
  const { id, rounds, explicit, salt, method } = parsed;
  const digest = stretch(Buffer.from(text, 'utf8'), parsed);
  return `$${id}$${explicit ? `rounds=${rounds}$` : ''}${salt.toString('utf8')}$${encode(digest, method)}`;
}

/** Whether a password field is the hash of this text; undefined when that can't be told here (yescrypt, DES, …). */
export function verifyPassword(text: string, field: string): boolean | undefined {
  const parsed = parseSetting(field);
  if (parsed === undefined || parsed.rounds > MAX_CHECKED_ROUNDS) return undefined;
  return crypt(text, field) === field;
}

function parseSetting(setting: string): Setting | undefined {
  const match = setting.match(/^\$([56])\$(?:rounds=(\d+)\$)?([^$]*)/);
  const [, id = '', written, salt = ''] = match ?? [];
  const method = METHODS[id];
  if (method === undefined) return undefined;
  const rounds = written === undefined ? DEFAULT_ROUNDS : Math.min(MAX_ROUNDS, Math.max(MIN_ROUNDS, Number(written)));
  const bytes = Buffer.from(salt, 'utf8').subarray(0, SALT_LENGTH);
  return { id, method, rounds, explicit: written !== undefined, salt: bytes };
}

/** The hash itself. The names follow the steps of the published description. */
function stretch(key: Buffer, { method, salt, rounds }: Setting): Buffer {
  const { algorithm, bytes } = method;
  const digestOf = (...parts: Buffer[]): Buffer => {
    const digest = createHash(algorithm);
    for (const part of parts) digest.update(part);
    return digest.digest();
  };

  const alternate = digestOf(key, salt, key);
  const first = [key, salt, repeat(alternate, key.length)];
  for (let bits = key.length; bits > 0; bits >>>= 1) first.push((bits & 1) === 1 ? alternate : key);
  let result = digestOf(...first);

  const keys = repeat(digestOf(...Array<Buffer>(key.length).fill(key)), key.length);
  const salts = repeat(digestOf(...Array<Buffer>(16 + (result[0] ?? 0)).fill(salt)), salt.length);

  // One buffer for all rounds: they are what takes the time.
  const buffer = Buffer.alloc(2 * keys.length + salts.length + bytes);
  for (let round = 0; round < rounds; round += 1) {
    const odd = round % 2 === 1;
    let at = (odd ? keys : result).copy(buffer, 0);
    if (round % 3 !== 0) at += salts.copy(buffer, at);
    if (round % 7 !== 0) at += keys.copy(buffer, at);
    at += (odd ? result : keys).copy(buffer, at);
    result = hashAtOnce(algorithm, buffer.subarray(0, at), 'buffer');
  }
  return result;
}

/** The first `length` bytes of a digest that is repeated without end. */
function repeat(digest: Buffer, length: number): Buffer {
  return Buffer.alloc(length, digest);
}

/** crypt(3)'s own base 64: three bytes in an order of their own to four characters, lowest bits first. */
function encode(digest: Buffer, { bytes, next, tail }: Method): string {
  let group: Triple = [0, (bytes - tail.length) / 3, (2 * (bytes - tail.length)) / 3];
  let text = '';
  for (let index = 0; index < (bytes - tail.length) / 3; index += 1) {
    text += characters(digest, group, 4);
    group = next(group);
  }
  return text + characters(digest, tail, tail.length + 1);
}

function characters(digest: Buffer, positions: readonly number[], count: number): string {
  let bits = positions.reduce((sum, position) => (sum << 8) | (digest[position] ?? 0), 0);
  let text = '';
  for (let index = 0; index < count; index += 1) {
    text += ALPHABET.charAt(bits & 63);
    bits >>>= 6;
  }
  return text;
}
