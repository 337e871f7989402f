// Numbers and bytes of a binary document, written and read one after another. Numbers take as many bytes as they need
// (LEB128), so that a column of small differences packs to almost nothing.

import { badIndex } from './bad-index.ts';

/** Collects numbers. */
export class NumberWriter {
  #bytes: Buffer = Buffer.alloc(4096);
  #length = 0;

  /** @param value a whole number, not negative. */
  add(value: number): void {
    if (this.#length + 8 > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  /** A number that may be negative; small ones either way stay small. */
  addSigned(value: number): void {
    this.add(value < 0 ? -2 * value - 1 : 2 * value);
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Reads what a writer wrote. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** @throws HoldfastError HF-IMAGE for numbers that can't be, and at the end. */
  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw badIndex('it ends too early');
      value += (byte & 0x7f) * factor;
      if (!Number.isSafeInteger(value) || factor > 2 ** 49) throw badIndex('a number is out of range');
      if (byte < 0x80) return value;
    }
  }

  signed(): number {
    const value = this.number();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** @throws HoldfastError HF-IMAGE when fewer are left. */
  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw badIndex('it ends too early');
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return bytes;
  }
}
