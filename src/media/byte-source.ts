// A stream of bytes that is read in pieces of one's own choice, forwards only.

export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  /** How many bytes were read. */
  position = 0;

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** So many bytes, or undefined where the stream has fewer. Memory is needed for what is there, not for what is asked. */
  async exactly(count: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let missing = count; missing > 0; ) {
      if (!(await this.#fill())) return undefined;
      const part = this.#take(missing);
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** @returns whether there were so many. */
  async skip(count: number): Promise<boolean> {
    for (let missing = count; missing > 0; ) {
      if (!(await this.#fill())) return false;
      missing -= this.#take(missing).length;
    }
    return true;
  }

  /** Skips zero bytes. @returns the bytes that follow, up to `count`, without reading them; none at the end. */
  async peekBehindZeros(count: number): Promise<Buffer> {
    while (await this.#fill()) {
      const at = this.#rest.findIndex((byte) => byte !== 0);
      this.#take(at < 0 ? this.#rest.length : at);
      if (at >= 0) break;
    }
    while (this.#rest.length < count) {
      const next = await this.#chunks.next();
      if (next.done) break;
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
    return this.#rest.subarray(0, count);
  }

  /** What is left, as it comes. */
  async *remaining(): AsyncGenerator<Buffer> {
    while (await this.#fill()) yield this.#take(this.#rest.length);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      this.#rest = next.value;
    }
    return true;
  }

  #take(most: number): Buffer {
    const part = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(part.length);
    this.position += part.length;
    return part;
  }
}
