// Reading an archive forwards: in a plain file, where places that aren't wanted cost nothing, and in a packed one, where
// they have to be unpacked too.

import { type FileHandle, open } from 'node:fs/promises';

/** A place in an unpacked archive that only goes forward. */
export abstract class Cursor {
  position = 0;

  /** Up to so many bytes; undefined at the end. */
  abstract some(maxBytes: number): Promise<Buffer | undefined>;
  abstract skip(count: number): Promise<void>;
  abstract close(): Promise<void>;

  /** So many bytes, or undefined when there are fewer. */
  async exactly(count: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let missing = count; missing > 0; ) {
      const part = await this.some(missing);
      if (part === undefined) return undefined;
      parts.push(part);
      missing -= part.length;
    }
    const [only] = parts;
    return only !== undefined && parts.length === 1 ? only : Buffer.concat(parts);
  }
}

export class PlainCursor extends Cursor {
  readonly #path: string;
  #file: FileHandle | undefined;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  async some(maxBytes: number): Promise<Buffer | undefined> {
    this.#file ??= await open(this.#path, 'r');
    const { buffer, bytesRead } = await this.#file.read(Buffer.allocUnsafe(maxBytes), 0, maxBytes, this.position);
    this.position += bytesRead;
    return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
  }

  async skip(count: number): Promise<void> {
    this.position += count;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }
}

export class PackedCursor extends Cursor {
  readonly #stream: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    super();
    this.#stream = stream[Symbol.asyncIterator]();
  }

  async some(maxBytes: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#stream.next();
      if (done) return undefined;
      this.#rest = value;
    }
    const part = this.#rest.subarray(0, maxBytes);
    this.#rest = this.#rest.subarray(part.length);
    this.position += part.length;
    return part;
  }

  async skip(count: number): Promise<void> {
    for (let missing = count; missing > 0; ) {
      const part = await this.some(missing);
      if (part === undefined) return;
      missing -= part.length;
    }
  }

  async close(): Promise<void> {
    await this.#stream.return?.();
  }
}
