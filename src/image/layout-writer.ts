// Writes images into an OCI layout directory: layers from tar files or shared with an image that is there already.
// The same input gives the same bytes and digests (under the same runtime, whose zlib packs gzip): no clock and no host name get in. Each file appears by rename,
// and index.json last, so that a reader never sees half an image.

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fsyncPath, renameDurably, writeFileDurably } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import { type Digest, digestOf, finishDigest, hexOf, parseDigest } from './digest.ts';
import { CONFIG_TYPE, type Compression, INDEX_TYPE, layerType, MANIFEST_TYPE } from './mediatypes.ts';
import { compress, type StreamStage, through } from './streamstage.ts';

/** A layer that is in a layout; what `reuse` takes to share it with another image. */
export interface LayerDescriptor {
  mediaType: string;
  /** Of the blob as stored. */
  digest: string;
  /** Of the blob as stored, in bytes. */
  size: number;
  /** Digest of the unpacked tar stream. */
  diffId: string;
}

export interface WriteImageOptions {
  /** The name of the image in the layout; an image with the same tag is replaced. */
  tag: string;
  architecture: 'amd64' | 'arm64';
  labels?: Record<string, string>;
  /** Lowest layer first. `tar` names an uncompressed tar file. */
  layers: readonly ({ tar: string; compression: Compression } | { reuse: LayerDescriptor })[];
  /** RFC 3339; without it the image carries no time. */
  created?: string;
}

interface BlobDescriptor {
  mediaType: string;
  digest: Digest;
  size: number;
}

const REF_NAME = 'org.opencontainers.image.ref.name';

/**
 * Adds an image to a layout; the directory is made if missing, other tags in it are kept.
 * @throws HoldfastError HF-IMAGE when a reused layer or index.json isn't what it should be, HF-TOOL-MISSING without
 *   zstd(1) for a zstd layer.
 */
export async function writeImage(
  layoutDirectory: string,
  options: WriteImageOptions,
): Promise<{ digest: string; layers: LayerDescriptor[] }> {
  // ref.name, OCI image-spec annotations.md; also what fits behind `oci-layout:PATH:`.
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(options.tag)) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(options.tag)} can't be the tag of an image`, {
      hint: 'letters, digits, ".", "_" and "-", at most 128 of them',
    });
  }
  mkdirSync(blobDirectory(layoutDirectory), { recursive: true });
  if (!existsSync(join(layoutDirectory, 'oci-layout'))) {
    writeFileDurably(join(layoutDirectory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  const layers: LayerDescriptor[] = [];
  for (const layer of options.layers) {
    layers.push(
      'reuse' in layer
        ? checkReused(layoutDirectory, layer.reuse)
        : await writeLayer(layoutDirectory, layer.tar, layer.compression),
    );
  }
  const created = options.created === undefined ? {} : { created: options.created };
  const config = writeJsonBlob(layoutDirectory, CONFIG_TYPE, {
    ...created,
    architecture: options.architecture,
    os: 'linux',
    config: options.labels === undefined ? {} : { Labels: sorted(options.labels) },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ ...created, created_by: 'holdfast' })),
  });
  const manifest = writeJsonBlob(layoutDirectory, MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config,
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  const entry = {
    ...manifest,
    platform: { architecture: options.architecture, os: 'linux' },
    annotations: { [REF_NAME]: options.tag },
  };
  const others = indexEntries(layoutDirectory).filter((other) => tagOf(other) !== options.tag);
  writeFileDurably(
    join(layoutDirectory, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [...others, entry] }),
  );
  return { digest: manifest.digest, layers };
}

/** Packs one tar file into a blob. */
async function writeLayer(layoutDirectory: string, tar: string, compression: Compression): Promise<LayerDescriptor> {
  const temporary = join(blobDirectory(layoutDirectory), `.${process.pid}.${temporaryNumber++}.tmp`);
  const diffHash = createHash('sha256');
  const blobHash = createHash('sha256');
  let size = 0;
  const packed = through(
    createReadStream(tar, { highWaterMark: 1 << 20 }),
    tap((chunk) => diffHash.update(chunk)),
    compress(compression),
    tap((chunk) => {
      blobHash.update(chunk);
      size += chunk.length;
    }),
  );
  try {
    await pipeline(packed, createWriteStream(temporary));
    fsyncPath(temporary);
    const digest = finishDigest(blobHash);
    renameDurably(temporary, blobPath(layoutDirectory, digest));
    return { mediaType: layerType(compression), digest, size, diffId: finishDigest(diffHash) };
  } finally {
    rmSync(temporary, { force: true });
  }
}

let temporaryNumber = 0;

/** Looks at every chunk and passes it on. */
function tap(look: (chunk: Buffer) => void): StreamStage {
  return async function* (source) {
    for await (const chunk of source) {
      look(chunk);
      yield chunk;
    }
  };
}

function writeJsonBlob(layoutDirectory: string, mediaType: string, value: unknown): BlobDescriptor {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = digestOf(bytes);
  writeFileDurably(blobPath(layoutDirectory, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

/** A layer to share must be there, complete by its size; its content is checked by whoever reads it. */
function checkReused(layoutDirectory: string, layer: LayerDescriptor): LayerDescriptor {
  const path = blobPath(layoutDirectory, parseDigest(layer.digest, 'the layer to reuse'));
  parseDigest(layer.diffId, 'the unpacked layer to reuse');
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.size !== layer.size) {
    const state = found === undefined ? 'is not there' : `has ${found.size} bytes instead of ${layer.size}`;
    throw new HoldfastError('HF-IMAGE', `the layer to reuse ${state}: ${path}`, {
      hint: 'reuse layers of an image in the same layout, or give their tar files',
    });
  }
  const { mediaType, digest, size, diffId } = layer;
  return { mediaType, digest, size, diffId };
}

/** The images that index.json names now, each kept as it is. */
function indexEntries(layoutDirectory: string): object[] {
  const path = join(layoutDirectory, 'index.json');
  if (!existsSync(path)) return [];
  try {
    const index: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isObject(index) && 'manifests' in index && Array.isArray(index.manifests))
      return index.manifests.filter(isObject);
  } catch (cause) {
    throw new HoldfastError('HF-IMAGE', `${path} is not JSON`, { cause, hint: 'give a new directory' });
  }
  throw new HoldfastError('HF-IMAGE', `${path} is not an index of images`, { hint: 'give a new directory' });
}

function tagOf(entry: object): unknown {
  const annotations = 'annotations' in entry ? entry.annotations : undefined;
  return isObject(annotations) ? Object.entries(annotations).find(([key]) => key === REF_NAME)?.[1] : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function sorted(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function blobDirectory(layoutDirectory: string): string {
  return join(layoutDirectory, 'blobs/sha256');
}

function blobPath(layoutDirectory: string, digest: Digest): string {
  return join(blobDirectory(layoutDirectory), hexOf(digest));
}
