// Which layers of an image can be had content by content, and how. Whatever is missing or wrong here costs nothing but
// the bytes of the whole layer: it is said, and the layer is left out.

import { HoldfastError, messageOf } from '../../system/errors.ts';
import type { Layer } from '../blob.ts';
import type { Digest } from '../digest.ts';
import { shortDigest } from '../manifest.ts';
import type { OciImage } from '../oci-image.ts';
import type { SeekableLayer } from '../tree-index.ts';
import { isEstargz, readEstargz } from './estargz.ts';
import { IndexBudget } from './index-budget.ts';
import { findIndex, type IndexedLayer, layersOfIndex, readIndexedLayer } from './published-index.ts';
import { isZstdChunked, readZstdChunked } from './zstd-chunked.ts';

export interface OpenSeekableOptions {
  /** What the machine runs; an index that was made for it is preferred. */
  base?: { digest: Digest } | undefined;
  /** The layers that are wanted; default all of the image's. */
  layers?: readonly Layer[] | undefined;
  /** A sentence for each thing that is there and can't be used. */
  notice?: ((text: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Reads tables of contents and indexes; no content yet.
 * @returns by diffId; layers that have nothing usable are left out.
 * @throws HoldfastError HF-INTERRUPTED only
 */
export async function openSeekableLayers(
  image: Pick<OciImage, 'digest' | 'layers' | 'repository'>,
  options: OpenSeekableOptions = {},
): Promise<Map<Digest, SeekableLayer>> {
  const { base, layers = image.layers, notice = () => {}, signal } = options;
  const { repository } = image;
  const found = new Map<Digest, SeekableLayer>();
  /** Does what may go wrong, and says so when it does. */
  const attempt = async <T>(what: string, act: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code === 'HF-INTERRUPTED') throw error;
      notice(`${what}: ${messageOf(error)}`);
      return undefined;
    }
  };
  const budget = new IndexBudget();
  for (const layer of layers) {
    const name = `layer ${shortDigest(layer.digest)}`;
    const read = isZstdChunked(layer) ? readZstdChunked : isEstargz(layer) ? readEstargz : undefined;
    const seekable = read && (await attempt(name, async () => counted(await read(layer, repository, signal), budget)));
    if (seekable !== undefined) found.set(layer.diffId, seekable);
  }
  const others = layers.filter(({ diffId }) => !found.has(diffId));
  if (others.length === 0) return found;
  const onProblem = (problem: unknown) => notice(`chunk index: ${messageOf(problem)}`);
  const index = await attempt('chunk index', () => findIndex(image, { base: base?.digest, onProblem }));
  if (index === undefined) return found;
  const indexed: IndexedLayer[] = [];
  for (const { diffId, digest } of others) {
    if (!index.documents.has(diffId)) continue;
    const name = `chunk index of layer ${shortDigest(digest)}`;
    const layer = await attempt(name, () => readIndexedLayer(index, diffId, repository, budget));
    if (layer !== undefined) indexed.push(layer);
  }
  const fromPack = await attempt('chunk index', async () => layersOfIndex(index, indexed, repository));
  for (const layer of fromPack ?? []) found.set(layer.diffId, layer);
  return found;
}

/** All layers are held at once, so that they share what there is room for. */
function counted(layer: SeekableLayer, budget: IndexBudget): SeekableLayer {
  budget.take('entries', layer.entries.length);
  return layer;
}
