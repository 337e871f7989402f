// Chunks that lie in ranges of one blob. Neighbours are fetched in one request, with what lies between them when that is
// less than another request would cost; what a set of chunks costs is known before anything is fetched.

import type { Digest } from '../digest.ts';
import type { Descriptor } from '../manifest.ts';
import type { Repository } from '../repository.ts';
import type { Chunk, ChunkCost, ChunkSource, FetchChunksOptions } from '../tree-index.ts';
import { badIndex } from './bad-index.ts';
import { type PackedChunk, type PackedRange, rangesOf } from './packed-chunk.ts';
import { checked, type FetchedRange, type UnpackedChunk, unpackGzipRanges, unpackZstdRanges } from './unpack-chunks.ts';

/** Bytes that are fetched along rather than asked for again: what a fast line brings in the time of a request. */
const MAX_GAP_BYTES = 64 << 10;
/** One request asks for about this much at most, so that what broke off isn't repeated from far away. */
const MAX_REQUEST_BYTES = 16 << 20;

export interface RangedChunksOptions {
  /** For messages: `zstd:chunked`, `eStargz`, `chunk index`. */
  name: string;
  repository: Pick<Repository, 'ranges'>;
  blob: Descriptor;
  packing: 'zstd' | 'gzip';
  chunks: Iterable<PackedChunk>;
  /** Chunks that are at hand. */
  inline?: ReadonlyMap<Digest, Buffer>;
  split?: (bytes: AsyncIterable<Buffer>) => AsyncIterable<Chunk>;
}

/** One request. */
interface Request {
  start: number;
  end: number;
  ranges: PackedRange[];
}

export class RangedChunks implements ChunkSource {
  readonly name: string;
  readonly split?: (bytes: AsyncIterable<Buffer>) => AsyncIterable<Chunk>;
  readonly #options: RangedChunksOptions;
  readonly #inline: ReadonlyMap<Digest, Buffer>;
  /** Without a range: zeros. */
  readonly #chunks = new Map<Digest, { chunk: PackedChunk; range: PackedRange | undefined }>();

  /** @throws HoldfastError HF-IMAGE when chunks overlap, lie outside the blob or are too large. */
  constructor(options: RangedChunksOptions) {
    this.name = options.name;
    this.#options = options;
    this.#inline = options.inline ?? new Map();
    if (options.split !== undefined) this.split = options.split;
    const unique = new Map<Digest, PackedChunk>();
    for (const chunk of options.chunks) {
      // Zeros needn't be fetched, wherever else they are packed.
      if (!unique.has(chunk.digest) || chunk.start === chunk.end) unique.set(chunk.digest, chunk);
    }
    for (const chunk of unique.values()) this.#chunks.set(chunk.digest, { chunk, range: undefined });
    for (const range of rangesOf(unique.values(), options.blob.sizeBytes)) {
      if (options.packing === 'zstd' && range.chunks.length > 1) throw badIndex('chunks overlap');
      for (const chunk of range.chunks) this.#chunks.set(chunk.digest, { chunk, range });
    }
  }

  has(digest: Digest): boolean {
    return this.#inline.has(digest) || this.#chunks.has(digest);
  }

  cost(digests: ReadonlySet<Digest>): ChunkCost {
    const requests = this.#requests(digests);
    return { fetchBytes: requests.reduce((sum, { start, end }) => sum + end - start, 0), requests: requests.length };
  }

  async *fetch(digests: ReadonlySet<Digest>, options: FetchChunksOptions = {}): AsyncGenerator<UnpackedChunk> {
    for (const digest of digests) {
      const bytes = this.#inline.get(digest);
      if (bytes !== undefined) yield { digest, bytes };
      else if (this.#find(digest).range === undefined) yield this.#zeros(digest);
    }
    const requests = this.#requests(digests);
    if (requests.length === 0) return;
    const wanted = new Set(digests);
    const fetched = this.#fetchRanges(requests, options);
    const unpacked = this.#options.packing === 'zstd' ? unpackZstdRanges(fetched) : unpackGzipRanges(fetched);
    for await (const chunk of unpacked) {
      // A range may hold more than was asked for.
      if (wanted.delete(chunk.digest)) yield chunk;
    }
  }

  #find(digest: Digest): { chunk: PackedChunk; range: PackedRange | undefined } {
    const found = this.#chunks.get(digest);
    if (found === undefined) throw badIndex(`the ${this.name} doesn't have the chunk ${digest}`);
    return found;
  }

  #zeros(digest: Digest): UnpackedChunk {
    const { chunk } = this.#find(digest);
    return checked(chunk, Buffer.alloc(chunk.sizeBytes));
  }

  #requests(digests: ReadonlySet<Digest>): Request[] {
    const ranges = new Set<PackedRange>();
    for (const digest of digests) {
      const range = this.#inline.has(digest) ? undefined : this.#find(digest).range;
      if (range !== undefined) ranges.add(range);
    }
    const requests: Request[] = [];
    for (const range of [...ranges].sort((one, other) => one.start - other.start)) {
      const last = requests.at(-1);
      const isNear = last !== undefined && range.start - last.end <= MAX_GAP_BYTES;
      if (isNear && range.end - last.start <= MAX_REQUEST_BYTES) {
        last.end = range.end;
        last.ranges.push(range);
      } else {
        requests.push({ start: range.start, end: range.end, ranges: [range] });
      }
    }
    return requests;
  }

  async *#fetchRanges(requests: readonly Request[], options: FetchChunksOptions): AsyncGenerator<FetchedRange> {
    const pending = requests.flatMap(({ ranges }) => ranges);
    let index = 0;
    let next = pending[index];
    let parts: Buffer[] = [];
    let have = 0;
    for await (const { start, data } of this.#options.repository.ranges(this.#options.blob, requests, options)) {
      let rest = data;
      let at = start;
      while (next !== undefined && rest.length > 0 && at + rest.length > next.start) {
        const from = Math.max(at, next.start + have);
        const piece = rest.subarray(from - at, next.end - at);
        parts.push(piece);
        have += piece.length;
        rest = rest.subarray(from + piece.length - at);
        at = from + piece.length;
        if (have < next.end - next.start) break;
        yield { range: next, bytes: parts.length === 1 ? piece : Buffer.concat(parts) };
        parts = [];
        have = 0;
        index += 1;
        next = pending[index];
      }
    }
    if (next !== undefined) throw badIndex('its blob ends before its last chunk');
  }
}
