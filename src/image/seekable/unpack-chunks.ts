// From packed ranges to checked chunks. Runtimes that have zstd unpack each chunk in memory; for Node below 22.15 one
// zstd(1) unpacks all of them as one stream, which is cut where the chunks' sizes say. What is wrong shows in a digest.

import zlib from 'node:zlib';
import { HoldfastError } from '../../system/errors.ts';
import { type Digest, digestOf } from '../digest.ts';
import { shortDigest } from '../manifest.ts';
import { decompress } from '../streamstage.ts';
import { FrameSplitter } from '../zstd-frames.ts';
import type { PackedChunk, PackedRange } from './packed-chunk.ts';

/** A range as it came from its blob. */
export interface FetchedRange {
  range: PackedRange;
  bytes: Buffer;
}

export interface UnpackedChunk {
  digest: Digest;
  bytes: Buffer;
}

type UnpackInMemory = (packed: Buffer, options: { maxOutputLength: number }) => Buffer;

/** The runtime's own zstd; the types are those of Node 20, which lacks it. */
const zstdInMemory: UnpackInMemory | undefined = builtinZstd();

/**
 * Unpacks ranges of zstd frames, each of which holds one chunk.
 * @throws HoldfastError HF-DIGEST for other bytes than those that the digests promise, HF-TOOL-MISSING without zstd.
 */
export function unpackZstdRanges(
  ranges: AsyncIterable<FetchedRange>,
  unpack = zstdInMemory,
): AsyncIterable<UnpackedChunk> {
  return unpack === undefined ? unpackAsOneStream(ranges) : unpackInMemory(ranges, unpack);
}

/** Unpacks ranges of gzip members: chunks, and headers of the tar stream behind them. */
export async function* unpackGzipRanges(ranges: AsyncIterable<FetchedRange>): AsyncGenerator<UnpackedChunk> {
  for await (const { range, bytes } of ranges) {
    const wanted = Math.max(...range.chunks.map(({ skipBytes = 0, sizeBytes }) => skipBytes + sizeBytes));
    const unpacked = await gunzipStart(bytes, wanted);
    for (const chunk of range.chunks) {
      const start = chunk.skipBytes ?? 0;
      yield checked(chunk, unpacked.subarray(start, start + chunk.sizeBytes));
    }
  }
}

/** @throws HoldfastError HF-DIGEST */
export function checked({ digest, sizeBytes }: PackedChunk, bytes: Buffer): UnpackedChunk {
  if (bytes.length !== sizeBytes || digestOf(bytes) !== digest) throw wrongChunk(digest);
  return { digest, bytes };
}

async function* unpackInMemory(
  ranges: AsyncIterable<FetchedRange>,
  unpack: UnpackInMemory,
): AsyncGenerator<UnpackedChunk> {
  for await (const { range, bytes } of ranges) {
    for (const chunk of range.chunks) yield checked(chunk, unpackFrames(bytes, chunk, unpack));
  }
}

function unpackFrames(packed: Buffer, { digest, sizeBytes }: PackedChunk, unpack: UnpackInMemory): Buffer {
  const parts: Buffer[] = [];
  let missing = sizeBytes;
  let frame: Buffer[] = [];
  try {
    for (const { bytes, ends } of new FrameSplitter().push(packed)) {
      frame.push(bytes);
      if (!ends) continue;
      // Not less than 1, which stands for no limit.
      const part = unpack(frame.length === 1 ? bytes : Buffer.concat(frame), { maxOutputLength: Math.max(1, missing) });
      missing -= part.length;
      parts.push(part);
      frame = [];
    }
  } catch (cause) {
    throw wrongChunk(digest, cause);
  }
  return parts[0] !== undefined && parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

async function* unpackAsOneStream(ranges: AsyncIterable<FetchedRange>): AsyncGenerator<UnpackedChunk> {
  const iterator = ranges[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return;
  const expected: PackedChunk[] = [];
  const packed = (async function* () {
    for (let next: IteratorResult<FetchedRange> = first; !next.done; next = await iterator.next()) {
      expected.push(...next.value.range.chunks);
      yield next.value.bytes;
    }
  })();
  let parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const bytes of decompress('zstd')(packed)) {
      parts.push(bytes);
      length += bytes.length;
      for (let next = expected[0]; length > 0; next = expected[0]) {
        // More came out than was said.
        if (next === undefined) throw wrongChunk();
        if (length < next.sizeBytes) break;
        const all = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
        expected.shift();
        yield checked(next, all.subarray(0, next.sizeBytes));
        parts = [all.subarray(next.sizeBytes)];
        length -= next.sizeBytes;
      }
    }
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'HF-COMMAND') throw error;
    throw wrongChunk(expected[0]?.digest, error);
  } finally {
    await iterator.return?.();
  }
  if (expected[0] !== undefined) throw wrongChunk(expected[0].digest);
}

/** The first unpacked bytes; what follows them isn't unpacked, however much it is. */
async function gunzipStart(packed: Buffer, wanted: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  const gunzip = zlib.createGunzip();
  gunzip.end(packed);
  try {
    for await (const part of gunzip) {
      // A stream without encoding gives buffers only; its type says any.
      const bytes: Buffer = part;
      parts.push(bytes);
      length += bytes.length;
      if (length >= wanted) break;
    }
  } catch (cause) {
    throw wrongChunk(undefined, cause);
  }
  return Buffer.concat(parts);
}

function builtinZstd(): UnpackInMemory | undefined {
  if (!('zstdDecompressSync' in zlib) || typeof zlib.zstdDecompressSync !== 'function') return undefined;
  return zlib.zstdDecompressSync.bind(zlib);
}

function wrongChunk(digest?: Digest, cause?: unknown): HoldfastError {
  const which = digest === undefined ? 'a chunk' : `the chunk ${shortDigest(digest)}`;
  return new HoldfastError('HF-DIGEST', `${which} is not what its digest promises`, {
    cause,
    hint: 'it was damaged on its way or was tampered with; the layer is fetched as a whole instead',
  });
}
