// A repository that other places have as well: they are asked first, and the registry itself where they don't help. What
// is asked for by digest is the same wherever it comes from; a tag is what the first place that knows it says.

import { HoldfastError, messageOf } from '../../system/errors.ts';
import type { Digest } from '../digest.ts';
import type { Descriptor } from '../manifest.ts';
import type { BlobOptions, ByteRange, FetchedManifest, ReadOptions, Repository } from '../repository.ts';
import type { RegistryRepository } from './repository.ts';

export class MirroredRepository implements Repository {
  readonly name: string;
  readonly #mirrors: readonly Repository[];
  readonly #origin: RegistryRepository;
  readonly #notice: (text: string) => void;
  /** Mirrors that gave wrong bytes for a blob. */
  readonly #wrong = new Map<Digest, Set<Repository>>();
  readonly #told = new Set<string>();
  readonly #from = new Map<Digest, Repository>();

  constructor(mirrors: readonly Repository[], origin: RegistryRepository, notice: (text: string) => void = () => {}) {
    this.name = origin.name;
    this.#mirrors = mirrors;
    this.#origin = origin;
    this.#notice = notice;
  }

  async manifest(reference: string): Promise<FetchedManifest | undefined> {
    return (await this.#ofMirrors((mirror) => mirror.manifest(reference))) ?? this.#origin.manifest(reference);
  }

  /** As that of {@link RegistryRepository}. */
  async existingManifest(reference: string): Promise<FetchedManifest> {
    return (await this.#ofMirrors((mirror) => mirror.manifest(reference))) ?? this.#origin.existingManifest(reference);
  }

  async document(descriptor: Descriptor, what: string, maxBytes?: number): Promise<Buffer> {
    const found = await this.#ofMirrors((mirror) => mirror.document(descriptor, what, maxBytes));
    return found ?? this.#origin.document(descriptor, what, maxBytes);
  }

  async *blob(descriptor: Descriptor, { from = 0, ...options }: BlobOptions = {}): AsyncGenerator<Buffer> {
    let at = from;
    for (const mirror of this.#usable(descriptor.digest)) {
      this.#from.set(descriptor.digest, mirror);
      try {
        for await (const chunk of mirror.blob(descriptor, { ...options, from: at })) {
          at += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        this.#passOver(mirror, error);
      }
    }
    this.#from.delete(descriptor.digest);
    yield* this.#origin.blob(descriptor, { ...options, from: at });
  }

  async *ranges(
    descriptor: Descriptor,
    ranges: readonly ByteRange[],
    options?: ReadOptions,
  ): AsyncGenerator<{ start: number; data: Buffer }> {
    let missing = [...ranges];
    for (const mirror of [...this.#usable(descriptor.digest), this.#origin]) {
      this.#from.set(descriptor.digest, mirror);
      try {
        for await (const piece of mirror.ranges(descriptor, missing, options)) {
          missing = without(missing, piece);
          yield piece;
        }
        return;
      } catch (error) {
        if (mirror === this.#origin) throw error;
        this.#passOver(mirror, error);
      }
    }
  }

  forget(descriptor: Descriptor): void {
    const giver = this.#from.get(descriptor.digest);
    if (giver === undefined || giver === this.#origin) return;
    const known = this.#wrong.get(descriptor.digest) ?? new Set();
    this.#wrong.set(descriptor.digest, known.add(giver));
  }

  async referrers(digest: Digest, artifactType?: string): Promise<Descriptor[]> {
    const found = await this.#ofMirrors(async (mirror) => {
      const list = await mirror.referrers(digest, artifactType);
      return list.length === 0 ? undefined : list;
    });
    return found ?? this.#origin.referrers(digest, artifactType);
  }

  putBlob(descriptor: Descriptor, bytes: AsyncIterable<Buffer> | Buffer): Promise<void> {
    return this.#origin.putBlob(descriptor, bytes);
  }

  putManifest(bytes: Buffer, mediaType: string, tag?: string): Promise<Descriptor> {
    return this.#origin.putManifest(bytes, mediaType, tag);
  }

  /** What the first mirror says that says anything. */
  async #ofMirrors<T>(ask: (mirror: Repository) => Promise<T | undefined>): Promise<T | undefined> {
    for (const mirror of this.#mirrors) {
      try {
        const found = await ask(mirror);
        if (found !== undefined) return found;
      } catch (error) {
        this.#passOver(mirror, error);
      }
    }
    return undefined;
  }

  #usable(digest: Digest): readonly Repository[] {
    const wrong = this.#wrong.get(digest);
    return this.#mirrors.filter((mirror) => !wrong?.has(mirror));
  }

  /** Whatever is wrong with a mirror, the next place is asked; each reason is told once. */
  #passOver(mirror: Repository, error: unknown): void {
    if (!(error instanceof HoldfastError) || error.code === 'HF-INTERRUPTED') throw error;
    const text = `mirror ${mirror.name}: ${messageOf(error)}`;
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#notice(text);
  }
}

/** What is left of ranges that are given in order. */
function without(ranges: readonly ByteRange[], { start, data }: { start: number; data: Buffer }): ByteRange[] {
  const [first, ...rest] = ranges;
  if (first === undefined) return [];
  // Empty ones give nothing.
  if (first.start === first.end) return without(rest, { start, data });
  const reached = start + data.length;
  return reached < first.end ? [{ start: reached, end: first.end }, ...rest] : rest;
}
