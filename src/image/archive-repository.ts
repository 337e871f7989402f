// An archive of images as a place of manifests and blobs: a tar of an OCI layout (skopeo, podman, docker from 25 on), or
// what `docker save` and skopeo's docker-archive write, for which a manifest is made up from what is there.

import { createHash } from 'node:crypto';
import { HoldfastError } from '../system/errors.ts';
import { ArchiveFile, type ArchiveMember, sniffCompression } from './archive-file.ts';
import { type Digest, digestOf, finishDigest, hexOf, isDigest } from './digest.ts';
import { parseSavedImages } from './docker-archive.ts';
import {
  type Descriptor,
  type IndexEntry,
  looksLikeIndex,
  MAX_DOCUMENT_BYTES,
  parseConfig,
  parseIndex,
} from './manifest.ts';
import { CONFIG_TYPE, INDEX_TYPE, layerType, MANIFEST_TYPE } from './mediatypes.ts';
import { parseReferrers, referrersTag } from './referrers.ts';
import { formatRegistryName, parseRegistryName } from './registry/name.ts';
import type { BlobOptions, ByteRange, FetchedManifest, ReadOptions, Repository } from './repository.ts';

export class ArchiveRepository implements Repository {
  readonly name: string;
  readonly #archive: ArchiveFile;
  /** What isn't a file of the archive. */
  readonly #documents = new Map<Digest, Buffer>();
  readonly #blobs = new Map<Digest, ArchiveMember>();
  #entries: IndexEntry[] = [];

  private constructor(archive: ArchiveFile) {
    this.#archive = archive;
    this.name = archive.path;
  }

  /** @throws HoldfastError HF-IMAGE when the file is no archive with images. */
  static async open(path: string): Promise<ArchiveRepository> {
    const repository = new ArchiveRepository(await ArchiveFile.open(path));
    await repository.#learn();
    return repository;
  }

  /** What there is, as an index.json says it; names of docker's kind are written out: `docker.io/library/os:v1`. */
  entries(): readonly IndexEntry[] {
    return this.#entries;
  }

  async manifest(reference: string): Promise<FetchedManifest | undefined> {
    const entry = isDigest(reference) ? undefined : this.#entries.find(({ tag }) => tag === reference);
    const digest = isDigest(reference) ? reference : entry?.digest;
    if (digest === undefined) return undefined;
    const sizeBytes = this.#documents.get(digest)?.length ?? this.#blobs.get(digest)?.sizeBytes;
    if (sizeBytes === undefined) return undefined;
    const bytes = await this.document({ mediaType: '', digest, sizeBytes }, `the manifest ${digest}`);
    const mediaType = looksLikeIndex(bytes.toString('utf8')) ? INDEX_TYPE : MANIFEST_TYPE;
    return { mediaType, digest, sizeBytes, bytes };
  }

  async document(descriptor: Descriptor, what: string, maxBytes = MAX_DOCUMENT_BYTES): Promise<Buffer> {
    const { digest, sizeBytes } = descriptor;
    if (sizeBytes > maxBytes) throw this.#damaged(`${what} is too large: ${sizeBytes} bytes`);
    const known = this.#documents.get(digest);
    if (known !== undefined) return known;
    const bytes = await this.#archive.content(this.#nameOf(descriptor, what), maxBytes);
    if (bytes !== undefined && digestOf(bytes) === digest) return bytes;
    throw new HoldfastError('HF-DIGEST', `${what} in ${this.name} is not what its digest says`, {
      hint: 'the archive is damaged or was tampered with; make or copy it again',
    });
  }

  async *blob(descriptor: Descriptor, { signal, onBytes, from = 0 }: BlobOptions = {}): AsyncGenerator<Buffer> {
    for await (const chunk of this.#archive.read(this.#memberOf(descriptor, 'a layer'), from)) {
      if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', `interrupted while reading ${this.name}`);
      onBytes?.(chunk.length);
      yield chunk;
    }
  }

  async *ranges(
    descriptor: Descriptor,
    ranges: readonly ByteRange[],
    { signal, onBytes }: ReadOptions = {},
  ): AsyncGenerator<{ start: number; data: Buffer }> {
    if (this.#archive.compression !== 'none') {
      throw new HoldfastError('HF-UNSUPPORTED', `${this.name} is packed: parts of it can't be read by themselves`);
    }
    const member = this.#memberOf(descriptor, 'a layer');
    for (const { start, end } of ranges) {
      if (end > member.sizeBytes) throw this.#damaged(`a layer ends before byte ${end}`);
      let at = start;
      for await (const data of this.#archive.read(member, start, end)) {
        if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', `interrupted while reading ${this.name}`);
        onBytes?.(data.length);
        yield { start: at, data };
        at += data.length;
      }
    }
  }

  async referrers(digest: Digest, artifactType?: string): Promise<Descriptor[]> {
    const list = await this.manifest(referrersTag(digest));
    return list === undefined ? [] : parseReferrers(list.bytes.toString('utf8'), this.name, artifactType);
  }

  async putBlob(): Promise<void> {
    throw this.#readOnly();
  }

  async putManifest(): Promise<Descriptor> {
    throw this.#readOnly();
  }

  /** All layers must be there with the size that was promised, before anything is written somewhere. */
  check(layers: readonly Descriptor[]): void {
    for (const layer of layers) this.#memberOf(layer, 'a layer');
  }

  async #learn(): Promise<void> {
    for (const name of this.#archive.names()) {
      const digest = `sha256:${/^blobs\/sha256\/(.*)$/.exec(name)?.[1]}`;
      const member = isDigest(digest) ? this.#archive.member(name) : undefined;
      if (isDigest(digest) && member !== undefined) this.#blobs.set(digest, member);
    }
    const index = await this.#archive.content('index.json', MAX_DOCUMENT_BYTES);
    if (index !== undefined && this.#archive.member('oci-layout') !== undefined) {
      this.#entries = parseIndex(index.toString('utf8'), `index.json in ${this.name}`);
      return;
    }
    const saved = await this.#archive.content('manifest.json', MAX_DOCUMENT_BYTES);
    if (saved === undefined) {
      throw new HoldfastError(
        'HF-IMAGE',
        `${this.name} holds no image: neither index.json nor manifest.json is in it`,
        {
          hint: 'for an archive of a root file system unpack it and name the directory: dir:DIRECTORY',
        },
      );
    }
    for (const image of parseSavedImages(saved.toString('utf8'), `manifest.json in ${this.name}`)) {
      const descriptor = await this.#makeManifest(image.config, image.layers);
      // As docker reads them; what can't be a name can't be asked for either.
      const names = image.names.flatMap((name) => normalName(name) ?? []);
      const tags = names.length === 0 ? [undefined] : names;
      for (const tag of tags) this.#entries.push({ ...descriptor, tag, platform: undefined });
    }
  }

  /** A manifest for an image that was saved without one; the same image gives the same one. */
  async #makeManifest(configName: string, layerNames: readonly string[]): Promise<Descriptor> {
    const config = await this.#archive.content(configName, MAX_DOCUMENT_BYTES);
    if (config === undefined) throw this.#damaged(`the configuration ${configName} is missing`);
    const promised = `sha256:${/([0-9a-f]{64})(?:\.json)?$/.exec(configName)?.[1]}`;
    const configDigest = digestOf(config);
    if (isDigest(promised) && promised !== configDigest) {
      throw new HoldfastError('HF-DIGEST', `${configName} in ${this.name} is not what its name says`);
    }
    const { diffIds } = parseConfig(config.toString('utf8'), `${configName} in ${this.name}`);
    const layers: object[] = [];
    for (const [at, name] of layerNames.entries()) {
      const member = this.#archive.member(name);
      if (member === undefined) throw this.#damaged(`the layer ${name} is missing`);
      const layer = await this.#describeLayer(name, member, diffIds[at]);
      this.#blobs.set(layer.digest, member);
      layers.push({ mediaType: layer.mediaType, digest: layer.digest, size: layer.sizeBytes });
    }
    this.#documents.set(configDigest, config);
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MANIFEST_TYPE,
        config: { mediaType: CONFIG_TYPE, digest: configDigest, size: config.length },
        layers,
      }),
    );
    const digest = digestOf(manifest);
    this.#documents.set(digest, manifest);
    return { mediaType: MANIFEST_TYPE, digest, sizeBytes: manifest.length };
  }

  async #describeLayer(name: string, member: ArchiveMember, diffId: Digest | undefined): Promise<Descriptor> {
    let head: Buffer = Buffer.alloc(0);
    for await (const chunk of this.#archive.read(member, 0, Math.min(4, member.sizeBytes))) {
      head = Buffer.concat([head, chunk]);
    }
    const compression = sniffCompression(head);
    const mediaType = layerType(compression);
    const named = `sha256:${/^blobs\/sha256\/(.*)$/.exec(name)?.[1]}`;
    const known = isDigest(named) ? named : compression === 'none' ? diffId : undefined;
    if (known !== undefined) return { mediaType, digest: known, sizeBytes: member.sizeBytes };
    const hash = createHash('sha256');
    for await (const chunk of this.#archive.read(member)) hash.update(chunk);
    return { mediaType, digest: finishDigest(hash), sizeBytes: member.sizeBytes };
  }

  #memberOf(descriptor: Descriptor, what: string): ArchiveMember {
    const member = this.#blobs.get(descriptor.digest);
    if (member === undefined) throw this.#damaged(`${what} is missing: ${descriptor.digest}`);
    if (member.sizeBytes === descriptor.sizeBytes) return member;
    throw new HoldfastError(
      'HF-DIGEST',
      `${what} in ${this.name} has ${member.sizeBytes} bytes instead of ${descriptor.sizeBytes}`,
    );
  }

  #nameOf(descriptor: Descriptor, what: string): string {
    this.#memberOf(descriptor, what);
    return `blobs/sha256/${hexOf(descriptor.digest)}`;
  }

  #damaged(problem: string): HoldfastError {
    return new HoldfastError('HF-IMAGE', `${this.name}: ${problem}`, {
      hint: 'the archive is damaged or incomplete; make or copy it again',
    });
  }

  #readOnly(): HoldfastError {
    return new HoldfastError('HF-UNSUPPORTED', `nothing can be stored in the archive ${this.name}`, {
      hint: 'unpack it and name the directory: oci-layout:DIRECTORY',
    });
  }
}

/** A name of docker's kind, written out; undefined for what is none. */
export function normalName(text: string): string | undefined {
  try {
    return formatRegistryName(parseRegistryName(text));
  } catch {
    return undefined;
  }
}
