// Reading the fields of a metadata file: each access checks the type and knows where in which file it is, so that a refusal
// names file and field. Text from outside is shortened and quoted before it gets into a message.

import { TrustError } from '../trust-error.ts';
import { isObject, type Json } from './json.ts';

/** Standard base64 with its padding (RFC 4648, section 4). */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export class Field {
  readonly #value: Json | undefined;
  /** The file, for messages: `snapshot.<hash>.json of localhost:5000/os/demo`. */
  readonly file: string;
  readonly #role: string;
  readonly #path: string;

  constructor(value: Json | undefined, file: string, role: string, path = '') {
    this.#value = value;
    this.file = file;
    this.#role = role;
    this.#path = path;
  }

  get value(): Json | undefined {
    return this.#value;
  }

  /** Whether there is nothing; Go writes empty lists and maps as null. */
  get isMissing(): boolean {
    return this.#value === undefined || this.#value === null;
  }

  /** A member; of a missing one every member is missing. */
  get(name: string): Field {
    if (this.isMissing) return this.#child(undefined, name);
    return this.#child(this.#object().get(name), name);
  }

  /** All members; none where the field is missing. */
  members(): [string, Field][] {
    if (this.isMissing) return [];
    return [...this.#object()].map(([name, value]) => [name, this.#child(value, name)]);
  }

  /** All items of a list; none where the field is missing. */
  items(): Field[] {
    const value = this.#value;
    if (value === undefined || value === null) return [];
    if (typeof value !== 'object' || isObject(value)) throw this.wrong('is no list');
    return value.map((item, index) => this.#child(item, String(index)));
  }

  text(maxLength = 1024): string {
    if (typeof this.#value !== 'string') throw this.wrong('is no text');
    if (this.#value.length > maxLength) throw this.wrong('is too long');
    return this.#value;
  }

  integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value;
    if (typeof value !== 'number' || value < minimum || value > maximum) {
      throw this.wrong(`is no integer from ${minimum}${maximum === Number.MAX_SAFE_INTEGER ? '' : ` to ${maximum}`}`);
    }
    return value;
  }

  /** Bytes written in base64. */
  bytes(maxLength = 1 << 20): Buffer {
    const text = this.text(Math.ceil(maxLength / 3) * 4);
    if (!BASE64.test(text)) throw this.wrong('is not base64');
    return Buffer.from(text, 'base64');
  }

  /** The refusal for this field. */
  wrong(what: string): TrustError {
    const field = this.#path === '' ? 'the file' : this.#path;
    return new TrustError('bad-metadata', `${this.file} can't be used: ${field} ${what}`, {
      role: this.#role,
      hint: 'the server sends something that is no Notary metadata, or that an unknown tool has written',
    });
  }

  #object(): ReadonlyMap<string, Json> {
    const value = this.#value;
    if (value === undefined || value === null || typeof value !== 'object' || !isObject(value)) {
      throw this.wrong(value === undefined ? 'is missing' : 'is no object');
    }
    return value;
  }

  #child(value: Json | undefined, name: string): Field {
    const shown = /^[\w./:-]{1,100}$/.test(name) ? name : JSON.stringify(name.slice(0, 100));
    return new Field(value, this.file, this.#role, this.#path === '' ? shown : `${this.#path}.${shown}`);
  }
}
