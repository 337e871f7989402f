// bcrypt, which Node doesn't have: Blowfish with a key schedule that is slow on purpose. Its tables are the first digits of
// pi, which are calculated rather than written down.

const COST = 10;
const ROUNDS = 16;
const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** What is encrypted 64 times. */
const MAGIC = 'OrpheanBeholderScryDoubt';

/** The hash in the usual form, `$2a$10$…`, of at most 72 bytes. */
export function bcrypt(password: Uint8Array, salt: Uint8Array): string {
  const cipher = new Blowfish();
  // The terminating zero counts, and the key repeats.
  const key = wordsOf([...password, 0], 18);
  const salting = wordsOf([...salt], 4);
  cipher.expand(key, salting);
  const saltKey = wordsOf([...salt], 18);
  for (let round = 0; round < 2 ** COST; round++) {
    cipher.expand(key, NO_SALT);
    cipher.expand(saltKey, NO_SALT);
  }
  const words = wordsOf([...Buffer.from(MAGIC)], 6);
  for (let time = 0; time < 64; time++) {
    for (let at = 0; at < words.length; at += 2) cipher.encrypt(words, at);
  }
  const hash = Buffer.alloc(24);
  for (const [index, word] of words.entries()) hash.writeInt32BE(word, index * 4);
  // The last byte is left out, as everywhere since the first implementation.
  return `$2a$${COST}$${encode(salt)}${encode(hash.subarray(0, 23))}`;
}

const NO_SALT = new Int32Array(4);

class Blowfish {
  readonly #subkeys: Int32Array;
  readonly #boxes: Int32Array;

  constructor() {
    const digits = digitsOfPi();
    this.#subkeys = digits.slice(0, 18);
    this.#boxes = digits.slice(18);
  }

  /** Encrypts two words in place. */
  encrypt(words: Int32Array, at: number): void {
    const [subkeys, boxes] = [this.#subkeys, this.#boxes];
    let left = words[at] ?? 0;
    let right = words[at + 1] ?? 0;
    for (let round = 0; round < ROUNDS; round += 2) {
      left ^= subkeys[round] ?? 0;
      right ^= mix(boxes, left);
      right ^= subkeys[round + 1] ?? 0;
      left ^= mix(boxes, right);
    }
    words[at] = right ^ (subkeys[17] ?? 0);
    words[at + 1] = left ^ (subkeys[16] ?? 0);
  }

  /** Mixes a key and a salt into the tables. */
  expand(key: Int32Array, salt: Int32Array): void {
    for (const [index, word] of key.entries()) this.#subkeys[index] = (this.#subkeys[index] ?? 0) ^ word;
    const block = new Int32Array(2);
    let at = 0;
    for (const table of [this.#subkeys, this.#boxes]) {
      for (let index = 0; index < table.length; index += 2) {
        block[0] = (block[0] ?? 0) ^ (salt[at] ?? 0);
        block[1] = (block[1] ?? 0) ^ (salt[at + 1] ?? 0);
        at = (at + 2) % 4;
        this.encrypt(block, 0);
        table[index] = block[0] ?? 0;
        table[index + 1] = block[1] ?? 0;
      }
    }
  }
}

function mix(boxes: Int32Array, word: number): number {
  const sum = (boxes[word >>> 24] ?? 0) + (boxes[256 + ((word >>> 16) & 255)] ?? 0);
  return ((sum ^ (boxes[512 + ((word >>> 8) & 255)] ?? 0)) + (boxes[768 + (word & 255)] ?? 0)) | 0;
}

/** Bytes as big-endian words, from the start again when they are used up. */
function wordsOf(bytes: readonly number[], count: number): Int32Array {
  const words = new Int32Array(count);
  let at = 0;
  for (let index = 0; index < count; index++) {
    let word = 0;
    for (let byte = 0; byte < 4; byte++, at++) word = (word << 8) | (bytes[at % bytes.length] ?? 0);
    words[index] = word;
  }
  return words;
}

let pi: Int32Array | undefined;

/** The fraction of pi: 18 + 4 × 256 words of 32 bits. */
function digitsOfPi(): Int32Array {
  if (pi !== undefined) return pi;
  const count = 18 + 1024;
  const bits = BigInt(count * 32);
  const guard = 64n;
  const one = 1n << (bits + guard);
  // Machin: pi = 16 arctan 1/5 - 4 arctan 1/239.
  const value = (16n * inverseTangent(5n, one) - 4n * inverseTangent(239n, one)) >> guard;
  const hex = (value & ((1n << bits) - 1n)).toString(16).padStart(count * 8, '0');
  const words = hex.match(/.{8}/g) ?? [];
  pi = Int32Array.from(words, (word) => Number.parseInt(word, 16));
  return pi;
}

/** arctan 1/x in fixed point. */
function inverseTangent(x: bigint, one: bigint): bigint {
  let power = one / x;
  let sum = power;
  for (let divisor = 3n, sign = -1n; power !== 0n; divisor += 2n, sign = -sign) {
    power /= x * x;
    sum += (sign * power) / divisor;
  }
  return sum;
}

/** bcrypt's own base64. */
function encode(bytes: Uint8Array): string {
  let result = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const value = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const digits = Math.min(bytes.length - at, 3) + 1;
    for (let digit = 0; digit < digits; digit++) result += ALPHABET.charAt((value >> (18 - 6 * digit)) & 63);
  }
  return result;
}
