// Cuts contents as containers/storage does for zstd:chunked (pkg/chunked/compressor; the rolling sum is bup's), so that
// pieces of an old version of a file are found in a new one. Runs of zeros are pieces of their own.

import { digestOf } from '../digest.ts';
import type { Chunk } from '../tree-index.ts';
import { MAX_HELD_BYTES } from './packed-chunk.ts';

const WINDOW_BYTES = 64;
/** What is added to each byte, so that zeros count. */
const BYTE_OFFSET = 31;
/** A cut is where as many of the sum's lowest bits are set: pieces have about 64 KiB. */
const CUT_MASK = 0xffff;
/** As many zeros are a piece of zeros. */
const MIN_ZEROS = 1024;

/** The chunks of a content; they end early where one would be too large to be of use. */
export async function* storageChunksOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<Chunk> {
  const chunker = new StorageChunker();
  for await (const piece of bytes) {
    yield* chunker.push(piece);
    if (chunker.heldBytes > MAX_HELD_BYTES) return;
  }
  yield* chunker.finish();
}

class StorageChunker {
  #buffer: Buffer = Buffer.allocUnsafe(256 << 10);
  #length = 0;
  /** Zeros that were not decided on. */
  #zeros = 0;
  readonly #window = new Uint8Array(WINDOW_BYTES);
  #at = 0;
  #sum = WINDOW_BYTES * BYTE_OFFSET;
  #sumOfSums = WINDOW_BYTES * (WINDOW_BYTES - 1) * BYTE_OFFSET;

  get heldBytes(): number {
    return this.#length + this.#zeros;
  }

  *push(bytes: Buffer): Generator<Chunk> {
    // An index, not an iterator: this is run for every byte.
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === 0) {
        this.#zeros += 1;
        continue;
      }
      if (this.#zeros >= MIN_ZEROS) yield* this.#endZeros();
      for (; this.#zeros > 0; this.#zeros--) if (this.#take(0)) yield* this.#end();
      if (this.#take(byte)) yield* this.#end();
    }
  }

  *finish(): Generator<Chunk> {
    if (this.#zeros >= MIN_ZEROS) yield* this.#endZeros();
    for (; this.#zeros > 0; this.#zeros--) if (this.#take(0)) yield* this.#end();
    yield* this.#end();
  }

  *#endZeros(): Generator<Chunk> {
    const zeros = this.#zeros;
    this.#zeros = 0;
    yield* this.#end();
    for (let count = 0; count < zeros; count++) this.#roll(0);
    yield { digest: digestOf(Buffer.alloc(zeros)), sizeBytes: zeros };
  }

  /** Whether a chunk ends behind the byte. */
  #take(byte: number): boolean {
    if (this.#length === this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer], 2 * this.#buffer.length);
    this.#buffer[this.#length++] = byte;
    this.#roll(byte);
    return (this.#sumOfSums & CUT_MASK) === CUT_MASK;
  }

  *#end(): Generator<Chunk> {
    if (this.#length === 0) return;
    const chunk = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    yield { digest: digestOf(chunk), sizeBytes: chunk.length };
  }

  /** Both sums are of 32 bits there; the lowest ones are the same here. */
  #roll(byte: number): void {
    const dropped = this.#window[this.#at] ?? 0;
    this.#window[this.#at] = byte;
    this.#at = (this.#at + 1) & (WINDOW_BYTES - 1);
    this.#sum = (this.#sum + byte - dropped) | 0;
    this.#sumOfSums = (this.#sumOfSums + this.#sum - WINDOW_BYTES * (dropped + BYTE_OFFSET)) | 0;
  }
}
