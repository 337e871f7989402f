// Chunks that were fetched are kept in one file until the new slot is complete: they come in the order of the transfer,
// are needed in that of the tree, and an upgrade that was interrupted finds them again, also after a power cut.

import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { freeBytes } from '../system/filesystems.ts';
import { type Digest, digestOf, hexOf } from './digest.ts';
import type { Chunk } from './tree-index.ts';

/** Before each chunk: its digest as bytes, and its length. */
const HEAD_BYTES = 36;
/** After so many bytes what came is made safe. */
const SYNC_BYTES = 16 << 20;
/** No chunk of any format is longer. */
const MAX_CHUNK_BYTES = 64 << 20;

export class ChunkSpool {
  readonly #fd: number;
  readonly #path: string;
  readonly #places = new Map<Digest, { offset: number; sizeBytes: number }>();
  #end = 0;
  #unsafe = 0;

  private constructor(path: string, flags: number | string) {
    this.#path = path;
    this.#fd = openSync(path, flags, 0o600);
  }

  /**
   * Opens a spool, or makes one for root alone. Every chunk that an earlier run left is checked; the first that isn't
   * whole, and what follows it, is cut off.
   */
  static open(path: string): ChunkSpool {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const spool = new ChunkSpool(path, constants.O_RDWR | constants.O_CREAT);
    spool.#read();
    ftruncateSync(spool.#fd, spool.#end);
    return spool;
  }

  /** What an earlier run left, without changing it. */
  static look(path: string): ReadonlySet<Digest> {
    try {
      const spool = new ChunkSpool(path, 'r');
      try {
        spool.#read();
        return new Set(spool.#places.keys());
      } finally {
        spool.close();
      }
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return new Set();
      throw error;
    }
  }

  has(digest: Digest): boolean {
    return this.#places.has(digest);
  }

  /**
   * Keeps a chunk; its bytes were checked.
   * @throws HoldfastError HF-NO-SPACE
   */
  add(digest: Digest, bytes: Buffer): void {
    if (this.#places.has(digest)) return;
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(hexOf(digest), 'hex');
    head.writeUInt32LE(bytes.length, HEAD_BYTES - 4);
    this.#keep(() => {
      this.#write(head, this.#end);
      this.#write(bytes, this.#end + HEAD_BYTES);
    });
    this.#places.set(digest, { offset: this.#end + HEAD_BYTES, sizeBytes: bytes.length });
    this.#end += HEAD_BYTES + bytes.length;
    this.#unsafe += HEAD_BYTES + bytes.length;
    if (this.#unsafe < SYNC_BYTES) return;
    this.#keep(() => fdatasyncSync(this.#fd));
    this.#unsafe = 0;
  }

  /**
   * Asks for room before anything is fetched.
   * @param chunkBytes of all chunks that are to be kept, unpacked.
   * @param reserveBytes stay free beside them.
   * @throws HoldfastError HF-NO-SPACE
   */
  requireRoom(chunkBytes: number, chunks: number, reserveBytes: number): void {
    const needed = chunkBytes + chunks * HEAD_BYTES + reserveBytes;
    const free = freeBytes(dirname(this.#path));
    if (free >= needed) return;
    throw new HoldfastError('HF-NO-SPACE', `there is not enough room for its parts: ${needed} bytes, ${free} are free`);
  }

  #keep(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '')) throw error;
      throw new HoldfastError('HF-NO-SPACE', `there is no room for what was fetched in ${this.#path}`, {
        cause: error,
      });
    }
  }

  /** @throws HoldfastError HF-IO when it isn't there, or has another size. */
  get({ digest, sizeBytes }: Chunk): Buffer {
    const place = this.#places.get(digest);
    if (place?.sizeBytes !== sizeBytes) throw new HoldfastError('HF-IO', `a part of the image is missing: ${digest}`);
    const bytes = Buffer.alloc(sizeBytes);
    this.#fill(bytes, place.offset);
    return bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #read(): void {
    const { size } = fstatSync(this.#fd);
    const head = Buffer.alloc(HEAD_BYTES);
    while (this.#end + HEAD_BYTES <= size) {
      this.#fill(head, this.#end);
      const sizeBytes = head.readUInt32LE(HEAD_BYTES - 4);
      if (sizeBytes > MAX_CHUNK_BYTES || this.#end + HEAD_BYTES + sizeBytes > size) return;
      const bytes = Buffer.alloc(sizeBytes);
      this.#fill(bytes, this.#end + HEAD_BYTES);
      const digest = digestOf(bytes);
      if (hexOf(digest) !== head.toString('hex', 0, 32)) return;
      this.#places.set(digest, { offset: this.#end + HEAD_BYTES, sizeBytes });
      this.#end += HEAD_BYTES + sizeBytes;
    }
  }

  #fill(bytes: Buffer, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(this.#fd, bytes, done, bytes.length - done, offset + done);
      if (read === 0) throw new HoldfastError('HF-IO', 'what was fetched was changed while it was read');
      done += read;
    }
  }

  #write(bytes: Buffer, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
    }
  }
}
