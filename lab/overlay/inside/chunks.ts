// Writing and reading a block device in chunks, and what a chunk holds: data that follows from a seed and the chunk's
// number, so that it can be told what was lost.

import { createHash } from 'node:crypto';
import { closeSync, constants, fsyncSync, openSync, readSync, writeSync } from 'node:fs';

export const CHUNK_BYTES = 4096;
const READ_BYTES = 1 << 20;

/** The content of a chunk in a round; no two are equal, and none is zeros. */
export function chunkData(seed: number, chunk: number): Buffer {
  const line = `${seed}:${chunk}\n`;
  return Buffer.alloc(CHUNK_BYTES, line);
}

/** Numbers below `limit`, each once, in an order that follows from the seed. */
export function someChunks(count: number, limit: number, seed: number): number[] {
  if (count > limit) throw new RangeError(`${count} of ${limit} chunks`);
  const chosen = new Set<number>();
  let state = (seed * 2654435761) >>> 0;
  while (chosen.size < count) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    chosen.add(Math.floor((state / 2 ** 32) * limit));
  }
  return [...chosen];
}

export interface WriteOptions {
  seed: number;
  /** So many at the beginning are written one by one, each before the next; the others as the cache lets them go. */
  synchronous?: number;
  /** Bytes of the device, where its last chunk is a short one. */
  sizeBytes?: number;
}

/** Writes chunks. @returns the error's code when the device refuses one, else `ok`. */
export function writeChunks(
  device: string,
  chunks: readonly number[],
  { seed, synchronous = 0, sizeBytes = Number.POSITIVE_INFINITY }: WriteOptions,
): string {
  try {
    write(device, chunks.slice(0, synchronous), constants.O_DSYNC);
    write(device, chunks.slice(synchronous), 0);
    return 'ok';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }

  function write(file: string, some: readonly number[], flags: number): void {
    const fd = openSync(file, constants.O_RDWR | flags);
    try {
      for (const chunk of some) {
        const at = chunk * CHUNK_BYTES;
        writeSync(fd, chunkData(seed, chunk), 0, Math.min(CHUNK_BYTES, sizeBytes - at), at);
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}

/** SHA-256 of a whole device or file, in hex. */
export function digestOf(file: string): string {
  const hash = createHash('sha256');
  const fd = openSync(file, 'r');
  const buffer = Buffer.alloc(READ_BYTES);
  try {
    for (let length = readSync(fd, buffer); length > 0; length = readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, length));
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

/** How many chunks of an experiment a file or device holds; `repair` and its like are judged by it. */
export function countIntact(file: string, chunks: readonly number[], seed: number): number {
  const fd = openSync(file, constants.O_RDONLY);
  const buffer = Buffer.alloc(CHUNK_BYTES);
  try {
    return chunks.filter((chunk) => {
      try {
        return readSync(fd, buffer, 0, CHUNK_BYTES, chunk * CHUNK_BYTES) > 0 && buffer.equals(chunkData(seed, chunk));
      } catch {
        // An invalid snapshot answers every read with EIO.
        return false;
      }
    }).length;
  } finally {
    closeSync(fd);
  }
}
