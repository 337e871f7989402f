// One repository of one registry (OCI distribution-spec 1.1), for reading and for writing.

import { HoldfastError } from '../../system/errors.ts';
import type { Digest } from '../digest.ts';
import { type Descriptor, MAX_DOCUMENT_BYTES } from '../manifest.ts';
import type { BlobOptions, ByteRange, FetchedManifest, ReadOptions, Repository } from '../repository.ts';
import { fetchBlob, fetchDocument, fetchManifest } from './fetch.ts';
import { fetchRanges } from './fetch-ranges.ts';
import { fetchReferrers } from './fetch-referrers.ts';
import type { RegistryName } from './name.ts';
import { pushBlob, pushManifest } from './push.ts';
import { type RegistryOptions, RegistrySession } from './session.ts';

export class RegistryRepository implements Repository {
  readonly name: string;
  readonly #session: RegistrySession;

  constructor(name: RegistryName, options: RegistryOptions = {}) {
    this.name = `${name.host}/${name.repository}`;
    this.#session = new RegistrySession(name, options);
  }

  async manifest(reference: string): Promise<FetchedManifest | undefined> {
    try {
      return await this.existingManifest(reference);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'HF-NO-SOURCE') return undefined;
      throw error;
    }
  }

  /**
   * A manifest or index that must be there.
   * @throws HoldfastError HF-NO-SOURCE with the registry's own words when it isn't; otherwise as {@link manifest}.
   */
  existingManifest(reference: string): Promise<FetchedManifest> {
    return fetchManifest(this.#session, reference);
  }

  document(descriptor: Descriptor, what: string, maxBytes = MAX_DOCUMENT_BYTES): Promise<Buffer> {
    return fetchDocument(this.#session, descriptor, what, maxBytes);
  }

  blob(descriptor: Descriptor, { signal, ...options }: BlobOptions = {}): AsyncIterable<Buffer> {
    return fetchBlob(this.#session.with(signal), descriptor, options);
  }

  ranges(
    descriptor: Descriptor,
    ranges: readonly ByteRange[],
    { signal, onBytes }: ReadOptions = {},
  ): AsyncIterable<{ start: number; data: Buffer }> {
    return fetchRanges(this.#session.with(signal), descriptor, ranges, onBytes);
  }

  referrers(digest: Digest, artifactType?: string): Promise<Descriptor[]> {
    return fetchReferrers(this.#session, digest, artifactType);
  }

  putBlob(descriptor: Descriptor, bytes: AsyncIterable<Buffer> | Buffer): Promise<void> {
    return pushBlob(this.#session, descriptor, bytes);
  }

  putManifest(bytes: Buffer, mediaType: string, tag?: string): Promise<Descriptor> {
    return pushManifest(this.#session, bytes, mediaType, tag);
  }
}
