// A directory in the form of an OCI image layout (image-spec, image-layout.md) as a place of manifests and blobs:
// index.json has the tags, blobs/sha256 has the rest. Files appear by rename, index.json last.

import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { renameDurably, writeFileDurably } from '../system/durable.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { type Digest, digestOf, finishDigest, hexOf, isDigest } from './digest.ts';
import { type Descriptor, type IndexEntry, looksLikeIndex, MAX_DOCUMENT_BYTES, parseIndex } from './manifest.ts';
import { INDEX_TYPE, MANIFEST_TYPE } from './mediatypes.ts';
import { asReferrer, formatReferrers, parseReferrers, referrersTag } from './referrers.ts';
import type { BlobOptions, ByteRange, FetchedManifest, ReadOptions, Repository } from './repository.ts';

const READ_SIZE = 1 << 20;
const REF_NAME = 'org.opencontainers.image.ref.name';

/** Whether a directory is an image layout. */
export function isLayout(directory: string): boolean {
  return statSync(join(directory, 'oci-layout'), { throwIfNoEntry: false })?.isFile() ?? false;
}

export class LayoutRepository implements Repository {
  readonly name: string;
  readonly directory: string;

  /** @throws HoldfastError HF-NO-SOURCE when the directory is no layout. */
  constructor(path: string) {
    this.directory = resolve(path);
    this.name = `oci-layout:${this.directory}`;
    if (!isLayout(this.directory)) {
      throw new HoldfastError(
        'HF-NO-SOURCE',
        `${this.directory} is not an OCI image layout: it has no file oci-layout`,
        {
          hint: 'make one with: skopeo copy docker://IMAGE:TAG oci:DIRECTORY:TAG',
        },
      );
    }
  }

  /** What index.json lists. */
  entries(): IndexEntry[] {
    const path = this.#indexPath();
    return parseIndex(readBounded(path), path);
  }

  async manifest(reference: string): Promise<FetchedManifest | undefined> {
    if (isDigest(reference)) return this.#manifestBlob(reference);
    const [entry, ...others] = this.entries().filter(({ tag }) => tag === reference);
    if (entry === undefined) return undefined;
    if (others.some(({ digest }) => digest !== entry.digest)) {
      throw new HoldfastError('HF-IMAGE', `${this.name} has several images with the tag ${reference}`, {
        hint: 'name one by its digest: oci-layout:DIRECTORY@sha256:…',
      });
    }
    return this.fetch(entry, `the image with the tag ${reference}`);
  }

  /** A manifest or index that index.json or another index lists, with the type that it has there. */
  async fetch(descriptor: Descriptor, what: string): Promise<FetchedManifest> {
    const { mediaType, digest, sizeBytes } = descriptor;
    return { mediaType, digest, sizeBytes, bytes: await this.document(descriptor, what) };
  }

  async document(descriptor: Descriptor, what: string, maxBytes = MAX_DOCUMENT_BYTES): Promise<Buffer> {
    if (descriptor.sizeBytes > maxBytes) throw tooLarge(what, descriptor.sizeBytes, maxBytes);
    return checked(readFileSync(this.blobFile(descriptor, what)), descriptor.digest, what);
  }

  async *blob(descriptor: Descriptor, { signal, onBytes, from = 0 }: BlobOptions = {}): AsyncGenerator<Buffer> {
    const path = this.blobFile(descriptor, 'a layer');
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: READ_SIZE, signal, start: from })) {
        // A read stream without encoding gives buffers only; its type says any.
        const bytes: Buffer = chunk;
        onBytes?.(bytes.length);
        yield bytes;
      }
    } catch (error) {
      if (signal?.aborted || errnoOf(error) === 'ABORT_ERR') throw interrupted(path, error);
      throw error;
    }
  }

  async *ranges(
    descriptor: Descriptor,
    ranges: readonly ByteRange[],
    { signal, onBytes }: ReadOptions = {},
  ): AsyncGenerator<{ start: number; data: Buffer }> {
    const path = this.blobFile(descriptor, 'a layer');
    const fd = openSync(path, 'r');
    try {
      for (const { start, end } of ranges) {
        for (let at = start; at < end; ) {
          if (signal?.aborted) throw interrupted(path);
          const data = Buffer.allocUnsafe(Math.min(READ_SIZE, end - at));
          const count = readSync(fd, data, 0, data.length, at);
          if (count === 0) throw new HoldfastError('HF-IMAGE', `${path} ends before byte ${end}`);
          onBytes?.(count);
          yield { start: at, data: data.subarray(0, count) };
          at += count;
        }
      }
    } finally {
      closeSync(fd);
    }
  }

  async referrers(digest: Digest, artifactType?: string): Promise<Descriptor[]> {
    const list = await this.manifest(referrersTag(digest));
    return list === undefined ? [] : parseReferrers(list.bytes.toString('utf8'), this.name, artifactType);
  }

  async putBlob(descriptor: Descriptor, bytes: AsyncIterable<Buffer> | Buffer): Promise<void> {
    const { digest, sizeBytes } = descriptor;
    const path = this.#blobPath(digest);
    if (statSync(path, { throwIfNoEntry: false })?.size === sizeBytes) return;
    await mkdir(join(this.directory, 'blobs/sha256'), { recursive: true });
    const temporary = `${path}.${process.pid}.tmp`;
    rmSync(temporary, { force: true });
    const file = await open(temporary, 'wx', 0o644);
    try {
      await writeChecked(file, Buffer.isBuffer(bytes) ? [bytes] : bytes, descriptor);
      await file.sync();
      renameDurably(temporary, path);
    } finally {
      await file.close();
      rmSync(temporary, { force: true });
    }
  }

  async putManifest(bytes: Buffer, mediaType: string, tag?: string): Promise<Descriptor> {
    const descriptor = { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
    await this.putBlob(descriptor, bytes);
    const referrer = asReferrer(bytes, mediaType);
    if (tag !== undefined) this.#name({ ...descriptor, ...artifactTypeOf(referrer?.entry) }, tag);
    if (referrer !== undefined) {
      const known = await this.referrers(referrer.subject);
      const others = known.filter(({ digest }) => digest !== descriptor.digest);
      await this.putManifest(formatReferrers([...others, referrer.entry]), INDEX_TYPE, referrersTag(referrer.subject));
    }
    return descriptor;
  }

  /** The file of a blob, which must be there with the promised size. */
  blobFile({ digest, sizeBytes }: Descriptor, what: string): string {
    const path = this.#blobPath(digest);
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found?.isFile()) {
      throw new HoldfastError('HF-IMAGE', `${what} is missing: ${path}`, {
        hint: 'the layout is incomplete; copy all of it again',
      });
    }
    if (found.size !== sizeBytes) {
      throw new HoldfastError('HF-DIGEST', `${what} has ${found.size} bytes instead of ${sizeBytes}: ${path}`, {
        hint: 'the layout is damaged or was copied in part; copy it again',
      });
    }
    return path;
  }

  /** A manifest of which only the digest is known. */
  async #manifestBlob(digest: Digest): Promise<FetchedManifest | undefined> {
    const path = this.#blobPath(digest);
    const what = `the manifest ${digest}`;
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found?.isFile()) return undefined;
    if (found.size > MAX_DOCUMENT_BYTES) throw tooLarge(what, found.size, MAX_DOCUMENT_BYTES);
    const bytes = checked(readFileSync(path), digest, what);
    const mediaType = looksLikeIndex(bytes.toString('utf8')) ? INDEX_TYPE : MANIFEST_TYPE;
    return { mediaType, digest, sizeBytes: bytes.length, bytes };
  }

  /** Puts a tag into index.json; everything else in it is kept as it is. */
  #name({ sizeBytes, ...descriptor }: Descriptor, tag: string): void {
    const path = this.#indexPath();
    const tags = this.entries().map((entry) => entry.tag);
    const index: { manifests: unknown[] } = JSON.parse(readBounded(path));
    const manifests = index.manifests.filter((_, at) => tags[at] !== tag);
    const entry = { ...descriptor, size: sizeBytes, annotations: { [REF_NAME]: tag } };
    writeFileDurably(path, JSON.stringify({ ...index, manifests: [...manifests, entry] }));
  }

  #indexPath(): string {
    return join(this.directory, 'index.json');
  }

  #blobPath(digest: Digest): string {
    return join(this.directory, 'blobs/sha256', hexOf(digest));
  }
}

function artifactTypeOf(referrer: Descriptor | undefined): Pick<Descriptor, 'artifactType'> {
  return referrer?.artifactType === undefined ? {} : { artifactType: referrer.artifactType };
}

async function writeChecked(
  file: FileHandle,
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  { digest, sizeBytes }: Descriptor,
): Promise<void> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > sizeBytes) break;
    hash.update(chunk);
    await file.writeFile(chunk);
  }
  const found = finishDigest(hash);
  if (size === sizeBytes && found === digest) return;
  throw new HoldfastError('HF-DIGEST', `what should become the blob ${digest} is another one: ${found}`);
}

function readBounded(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile()) {
    throw new HoldfastError('HF-IMAGE', `${path} is missing`, { hint: 'the layout is incomplete; make it again' });
  }
  if (found.size > MAX_DOCUMENT_BYTES) throw tooLarge(path, found.size, MAX_DOCUMENT_BYTES);
  return readFileSync(path, 'utf8');
}

function checked(bytes: Buffer, digest: Digest, what: string): Buffer {
  const found = digestOf(bytes);
  if (found === digest) return bytes;
  throw new HoldfastError('HF-DIGEST', `${what} has the digest ${found} instead of ${digest}`, {
    hint: 'the image was damaged on its way or was tampered with; fetch or build it again',
  });
}

function tooLarge(what: string, sizeBytes: number, maxBytes: number): HoldfastError {
  return new HoldfastError('HF-IMAGE', `${what} is too large: ${sizeBytes} bytes`, {
    hint: `it may have at most ${maxBytes} bytes`,
  });
}

function interrupted(path: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HF-INTERRUPTED', `interrupted while reading ${path}`, { cause });
}
