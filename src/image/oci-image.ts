// An image made of layers, wherever it is: from what a name led to, down through indexes to the one for the platform.
// Only what describes the image is read here; its layers are read, and checked, when they are needed.

import { HoldfastError } from '../system/errors.ts';
import type { Layer } from './blob.ts';
import type { Digest } from './digest.ts';
import { layersOf } from './layersof.ts';
import { type ImageConfig, parseConfig, parseIndex, parseManifest, shortDigest } from './manifest.ts';
import { isIndexType } from './mediatypes.ts';
import { type LayerReading, layerStream, prefetchLayers } from './prefetch.ts';
import type { Provenance } from './provenance.ts';
import type { FetchedManifest, ReadOptions, Repository } from './repository.ts';
import { MAX_INDEX_DEPTH, type Platform, selectPlatform, tooDeep } from './selection.ts';

export type ReadLayerOptions = ReadOptions;

export interface OciImage {
  kind: 'oci';
  /** Who gave the bytes: this machine, or somebody else. */
  origin: 'layout' | 'registry';
  /** The canonical text that names it, with an absolute path and its digest. */
  source: string;
  /** Of the manifest: what the image is. */
  digest: Digest;
  /** What its name led to, if that is an index of images: the outermost one. */
  index: FetchedManifest | undefined;
  manifest: FetchedManifest;
  config: ImageConfig;
  /** Lowest first. */
  layers: readonly Layer[];
  /** Where it is. */
  repository: Repository;
  /** Who vouches for it; absent where nobody was asked. */
  provenance?: Provenance;
  /** The tar stream of a layer. It ends without error only if all of it was what the manifest promised. */
  readLayer(layer: Layer, options?: ReadLayerOptions): AsyncIterable<Buffer>;
  /** Begins to read several layers, for reading them in this order; absent where that gains nothing. */
  prefetch?: ((layers: readonly Layer[], options?: Pick<ReadLayerOptions, 'signal'>) => LayerReading) | undefined;
}

export interface OpenOciImageOptions {
  origin: OciImage['origin'];
  wanted: Platform;
  /** The text that names the image with this digest. */
  sourceOf: (digest: Digest) => string;
}

/**
 * @param named what the name led to: an index or a manifest.
 * @throws HoldfastError HF-IMAGE and HF-UNSUPPORTED for what can't be unpacked for this platform; otherwise as the
 *   methods of {@link Repository}.
 */
export async function openOciImage(
  repository: Repository,
  named: FetchedManifest,
  { origin, wanted, sourceOf }: OpenOciImageOptions,
): Promise<OciImage> {
  let manifest = named;
  for (let depth = 0; isIndexType(manifest.mediaType); depth++) {
    if (depth === MAX_INDEX_DEPTH) throw tooDeep(repository.name);
    const where = `index ${shortDigest(manifest.digest)} of ${repository.name}`;
    const entry = selectPlatform(parseIndex(manifest.bytes.toString('utf8'), where), wanted, where);
    const found = await repository.manifest(entry.digest);
    if (found === undefined) throw incomplete(`${where} lists ${shortDigest(entry.digest)}, which is missing`);
    if (found.sizeBytes !== entry.sizeBytes) {
      throw new HoldfastError(
        'HF-DIGEST',
        `${where} lists ${shortDigest(entry.digest)} with ${entry.sizeBytes} bytes; it has ${found.sizeBytes}`,
      );
    }
    manifest = found;
  }
  const { digest } = manifest;
  const source = sourceOf(digest);
  const { config: configDescriptor, layers } = parseManifest(manifest.bytes.toString('utf8'), source);
  const configBytes = await repository.document(configDescriptor, `the configuration of ${source}`);
  const config = parseConfig(configBytes.toString('utf8'), source);
  const facts = {
    kind: 'oci' as const,
    origin,
    source,
    digest,
    index: manifest === named ? undefined : named,
    manifest,
    config,
    layers: layersOf({ config: configDescriptor, layers }, config, source, wanted),
  };
  return withRepository(facts, repository);
}

/** The same image, read from another place, such as a spool in front of its own. */
export function withRepository(
  image: Omit<OciImage, 'repository' | 'readLayer' | 'prefetch'>,
  repository: Repository,
): OciImage {
  return {
    ...image,
    repository,
    readLayer: (layer, options) => layerStream(repository, layer, repository.blob(layer, options)),
    prefetch:
      image.origin === 'registry' ? (layers, options) => prefetchLayers(repository, layers, options) : undefined,
  };
}

function incomplete(message: string): HoldfastError {
  return new HoldfastError('HF-IMAGE', message, { hint: 'the image is incomplete; copy all of it again' });
}
