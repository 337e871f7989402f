// What was fetched is kept in files until it isn't needed any more, so that an interrupted fetch goes on where it was,
// also after a power cut: beside each file stands how much of it is known to be on the disk, and after a restart of the
// machine only that counts.
// A spool that can't be written is no reason to stop: the bytes pass, and it is said that they aren't kept.

import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { fsyncPath } from '../system/durable.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import { type Digest, hexOf } from './digest.ts';
import { type Descriptor, shortDigest } from './manifest.ts';
import type { BlobOptions, Repository } from './repository.ts';

export interface SpoolOptions {
  /** Told what is continued, and what isn't kept. */
  notice?: ((text: string) => void) | undefined;
  /** Room that stays free beside what is kept, in bytes; default 64 MiB. */
  reserveBytes?: number;
  /** After so many bytes, or a second, what came is made safe; default 16 MiB. */
  syncBytes?: number;
  /** What tells one run of the machine from the next one; default: the kernel's. */
  bootId?: string;
}

const READ_SIZE = 1 << 20;
const SYNC_MS = 1000;
const NO_BOOT_ID = '-';
const NOTE = /^ *(\d+) +(\S+)\n$/;
const FILE_NAME = /^([0-9a-f]{64})\.(part|length|chunks)$/;

export class Spool {
  readonly directory: string;
  readonly #options: Required<Omit<SpoolOptions, 'notice'>> & Pick<SpoolOptions, 'notice'>;
  /** Why nothing more is kept; said once. */
  #given: string | undefined;

  /** @param directory is made when something is kept, for root alone; its parent must be there. */
  constructor(directory: string, options: SpoolOptions = {}) {
    this.directory = directory;
    this.#options = { reserveBytes: 64 << 20, syncBytes: 16 << 20, bootId: currentBoot(), ...options };
  }

  /** How many bytes of a blob are kept. */
  kept({ digest, sizeBytes }: Pick<Descriptor, 'digest' | 'sizeBytes'>): number {
    let note: string;
    try {
      note = readFileSync(this.#path(digest, 'length'), 'utf8');
    } catch {
      return 0;
    }
    const [, safe, boot = NO_BOOT_ID] = NOTE.exec(note) ?? [];
    const found = statSync(this.#path(digest, 'part'), { throwIfNoEntry: false })?.size ?? 0;
    if (safe === undefined || Number(safe) > found || found > sizeBytes) return 0;
    // What a process has written is there until the machine stops, whatever became of the process.
    return boot !== NO_BOOT_ID && boot === this.#options.bootId ? found : Number(safe);
  }

  /** Forgets a blob: what was kept of it is wrong, or isn't needed any more. */
  discard(digest: Digest): void {
    for (const kind of ['length', 'part'] as const) rmSync(this.#path(digest, kind), { force: true });
  }

  /**
   * Forgets everything but these: what an earlier fetch of something else left.
   * @param wanted blobs, and images of which single chunks are kept.
   */
  prune(wanted: readonly Pick<Descriptor, 'digest'>[]): void {
    const names = new Set(wanted.map(({ digest }) => hexOf(digest)));
    for (const name of this.#files()) {
      const hex = FILE_NAME.exec(name)?.[1];
      if (hex !== undefined && !names.has(hex)) rmSync(join(this.directory, name), { force: true });
    }
  }

  /** Removes all of it. */
  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The bytes of a blob: first those that are kept, then the others, which are kept as they come. */
  async *read(
    repository: Pick<Repository, 'blob'>,
    descriptor: Descriptor,
    { from = 0, signal, onBytes }: BlobOptions = {},
  ): AsyncGenerator<Buffer> {
    if (from > 0) {
      yield* repository.blob(descriptor, { from, signal, onBytes });
      return;
    }
    const kept = this.kept(descriptor);
    if (kept > 0) {
      const name = shortDigest(descriptor.digest);
      this.#options.notice?.(`layer ${name}: ${kept} of ${descriptor.sizeBytes} bytes are here already`);
    }
    const part = await this.#open(descriptor, kept);
    try {
      for (let at = 0; part !== undefined && at < kept; ) {
        if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', `interrupted while reading ${this.directory}`);
        const { buffer, bytesRead } = await part.file.read(
          Buffer.allocUnsafe(READ_SIZE),
          0,
          Math.min(READ_SIZE, kept - at),
          at,
        );
        if (bytesRead === 0) throw new HoldfastError('HF-IO', `${this.directory} was changed while it was read`);
        at += bytesRead;
        onBytes?.(bytesRead);
        yield buffer.subarray(0, bytesRead);
      }
      const rest = part === undefined ? 0 : kept;
      if (rest === descriptor.sizeBytes && rest > 0) return;
      for await (const chunk of repository.blob(descriptor, { from: rest, signal, onBytes })) {
        await this.#keep(part, chunk);
        yield chunk;
      }
    } finally {
      await this.#end(part);
    }
  }

  async #open(descriptor: Descriptor, kept: number): Promise<Part | undefined> {
    const { digest, sizeBytes } = descriptor;
    try {
      if (this.#given !== undefined && kept === 0) return undefined;
      this.#makeDirectory();
      const { bavail, bsize } = statfsSync(this.directory);
      const needed = sizeBytes - kept + this.#options.reserveBytes;
      if (kept < sizeBytes && bavail * bsize < needed) {
        throw new HoldfastError('HF-NO-SPACE', `there is not enough room beside it (${needed} bytes)`);
      }
      if (kept === 0) this.discard(digest);
      const file = await open(this.#path(digest, 'part'), kept === 0 ? 'wx+' : 'r+', 0o600);
      const length = await open(this.#path(digest, 'length'), kept === 0 ? 'wx' : 'r+', 0o600);
      await file.truncate(kept);
      const { bootId } = this.#options;
      const part = { file, length, bootId, written: kept, syncedBytes: kept, syncedAt: performance.now() };
      if (kept === 0) {
        await note(part, 0);
        fsyncPath(this.directory);
      }
      return { ...part, syncing: undefined, isBroken: false };
    } catch (error) {
      this.#giveUp(error);
      return undefined;
    }
  }

  async #keep(part: Part | undefined, chunk: Buffer): Promise<void> {
    if (part === undefined || part.isBroken) return;
    try {
      for (let at = 0; at < chunk.length; ) {
        at += (await part.file.write(chunk, at, chunk.length - at, part.written + at)).bytesWritten;
      }
      part.written += chunk.length;
      const isDue = part.written - part.syncedBytes >= this.#options.syncBytes;
      if (!isDue && performance.now() - part.syncedAt < SYNC_MS) return;
      // The one before must be through; this one goes on beside the transfer.
      await part.syncing;
      part.syncedBytes = part.written;
      part.syncedAt = performance.now();
      part.syncing = makeSafe(part, part.written);
      part.syncing.catch(() => {});
    } catch (error) {
      part.isBroken = true;
      this.#giveUp(error);
    }
  }

  /** Whatever the reason for the end is, what came is safe afterwards. */
  async #end(part: Part | undefined): Promise<void> {
    if (part === undefined) return;
    try {
      await part.syncing;
      if (!part.isBroken) await makeSafe(part, part.written);
    } catch (error) {
      this.#giveUp(error);
    } finally {
      await part.file.close();
      await part.length.close();
    }
  }

  #giveUp(error: unknown): void {
    if (this.#given !== undefined) return;
    const reason = errnoOf(error) === 'ENOSPC' ? 'the disk is full' : messageOf(error);
    this.#given = reason;
    this.#options.notice?.(`what is fetched is not kept in ${this.directory} for a continuation: ${reason}`);
  }

  #makeDirectory(): void {
    mkdirSync(this.directory, { mode: 0o700, recursive: true });
    const { uid, mode } = lstatSync(this.directory);
    const isOwn = (mode & 0o170000) === 0o040000 && uid === process.getuid?.() && (mode & 0o022) === 0;
    if (!isOwn) throw new HoldfastError('HF-IO', 'it is there already and belongs to somebody else');
  }

  #files(): string[] {
    try {
      return readdirSync(this.directory);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  #path(digest: Digest, kind: 'part' | 'length'): string {
    return join(this.directory, `${hexOf(digest)}.${kind}`);
  }
}

/** A blob that is being kept. */
interface Part {
  file: FileHandle;
  length: FileHandle;
  bootId: string;
  written: number;
  /** How much of it was, or is being, made safe, and since when. */
  syncedBytes: number;
  syncedAt: number;
  syncing: Promise<void> | undefined;
  isBroken: boolean;
}

/** The note comes after the bytes that it speaks of; in place, so that it costs no change of a directory. */
async function makeSafe(part: Part, bytes: number): Promise<void> {
  await part.file.datasync();
  await note(part, bytes);
}

/** Always of the same length: it is overwritten. */
async function note({ length, bootId }: Pick<Part, 'length' | 'bootId'>, bytes: number): Promise<void> {
  await length.write(`${String(bytes).padStart(20)} ${bootId.padStart(36)}\n`, 0);
}

function currentBoot(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return NO_BOOT_ID;
  }
}

/** A repository whose blobs go through a spool. */
export class SpooledRepository implements Repository {
  readonly name: string;
  readonly #inner: Repository;
  readonly #spool: Spool;

  constructor(inner: Repository, spool: Spool) {
    this.name = inner.name;
    this.#inner = inner;
    this.#spool = spool;
  }

  blob(descriptor: Descriptor, options?: BlobOptions): AsyncIterable<Buffer> {
    return this.#spool.read(this.#inner, descriptor, options);
  }

  forget(descriptor: Descriptor): void {
    this.#spool.discard(descriptor.digest);
    this.#inner.forget?.(descriptor);
  }

  manifest(...given: Parameters<Repository['manifest']>): ReturnType<Repository['manifest']> {
    return this.#inner.manifest(...given);
  }

  document(...given: Parameters<Repository['document']>): ReturnType<Repository['document']> {
    return this.#inner.document(...given);
  }

  ranges(...given: Parameters<Repository['ranges']>): ReturnType<Repository['ranges']> {
    return this.#inner.ranges(...given);
  }

  referrers(...given: Parameters<Repository['referrers']>): ReturnType<Repository['referrers']> {
    return this.#inner.referrers(...given);
  }

  putBlob(...given: Parameters<Repository['putBlob']>): ReturnType<Repository['putBlob']> {
    return this.#inner.putBlob(...given);
  }

  putManifest(...given: Parameters<Repository['putManifest']>): ReturnType<Repository['putManifest']> {
    return this.#inner.putManifest(...given);
  }
}
