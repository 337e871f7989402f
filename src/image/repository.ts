// Where manifests and blobs are: one face for registries, layouts and archives, so that delta and trust don't care which
// it is. What is asked for by digest is checked against it, except streams, which their reader checks.

import { HoldfastError } from '../system/errors.ts';
import type { Digest } from './digest.ts';
import type { Descriptor } from './manifest.ts';
import { formatImageSource, type ImageSource } from './reference.ts';
import type { RegistryOptions } from './registry/session.ts';

/** A manifest or index as it was served. Its digest is that of the bytes, and was compared with the one asked for. */
export interface FetchedManifest extends Descriptor {
  bytes: Buffer;
}

export interface ReadOptions {
  signal?: AbortSignal | undefined;
  /** Called with the count of bytes that came since the last call. */
  onBytes?: ((count: number) => void) | undefined;
}

export interface BlobOptions extends ReadOptions {
  /** The first byte that is wanted; default 0. */
  from?: number | undefined;
}

/** Bytes `start` up to, and without, `end`. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface Repository {
  /** For messages: `registry.example/os/base`, `oci-layout:/path`. */
  readonly name: string;

  /**
   * A manifest or index, of any kind of artifact.
   * @param reference a tag, or the digest that it must have.
   * @returns undefined when it isn't there.
   * @throws HoldfastError HF-DIGEST for other bytes than the digest's, HF-IMAGE when it is too large, HF-NETWORK.
   */
  manifest(reference: string): Promise<FetchedManifest | undefined>;

  /**
   * A small blob, checked.
   * @param what for messages.
   * @param maxBytes default: that of indexes and manifests.
   * @throws HoldfastError HF-DIGEST, HF-IMAGE when it is too large or not there, HF-NETWORK.
   */
  document(descriptor: Descriptor, what: string, maxBytes?: number): Promise<Buffer>;

  /**
   * The bytes of a blob, unchecked: the reader compares size and digest. Transfers that break off are continued inside.
   * @throws HoldfastError HF-NO-SOURCE or HF-IMAGE when it isn't there, HF-NETWORK, HF-INTERRUPTED.
   */
  blob(descriptor: Descriptor, options?: BlobOptions): AsyncIterable<Buffer>;

  /**
   * Parts of a blob, unchecked, in the order asked for; a range may come in several pieces. Neighbours aren't joined:
   * that is the caller's business, who knows what a request is worth.
   * @throws HoldfastError HF-UNSUPPORTED when the server doesn't give parts; otherwise as {@link blob}.
   */
  ranges(
    descriptor: Descriptor,
    ranges: readonly ByteRange[],
    options?: ReadOptions,
  ): AsyncIterable<{ start: number; data: Buffer }>;

  /** What came of a blob proved to be wrong: nothing of it may be used again. */
  forget?(descriptor: Descriptor): void;

  /**
   * What names this manifest as its subject; hints only, nothing of it is proven. Whoever wants to use one fetches and
   * checks it.
   */
  referrers(digest: Digest, artifactType?: string): Promise<Descriptor[]>;

  /**
   * Stores a blob; nothing happens when it is there already.
   * @throws HoldfastError HF-DIGEST when the bytes aren't what the descriptor says, HF-NETWORK, HF-IO, HF-NO-SPACE,
   *   HF-UNSUPPORTED where nothing can be stored.
   */
  putBlob(descriptor: Descriptor, bytes: AsyncIterable<Buffer> | Buffer): Promise<void>;

  /**
   * Stores a manifest or index, under a tag as well if one is given. One with a subject will be among that one's
   * referrers, where the store doesn't see to it by the tag that stands in for it.
   */
  putManifest(bytes: Buffer, mediaType: string, tag?: string): Promise<Descriptor>;
}

/**
 * Opens what holds the image that a text named; nothing is read from a registry yet.
 * @throws HoldfastError HF-UNSUPPORTED for sources without manifests, HF-NO-SOURCE for a directory that is no layout.
 */
export async function openRepository(source: ImageSource, options: RegistryOptions = {}): Promise<Repository> {
  switch (source.kind) {
    case 'registry': {
      const [{ openRegistryRepository }, { parseRegistryName }] = await Promise.all([
        import('./registry/open.ts'),
        import('./registry/name.ts'),
      ]);
      return openRegistryRepository(parseRegistryName(source.reference), options);
    }
    case 'oci-archive':
    case 'docker-archive': {
      const { ArchiveRepository } = await import('./archive-repository.ts');
      return ArchiveRepository.open(source.path);
    }
    case 'oci-layout':
    case 'path': {
      const { LayoutRepository } = await import('./layout-repository.ts');
      return new LayoutRepository(source.path);
    }
    case 'dir':
    case 'file':
      throw new HoldfastError('HF-UNSUPPORTED', `${formatImageSource(source)} has no manifest and no layers`, {
        hint: 'name an image in a registry or in a layout: docker:IMAGE:TAG, oci-layout:DIRECTORY:TAG',
      });
  }
}
