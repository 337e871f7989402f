// Where a chunk is in a blob: in a range of packed bytes, alone (zstd frames) or with others (gzip members of eStargz).

import type { Chunk } from '../tree-index.ts';
import { badIndex } from './bad-index.ts';

/** What is held in memory of one chunk; files that somebody left in one piece may be larger. */
export const MAX_HELD_BYTES = 64 << 20;

export interface PackedChunk extends Chunk {
  /** The range of packed bytes, `end` not included. Empty for chunks that are nothing but zeros. */
  start: number;
  end: number;
  /** Unpacked bytes of the range that come before the chunk; default 0. */
  skipBytes?: number | undefined;
}

/** A range of packed bytes, and the chunks in it. */
export interface PackedRange {
  start: number;
  end: number;
  chunks: PackedChunk[];
}

/**
 * Chunks by the ranges that hold them, in the order of the blob.
 * @throws HoldfastError HF-IMAGE when ranges overlap, lie outside the blob, or hold more than fits into memory.
 */
export function rangesOf(chunks: Iterable<PackedChunk>, blobBytes: number): PackedRange[] {
  const ranges = new Map<number, PackedRange>();
  for (const chunk of chunks) {
    const { start, end, sizeBytes, skipBytes = 0 } = chunk;
    if (skipBytes + sizeBytes > MAX_HELD_BYTES) throw badIndex(`a chunk has more than ${MAX_HELD_BYTES} bytes`);
    if (start === end) continue;
    if (start > end || start < 0 || end > blobBytes) throw badIndex('a chunk lies outside its blob');
    if (end - start > 2 * MAX_HELD_BYTES) throw badIndex('a chunk takes too many packed bytes');
    const range = ranges.get(start) ?? { start, end, chunks: [] };
    if (range.end !== end) throw badIndex('chunks overlap');
    range.chunks.push(chunk);
    ranges.set(start, range);
  }
  const sorted = [...ranges.values()].sort((one, other) => one.start - other.start);
  for (const [index, { end }] of sorted.entries()) {
    if (end > (sorted[index + 1]?.start ?? end)) throw badIndex('chunks overlap');
  }
  return sorted;
}
