// Cuts contents into pieces where the content itself says so, so that an insertion moves cuts along with it and the rest
// stays what it was: a rolling "gear" hash with two masks (FastCDC, Xia et al., USENIX ATC 2016). The cuts are part of the
// format of published indexes: a change here means a new version of it.

import { createHash } from 'node:crypto';
import { digestOf } from '../digest.ts';
import type { Chunk } from '../tree-index.ts';

/** Contents up to this are one chunk. */
export const MIN_CHUNK_BYTES = 32 << 10;
/** What chunks are about as large as. */
const NORMAL_CHUNK_BYTES = 128 << 10;
/** Every chunk is at most this large. */
export const MAX_CHUNK_BYTES = 512 << 10;

/** The hash's highest bits hold the most bytes of history. Before the normal size cuts are rarer, behind it likelier. */
const STRICT_MASK = 0xffff_e000 | 0;
const LOOSE_MASK = 0xfffe_0000 | 0;

/** 256 numbers that anybody can make again: the first words of the sha256 of `holdfast gear 0`, `… 1` and so on. */
const GEAR = Int32Array.from({ length: 256 }, (_, byte) =>
  createHash('sha256').update(`holdfast gear ${byte}`).digest().readInt32BE(),
);

/** Takes a content in pieces of any size and gives its chunks' bytes. */
export class Chunker {
  readonly #buffer = Buffer.allocUnsafe(MAX_CHUNK_BYTES);
  #length = 0;
  #hash = 0;

  /** The chunks that these bytes complete; each is valid until the next call. */
  *push(bytes: Buffer): Generator<Buffer> {
    let rest = bytes;
    while (rest.length > 0) {
      const taken = rest.subarray(0, MAX_CHUNK_BYTES - this.#length);
      const cut = this.#findCut(taken);
      const piece = taken.subarray(0, cut ?? taken.length);
      piece.copy(this.#buffer, this.#length);
      this.#length += piece.length;
      rest = rest.subarray(piece.length);
      if (cut !== undefined || this.#length === MAX_CHUNK_BYTES) yield* this.finish();
    }
  }

  /** What is left at the end of the content. */
  *finish(): Generator<Buffer> {
    if (this.#length === 0) return;
    const chunk = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    this.#hash = 0;
    yield chunk;
  }

  /** How many of these bytes belong to the chunk that is being collected, if it ends among them. */
  #findCut(bytes: Buffer): number | undefined {
    const start = this.#length;
    // Cuts before the minimum don't count, and 32 bytes of history fill the hash.
    let at = Math.max(0, MIN_CHUNK_BYTES - 32 - start);
    let hash = this.#hash;
    const end = bytes.length;
    for (const { until, mask } of [
      { until: Math.min(end, MIN_CHUNK_BYTES - start), mask: undefined },
      { until: Math.min(end, NORMAL_CHUNK_BYTES - start), mask: STRICT_MASK },
      { until: end, mask: LOOSE_MASK },
    ]) {
      if (mask === undefined) {
        for (; at < until; at++) hash = ((hash << 1) + (GEAR[bytes[at] ?? 0] ?? 0)) | 0;
        continue;
      }
      for (; at < until; at++) {
        hash = ((hash << 1) + (GEAR[bytes[at] ?? 0] ?? 0)) | 0;
        if ((hash & mask) === 0) return at + 1;
      }
    }
    this.#hash = hash;
    return undefined;
  }
}

/** The chunks of a content. */
export async function* chunksOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<Chunk> {
  const chunker = new Chunker();
  for await (const piece of bytes) yield* describe(chunker.push(piece));
  yield* describe(chunker.finish());
}

function* describe(chunks: Iterable<Buffer>): Generator<Chunk> {
  for (const chunk of chunks) yield { digest: digestOf(chunk), sizeBytes: chunk.length };
}
