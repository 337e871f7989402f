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
  readonly #places = new Map<Digest, { offset: number; sizeBytes: number }>();
  #end = 0;
  #unsafe = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Opens a spool, or makes one for root alone. Every chunk that an earlier run left is checked; the first that isn't
   * whole, and what follows it, is cut off.
   */
  static open(path: string): ChunkSpool {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const spool = new ChunkSpool(openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600));
    spool.#read();
    ftruncateSync(spool.#fd, spool.#end);
    return spool;
  }

  /** What an earlier run left, without changing it. */
  static look(path: string): ReadonlySet<Digest> {
    try {
      const spool = new ChunkSpool(openSync(path, 'r'));
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

  /** Keeps a chunk; its bytes were checked. */
  add(digest: Digest, bytes: Buffer): void {
    if (this.#places.has(digest)) return;
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(hexOf(digest), 'hex');
    head.writeUInt32LE(bytes.length, HEAD_BYTES - 4);
    this.#write(head, this.#end);
    this.#write(bytes, this.#end + HEAD_BYTES);
    this.#places.set(digest, { offset: this.#end + HEAD_BYTES, sizeBytes: bytes.length });
    this.#end += HEAD_BYTES + bytes.length;
    this.#unsafe += HEAD_BYTES + bytes.length;
    if (this.#unsafe < SYNC_BYTES) return;
    fdatasyncSync(this.#fd);
    this.#unsafe = 0;
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
