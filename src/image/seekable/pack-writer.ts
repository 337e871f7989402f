// Writes a pack: chunks as zstd frames, one after another, in a file. Runtimes that have zstd pack each chunk in memory;
// for Node below 22.15 zstd(1) packs many files at a time, since a process for each chunk would take minutes.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import zlib from 'node:zlib';
import { runChecked } from '../../system/process.ts';
import { type Digest, finishDigest } from '../digest.ts';
import type { Descriptor } from '../manifest.ts';
import type { Chunk } from '../tree-index.ts';
import { PACK_TYPE } from './index-artifact.ts';
import type { PackedChunk } from './packed-chunk.ts';

/** Little is gained above it for chunks of this size, and the time doubles. */
const LEVEL = 12;
/** How much zstd(1) gets at a time. */
const BATCH_BYTES = 16 << 20;
const BATCH_FILES = 1000;
/** ZSTD_c_compressionLevel; the types are those of Node 20, which lacks it. */
const LEVEL_PARAMETER = 100;

type PackInMemory = (bytes: Buffer) => Buffer;

export class PackWriter {
  readonly #directory: string;
  readonly #file: FileHandle;
  readonly #pack: PackInMemory | undefined;
  /** In the order of the file; those that aren't written yet are at the end, with their bytes. */
  #chunks: { chunk: Chunk; place: { start: number; end: number } | undefined; bytes: Buffer | undefined }[] = [];
  readonly #known = new Set<Digest>();
  #sizeBytes = 0;
  #pendingBytes = 0;
  #pendingFiles = 0;

  private constructor(directory: string, file: FileHandle, pack: PackInMemory | undefined) {
    this.#directory = directory;
    this.#file = file;
    this.#pack = pack;
  }

  /**
   * @param directory for the pack and what is needed on the way to it.
   * @param pack in memory; default the runtime's own zstd. Null: zstd(1).
   */
  static async create(directory: string, pack: PackInMemory | null = zstdInMemory() ?? null): Promise<PackWriter> {
    return new PackWriter(directory, await open(join(directory, 'pack'), 'w+'), pack ?? undefined);
  }

  get path(): string {
    return join(this.#directory, 'pack');
  }

  /** Adds a chunk if the pack doesn't have it. The bytes are the writer's until the promise is kept. */
  async add(chunk: Chunk, bytes: Buffer): Promise<void> {
    if (this.#known.has(chunk.digest)) return;
    this.#known.add(chunk.digest);
    if (this.#pack !== undefined) {
      const place = await this.#append(this.#pack(bytes));
      this.#chunks.push({ chunk, place, bytes: undefined });
      return;
    }
    this.#chunks.push({ chunk, place: undefined, bytes: Buffer.from(bytes) });
    this.#pendingBytes += bytes.length;
    this.#pendingFiles += 1;
    if (this.#pendingBytes >= BATCH_BYTES || this.#pendingFiles >= BATCH_FILES) await this.#packPending();
  }

  /** Where {@link rollback} goes back to. */
  get mark(): number {
    return this.#chunks.length;
  }

  /** Takes back what was added since the mark. */
  rollback(mark: number): void {
    const gone = this.#chunks.splice(mark);
    for (const { chunk, bytes } of gone) {
      this.#known.delete(chunk.digest);
      if (bytes === undefined) continue;
      this.#pendingBytes -= bytes.length;
      this.#pendingFiles -= 1;
    }
    // What was written is written over.
    this.#sizeBytes = gone.find(({ place }) => place !== undefined)?.place?.start ?? this.#sizeBytes;
  }

  /** The pack as a blob, and where its chunks are. */
  async finish(): Promise<{ descriptor: Descriptor; packed: Map<Digest, PackedChunk> }> {
    await this.#packPending();
    await this.#file.truncate(this.#sizeBytes);
    await this.#file.close();
    const hash = createHash('sha256');
    for await (const bytes of createReadStream(this.path, { highWaterMark: 1 << 20 })) hash.update(bytes);
    const packed = new Map<Digest, PackedChunk>();
    for (const { chunk, place } of this.#chunks) {
      if (place !== undefined) packed.set(chunk.digest, { ...chunk, ...place });
    }
    return {
      descriptor: { mediaType: PACK_TYPE, digest: finishDigest(hash), sizeBytes: this.#sizeBytes },
      packed,
    };
  }

  async #append(packed: Buffer): Promise<{ start: number; end: number }> {
    const start = this.#sizeBytes;
    for (let done = 0; done < packed.length; ) {
      const { bytesWritten } = await this.#file.write(packed, done, packed.length - done, start + done);
      done += bytesWritten;
    }
    this.#sizeBytes = start + packed.length;
    return { start, end: this.#sizeBytes };
  }

  async #packPending(): Promise<void> {
    const pending = this.#chunks.filter(({ place }) => place === undefined);
    if (pending.length === 0) return;
    const batch = await mkdtemp(join(this.#directory, 'batch-'));
    try {
      for (const [index, { bytes }] of pending.entries()) {
        await writeFile(join(batch, String(index)), bytes ?? Buffer.alloc(0));
      }
      const names = pending.map((_, index) => String(index));
      await runChecked(['zstd', '-q', `-${LEVEL}`, '--no-check', ...names], { cwd: batch });
      for (const [index, item] of pending.entries()) {
        item.place = await this.#append(await readFile(join(batch, `${index}.zst`)));
        item.bytes = undefined;
      }
    } finally {
      await rm(batch, { recursive: true, force: true });
    }
    this.#pendingBytes = 0;
    this.#pendingFiles = 0;
  }
}

function zstdInMemory(): PackInMemory | undefined {
  if (!('zstdCompressSync' in zlib) || typeof zlib.zstdCompressSync !== 'function') return undefined;
  const pack: (bytes: Buffer, options: { params: Record<number, number> }) => Buffer = zlib.zstdCompressSync.bind(zlib);
  return (bytes) => pack(bytes, { params: { [LEVEL_PARAMETER]: LEVEL } });
}
