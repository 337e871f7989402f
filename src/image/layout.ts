// OCI image layouts (image-spec, image-layout.md): a directory with index.json and content-addressed blobs.

import { createReadStream, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { type Layer, unpackedLayer } from './blob.ts';
import { type Digest, digestOf, hexOf } from './digest.ts';
import { layersOf } from './layersof.ts';
import {
  type Descriptor,
  type ImageConfig,
  looksLikeIndex,
  MAX_DOCUMENT_BYTES,
  parseConfig,
  parseIndex,
  parseManifest,
} from './manifest.ts';
import { INDEX_TYPE, isIndexType, MANIFEST_TYPE } from './mediatypes.ts';
import { formatImageSource } from './reference.ts';
import {
  MAX_INDEX_DEPTH,
  machinePlatform,
  type Platform,
  selectImage,
  selectPlatform,
  tooDeep,
  type Wanted,
} from './selection.ts';

export interface ReadLayerOptions {
  signal?: AbortSignal | undefined;
  /** Called with the count of packed bytes that were read since the last call. */
  onBytes?: ((count: number) => void) | undefined;
}

/** An image made of layers, wherever they are. */
export interface OciImage {
  kind: 'oci';
  /** Who gave the bytes: a directory of this machine, or somebody else. */
  origin: 'layout' | 'registry';
  /** The canonical text that names it, with an absolute path and its digest. */
  source: string;
  /** Of the manifest: what the image is. */
  digest: Digest;
  config: ImageConfig;
  /** Lowest first. */
  layers: readonly Layer[];
  /** The tar stream of a layer. It ends without error only if all of it was what the manifest promised. */
  readLayer(layer: Layer, options?: ReadLayerOptions): AsyncIterable<Buffer>;
}

/** Without an architecture, the image for this machine is meant. */
export interface OpenLayoutOptions extends Partial<Platform> {
  tag?: string | undefined;
  digest?: Digest | undefined;
}

const READ_SIZE = 1 << 20;

/** Whether a directory is an image layout. */
export function isLayout(directory: string): boolean {
  return statSync(join(directory, 'oci-layout'), { throwIfNoEntry: false })?.isFile() ?? false;
}

/**
 * Opens an image in a layout: reads index, manifest and configuration, no layer yet.
 * @throws HoldfastError HF-NO-SOURCE when the directory is no layout, HF-IMAGE for a damaged or ambiguous one,
 *   HF-DIGEST for wrong bytes, HF-UNSUPPORTED for layers that can't be unpacked.
 */
export function openLayout(path: string, options: OpenLayoutOptions = {}): OciImage {
  const directory = resolve(path);
  if (!isLayout(directory)) {
    throw new HoldfastError('HF-NO-SOURCE', `${directory} is not an OCI image layout: it has no file oci-layout`, {
      hint: 'make one with: skopeo copy docker://IMAGE:TAG oci:DIRECTORY:TAG',
    });
  }
  const wanted: Wanted = { ...machinePlatform(), ...options };
  const { tag } = options;
  const manifestDescriptor = findManifest(directory, wanted);
  const { digest } = manifestDescriptor;
  const source = formatImageSource({ kind: 'oci-layout', path: directory, ...(tag !== undefined && { tag }), digest });
  const manifest = parseManifest(readDocument(directory, manifestDescriptor, `the manifest of ${source}`), source);
  const config = parseConfig(readDocument(directory, manifest.config, `the configuration of ${source}`), source);
  const layers = layersOf(manifest, config, source, wanted);
  // Before anything is written somewhere: a missing blob shouldn't show up half-way.
  for (const layer of layers) blobFile(directory, layer, 'a layer');
  return {
    kind: 'oci',
    origin: 'layout',
    source,
    digest,
    config,
    layers,
    readLayer: (layer, readOptions = {}) =>
      unpackedLayer(layer, readBlob(blobFile(directory, layer, 'a layer'), readOptions)),
  };
}

function findManifest(directory: string, wanted: Wanted): Descriptor {
  const indexPath = join(directory, 'index.json');
  let entry: Descriptor;
  try {
    entry = selectImage(parseIndex(readBounded(indexPath), indexPath), wanted, directory);
  } catch (error) {
    // An image inside a nested index can be named by its digest alone.
    const blob =
      wanted.digest === undefined || wanted.tag !== undefined ? undefined : blobPath(directory, wanted.digest);
    const found = blob === undefined ? undefined : statSync(blob, { throwIfNoEntry: false });
    if (wanted.digest === undefined || found === undefined) throw error;
    entry = { mediaType: MANIFEST_TYPE, digest: wanted.digest, sizeBytes: found.size };
    if (looksLikeIndex(readDocument(directory, entry, 'the image'))) entry.mediaType = INDEX_TYPE;
  }
  for (let depth = 0; isIndexType(entry.mediaType); depth++) {
    if (depth === MAX_INDEX_DEPTH) throw tooDeep(directory);
    const where = `index ${entry.digest}`;
    entry = selectPlatform(parseIndex(readDocument(directory, entry, where), where), wanted, where);
  }
  return entry;
}

/** A small blob as text, checked. */
function readDocument(directory: string, descriptor: Descriptor, what: string): string {
  if (descriptor.sizeBytes > MAX_DOCUMENT_BYTES) throw tooLarge(what, descriptor.sizeBytes);
  const bytes = readFileSync(blobFile(directory, descriptor, what));
  const found = digestOf(bytes);
  if (found !== descriptor.digest) {
    throw new HoldfastError('HF-DIGEST', `${what} has the digest ${found} instead of ${descriptor.digest}`, {
      hint: 'the image was damaged on its way or was tampered with; fetch or build it again',
    });
  }
  return bytes.toString('utf8');
}

function readBounded(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile()) {
    throw new HoldfastError('HF-IMAGE', `${path} is missing`, { hint: 'the layout is incomplete; make it again' });
  }
  if (found.size > MAX_DOCUMENT_BYTES) throw tooLarge(path, found.size);
  return readFileSync(path, 'utf8');
}

/** The file of a blob, which must be there with the promised size. */
function blobFile(directory: string, { digest, sizeBytes }: Descriptor, what: string): string {
  const path = blobPath(directory, digest);
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

async function* readBlob(path: string, { signal, onBytes }: ReadLayerOptions): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: READ_SIZE, signal })) {
      // A read stream without encoding gives buffers only; its type says any.
      const bytes: Buffer = chunk;
      onBytes?.(bytes.length);
      yield bytes;
    }
  } catch (error) {
    if (signal?.aborted || errnoOf(error) === 'ABORT_ERR') {
      throw new HoldfastError('HF-INTERRUPTED', `interrupted while reading ${path}`, { cause: error });
    }
    throw error;
  }
}

function blobPath(directory: string, digest: Digest): string {
  return join(directory, 'blobs/sha256', hexOf(digest));
}

function tooLarge(what: string, sizeBytes: number): HoldfastError {
  return new HoldfastError('HF-IMAGE', `${what} is too large: ${sizeBytes} bytes`, {
    hint: `an index, manifest or configuration has at most ${MAX_DOCUMENT_BYTES} bytes`,
  });
}
