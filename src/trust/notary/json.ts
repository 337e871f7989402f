// JSON of signed metadata, read strictly: what is signed is written again from what was read, so nothing may be lost or
// doubted on the way. Objects become maps, since their keys are names that strangers chose.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

export function isObject(value: Json): value is JsonObject {
  return value instanceof Map;
}

/** What can't be read, with the place in the text. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

/** Real files need six. */
const MAX_DEPTH = 32;
/** A hundred thousand signed tags have a quarter of it; what is beyond is made to fill the memory. */
const MAX_VALUES = 2 << 20;

const WHITE_SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** Characters that need no second look. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has them only escaped
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const LONE_SURROGATE = /\p{Surrogate}/u;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * Reads one JSON document of UTF-8 bytes.
 * @throws JsonError for anything that is no JSON, for fractions, exponents and integers beyond 2^53-1, for a key that
 *   comes twice, for text that is no Unicode, for nesting deeper than 32, and for more than two million values.
 */
export function parseJson(bytes: Uint8Array): Json {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonError('it is not UTF-8');
  }
  return new JsonReader(text).document();
}

class JsonReader {
  readonly #text: string;
  #at = 0;
  #values = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Json {
    const value = this.#value(1);
    this.#space();
    if (this.#at < this.#text.length) throw this.#wrong('there is more after its end');
    return value;
  }

  #value(depth: number): Json {
    this.#values += 1;
    if (this.#values > MAX_VALUES) throw this.#wrong('it holds too many values');
    if (depth > MAX_DEPTH) throw this.#wrong(`it is nested deeper than ${MAX_DEPTH}`);
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    const object = new Map<string, Json>();
    this.#at += 1;
    if (this.#accept('}')) return object;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') throw this.#wrong('a key was expected');
      const key = this.#string();
      if (object.has(key)) throw this.#wrong('a key comes twice');
      if (!this.#accept(':')) throw this.#wrong('a colon was expected');
      object.set(key, this.#value(depth + 1));
    } while (this.#accept(','));
    if (!this.#accept('}')) throw this.#wrong('the end of an object was expected');
    return object;
  }

  #array(depth: number): Json[] {
    const array: Json[] = [];
    this.#at += 1;
    if (this.#accept(']')) return array;
    do array.push(this.#value(depth + 1));
    while (this.#accept(','));
    if (!this.#accept(']')) throw this.#wrong('the end of a list was expected');
    return array;
  }

  #string(): string {
    this.#at += 1;
    let value = '';
    for (;;) {
      value += this.#take(PLAIN);
      const next = this.#text[this.#at];
      this.#at += 1;
      if (next === '"') break;
      if (next !== '\\') throw this.#wrong('a string does not end');
      value += this.#escape();
    }
    if (LONE_SURROGATE.test(value)) throw this.#wrong('half a character');
    return value;
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? '';
    this.#at += 1;
    if (letter !== 'u') {
      const plain = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
      if (plain === undefined) throw this.#wrong('an escape that there is not');
      return plain;
    }
    const digits = this.#text.slice(this.#at, this.#at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#wrong('an escape that is none');
    this.#at += 4;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  #number(): number {
    const text = this.#take(NUMBER);
    if (text === '') throw this.#wrong('a value was expected');
    const value = Number(text);
    if (/[.eE]/.test(text) || Object.is(value, -0) || !Number.isSafeInteger(value)) {
      throw this.#wrong('a number that is no plain integer');
    }
    return value;
  }

  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#wrong('a value was expected');
    this.#at += word.length;
    return value;
  }

  #accept(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #space(): void {
    this.#take(WHITE_SPACE);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += match.length;
    return match;
  }

  #wrong(why: string): JsonError {
    return new JsonError(`${why} (at character ${this.#at + 1})`);
  }
}
