// Where things lie in a persistent COW of dm-snapshot (kernel: dm-snap-persistent.c, version 1): a header, then areas of
// exceptions, each followed by as many data chunks as it has entries. Sizes here are in chunks unless a name says bytes.

export const SECTOR_BYTES = 512;
/** 4 KiB: what dracut and this program use. */
export const CHUNK_SECTORS = 8;
export const CHUNK_BYTES = CHUNK_SECTORS * SECTOR_BYTES;
/** One exception: old and new chunk, 64 bits each. */
export const ENTRY_BYTES = 16;

/** Entries in one area. */
export function entriesPerArea(chunkBytes: number): number {
  return chunkBytes / ENTRY_BYTES;
}

/** The chunk that holds area `area`, counted from 0. */
export function areaChunk(area: number, entries: number): number {
  return 1 + area * (entries + 1);
}

/** Whether a chunk holds an area and no data. */
export function isAreaChunk(chunk: number, entries: number): boolean {
  return chunk >= 1 && (chunk - 1) % (entries + 1) === 0;
}

/** The chunk that the kernel takes next after `chunk`. */
export function nextDataChunk(chunk: number, entries: number): number {
  return isAreaChunk(chunk + 1, entries) ? chunk + 2 : chunk + 1;
}

/** How many data chunks fit into a COW of so many chunks. */
export function dataCapacity(chunks: number, entries: number): number {
  if (chunks < 3) return 0;
  return chunks - 1 - Math.ceil((chunks - 1) / (entries + 1));
}

/**
 * Whether a COW of this size breaks when its last entry is used: the area after it would lie beyond the end, the kernel
 * fails to zero it, and the snapshot turns invalid although its table says PO. 256 MiB is such a size.
 */
export function isBadSize(chunks: number, entries: number): boolean {
  return chunks % (entries + 1) === 1;
}

/** The size, in chunks, of a COW that takes every chunk of a base and so can't overflow. */
export function fullCover(baseChunks: number, entries: number): number {
  return goodSize(baseChunks + Math.floor(baseChunks / entries) + 2, entries);
}

/** The size itself, or one more where it would be a bad one. */
export function goodSize(chunks: number, entries: number): number {
  return isBadSize(chunks, entries) ? chunks + 1 : chunks;
}

/** Chunks that a base of so many bytes has; the last one may be short. */
export function chunksOf(bytes: number, chunkBytes: number): number {
  return Math.ceil(bytes / chunkBytes);
}
