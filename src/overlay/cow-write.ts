// Writes a COW from scratch, as the kernel would have it after the same changes in order: header, areas, data. The kernel
// takes it, and the view is the same. Data goes first and the header last, so that a file that was cut off is no COW.

import { HoldfastError } from '../system/errors.ts';
import { type ByteFile, breathe, STEP_BYTES, type Work } from './byte-file.ts';
import { areaChunk, CHUNK_BYTES, CHUNK_SECTORS, dataCapacity, ENTRY_BYTES, entriesPerArea } from './cow-geometry.ts';
import { serialiseCowHeader } from './cow-header.ts';

const ENTRIES = entriesPerArea(CHUNK_BYTES);

/**
 * Fills a file of zeros with the changes to `oldChunks`, in this order.
 * @param file allocated, and zero all over.
 * @param readChunks fills a buffer with the new content of the chunks from one on; short at the end of the base.
 * @throws HoldfastError HF-NO-SPACE when they don't fit.
 */
export async function writeCow(
  file: ByteFile,
  oldChunks: ArrayLike<number>,
  readChunks: (buffer: Buffer, firstChunk: number) => void,
  work: Work = {},
): Promise<void> {
  const chunks = Math.floor(file.sizeBytes / CHUNK_BYTES);
  const capacity = dataCapacity(chunks, ENTRIES);
  // With the last entry of an area used the kernel needs the area after it.
  const needed =
    oldChunks.length > 0 && oldChunks.length % ENTRIES === 0 ? areaChunk(oldChunks.length / ENTRIES, ENTRIES) + 1 : 0;
  if (oldChunks.length > capacity || needed > chunks) {
    throw new HoldfastError(
      'HF-NO-SPACE',
      `${oldChunks.length} changed chunks don’t fit into ${file.path} (${capacity})`,
    );
  }
  const total = oldChunks.length * CHUNK_BYTES;
  let sinceBreath = 0;
  for (let first = 0; first < oldChunks.length; first += ENTRIES) {
    const count = Math.min(ENTRIES, oldChunks.length - first);
    const firstNew = areaChunk(first / ENTRIES, ENTRIES) + 1;
    const area = Buffer.alloc(CHUNK_BYTES);
    const data = Buffer.alloc(count * CHUNK_BYTES);
    for (let entry = 0; entry < count; entry++) {
      writeNumber(area, entry * ENTRY_BYTES, oldChunks[first + entry] ?? 0);
      writeNumber(area, entry * ENTRY_BYTES + 8, firstNew + entry);
    }
    for (const { at, length } of runsOf(oldChunks, first, count)) {
      const part = data.subarray((at - first) * CHUNK_BYTES, (at - first + length) * CHUNK_BYTES);
      readChunks(part, oldChunks[at] ?? 0);
    }
    file.write(data, firstNew * CHUNK_BYTES);
    file.write(area, (firstNew - 1) * CHUNK_BYTES);
    sinceBreath += data.length;
    if (sinceBreath >= STEP_BYTES) {
      sinceBreath = 0;
      await breathe(work, (first + count) * CHUNK_BYTES, total);
    }
  }
  file.sync();
  file.write(serialiseCowHeader(CHUNK_SECTORS), 0);
  file.sync();
}

function writeNumber(buffer: Buffer, at: number, number: number): void {
  buffer.writeUInt32LE(number % 0x1_0000_0000, at);
  buffer.writeUInt32LE(Math.floor(number / 0x1_0000_0000), at + 4);
}

/** Neighbours in the base, to be read at once. */
export function* runsOf(
  chunks: ArrayLike<number>,
  from = 0,
  count = chunks.length,
): Generator<{ at: number; length: number }> {
  for (let at = from; at < from + count; ) {
    let length = 1;
    while (at + length < from + count && chunks[at + length] === (chunks[at] ?? 0) + length) length += 1;
    yield { at, length };
    at += length;
  }
}
