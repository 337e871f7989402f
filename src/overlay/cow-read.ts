// Reads which chunks of a base a COW replaces (kernel: dm-snap-persistent.c, read_exceptions). The file is hostile input:
// every number is checked before it is used, and nothing outside of the file and the base is ever meant by the result.

import { type ByteFile, withFile } from './byte-file.ts';
import {
  areaChunk,
  chunksOf,
  dataCapacity,
  ENTRY_BYTES,
  entriesPerArea,
  isAreaChunk,
  isBadSize,
  SECTOR_BYTES,
} from './cow-geometry.ts';
import { type CowStart, readCowStart, START_BYTES } from './cow-header.ts';

/** What a COW says. Exception `i` replaces chunk `oldChunks[i]` of the base by chunk `newChunks[i]` of the COW. */
export interface CowContent {
  /** Nothing was ever written: the kernel will begin it. */
  blank: boolean;
  /** What the kernel says in the header: false after it ran full without PO, or its disk did. */
  valid: boolean;
  chunkSectors: number;
  chunkBytes: number;
  /** Whole chunks in the file. */
  chunks: number;
  count: number;
  oldChunks: Float64Array;
  newChunks: Float64Array;
  /** Entries that were passed over because they can't be right; only when damage was to be passed over. */
  dropped: number;
}

export interface ReadOptions {
  /** Size of the base; without it the old chunks can only be checked for being different. */
  baseBytes?: number;
  /** Take what is right in a damaged file: bad entries are passed over, a bad header is taken for one of 4 KiB chunks. */
  salvage?: boolean;
}

export interface CowProblem {
  reason: 'not-a-cow' | 'truncated' | 'corrupt';
  message: string;
}

/** Reads a COW's header and areas. */
export function readCow(file: string, options: ReadOptions = {}): Promise<CowContent | { problem: CowProblem }> {
  return withFile(file, 'read', (opened) => readCowFrom(opened, options));
}

/** Like {@link readCow}, of an open file. */
export function readCowFrom(file: ByteFile, options: ReadOptions = {}): CowContent | { problem: CowProblem } {
  const { sizeBytes } = file;
  const bytes = Buffer.alloc(Math.min(START_BYTES, sizeBytes));
  const start = readCowStart(bytes.subarray(0, file.readSome(bytes, 0)));
  return readAreas(start, sizeBytes, (buffer, position) => file.readSome(buffer, position), options);
}

/** Reads areas through `read`, which fills a buffer from a place in the file and says how much there was. Pure otherwise. */
export function readAreas(
  start: CowStart,
  sizeBytes: number,
  read: (buffer: Buffer, position: number) => number,
  { baseBytes, salvage = false }: ReadOptions,
): CowContent | { problem: CowProblem } {
  if (start.kind !== 'cow' && start.kind !== 'blank' && !salvage) {
    return { problem: { reason: 'not-a-cow', message: start.message } };
  }
  const chunkSectors = start.kind === 'cow' ? start.chunkSectors : 8;
  const chunkBytes = chunkSectors * SECTOR_BYTES;
  const chunks = Math.floor(sizeBytes / chunkBytes);
  const shape = { chunkSectors, chunkBytes, chunks };
  if (start.kind === 'blank') {
    const none = new Float64Array(0);
    return { blank: true, valid: true, ...shape, count: 0, oldChunks: none, newChunks: none, dropped: 0 };
  }

  const entries = entriesPerArea(chunkBytes);
  // More entries than data chunks can't be without one being used twice.
  const table = new ExceptionTable(dataCapacity(chunks, entries));
  const check = new EntryCheck(chunks, entries, baseBytes === undefined ? undefined : chunksOf(baseBytes, chunkBytes));
  const area = Buffer.alloc(chunkBytes);
  const valid = start.kind === 'cow' && start.valid;
  let dropped = 0;
  for (let index = 0; ; index++) {
    const chunk = areaChunk(index, entries);
    const isThere = chunk < chunks && read(area, chunk * chunkBytes) === chunkBytes;
    if (!isThere && salvage) return { blank: false, valid, ...shape, ...table.finish(), dropped };
    if (!isThere) {
      // All entries of all areas used: only a file of a bad size gets there, and the kernel can't load it.
      const message = `its list of changes goes on in chunk ${chunk}, and the file ends before that`;
      return { problem: { reason: 'truncated', message } };
    }
    for (let entry = 0; entry < entries; entry++) {
      const oldChunk = readChunkNumber(area, entry * ENTRY_BYTES);
      const newChunk = readChunkNumber(area, entry * ENTRY_BYTES + 8);
      // Chunk 0 is the header, so it is never data: this is the end, and what lies behind it is stale.
      if (newChunk === 0) return { blank: false, valid, ...shape, ...table.finish(), dropped };
      const wrong = check.problemOf(oldChunk, newChunk);
      if (wrong !== undefined && salvage) {
        dropped += 1;
        continue;
      }
      if (wrong !== undefined) {
        const where = `entry ${entry} of area ${index}`;
        return { problem: { reason: wrong.reason, message: `${where} ${wrong.message}` } };
      }
      table.add(oldChunk, newChunk);
    }
  }
}

/** 64 bits, little endian. What is beyond 2^53 becomes inexact and is outside of every file all the same. */
function readChunkNumber(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 0x1_0000_0000;
}

class ExceptionTable {
  #old = new Float64Array(1024);
  #new = new Float64Array(1024);
  #count = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(oldChunk: number, newChunk: number): void {
    if (this.#count === this.#old.length) {
      const size = Math.min(Math.max(this.#limit, this.#count + 1), this.#count * 2);
      this.#old = grown(this.#old, size);
      this.#new = grown(this.#new, size);
    }
    this.#old[this.#count] = oldChunk;
    this.#new[this.#count] = newChunk;
    this.#count += 1;
  }

  finish(): Pick<CowContent, 'count' | 'oldChunks' | 'newChunks'> {
    const count = this.#count;
    return { count, oldChunks: this.#old.subarray(0, count), newChunks: this.#new.subarray(0, count) };
  }
}

function grown(numbers: Float64Array<ArrayBuffer>, size: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(size);
  larger.set(numbers);
  return larger;
}

/** Whether a number was seen before, in one bit each. */
class Seen {
  readonly #bits: Uint8Array;

  constructor(size: number) {
    this.#bits = new Uint8Array(Math.ceil(size / 8));
  }

  add(number: number): boolean {
    const at = Math.floor(number / 8);
    const bit = 1 << (number % 8);
    const byte = this.#bits[at] ?? 0;
    this.#bits[at] = byte | bit;
    return (byte & bit) !== 0;
  }
}

class EntryCheck {
  readonly #chunks: number;
  readonly #entries: number;
  readonly #baseChunks: number | undefined;
  readonly #usedNew: Seen;
  readonly #usedOld: Seen | undefined;
  readonly #usedOldUnbounded = new Set<number>();

  constructor(chunks: number, entries: number, baseChunks: number | undefined) {
    this.#chunks = chunks;
    this.#entries = entries;
    this.#baseChunks = baseChunks;
    this.#usedNew = new Seen(chunks);
    this.#usedOld = baseChunks === undefined ? undefined : new Seen(baseChunks);
  }

  problemOf(oldChunk: number, newChunk: number): CowProblem | undefined {
    const corrupt = (message: string): CowProblem => ({ reason: 'corrupt', message });
    if (newChunk >= this.#chunks) {
      const message = `says that data is in chunk ${newChunk}, and the file has ${this.#chunks} chunks`;
      return { reason: 'truncated', message };
    }
    if (isAreaChunk(newChunk, this.#entries)) return corrupt(`says that data is in chunk ${newChunk}, which is a list`);
    if (this.#baseChunks !== undefined && oldChunk >= this.#baseChunks) {
      return corrupt(`replaces chunk ${oldChunk} of a base that has ${this.#baseChunks}`);
    }
    if (!Number.isSafeInteger(oldChunk)) return corrupt('replaces a chunk that no base has');
    if (this.#usedNew.add(newChunk)) return corrupt(`uses chunk ${newChunk} a second time`);
    if (this.#wasReplaced(oldChunk)) return corrupt(`replaces chunk ${oldChunk} of the base a second time`);
    return undefined;
  }

  #wasReplaced(oldChunk: number): boolean {
    if (this.#usedOld !== undefined) return this.#usedOld.add(oldChunk);
    const before = this.#usedOldUnbounded.has(oldChunk);
    this.#usedOldUnbounded.add(oldChunk);
    return before;
  }
}

/** How full a COW is, in sectors, as `dmsetup status` says it: `0 <size> snapshot <allocated>/<total> <metadata>`. */
export interface FillLevel {
  allocatedSectors: number;
  totalSectors: number;
  metadataSectors: number;
  /** Chunks that new changes may still take. */
  freeChunks: number;
  /** Used of what data can use, 0 to 1. */
  used: number;
}

/** The fill level from what was read (kernel: persistent_usage). */
export function fillLevel({ chunkSectors, chunkBytes, chunks, count, newChunks }: CowContent): FillLevel {
  const entries = entriesPerArea(chunkBytes);
  let next = 2;
  for (const chunk of newChunks) if (chunk >= next) next = chunk + 1;
  if (isAreaChunk(next, entries)) next += 1;
  const capacity = dataCapacity(isBadSize(chunks, entries) ? chunks - 1 : chunks, entries);
  // Chunks below `next` are counted as used even where a crash has left holes: the kernel never goes back to them.
  const passed = next - 2 - Math.floor((next - 2) / (entries + 1));
  const freeChunks = Math.max(0, capacity - passed);
  return {
    allocatedSectors: next * chunkSectors,
    totalSectors: chunks * chunkSectors,
    metadataSectors: (Math.floor(count / entries) + 2) * chunkSectors,
    freeChunks,
    used: capacity === 0 ? 1 : 1 - freeChunks / capacity,
  };
}
