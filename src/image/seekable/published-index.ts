// Finds the index that was published for an image, and makes of it layers whose contents can be had one by one.

import type { Digest } from '../digest.ts';
import type { OciImage } from '../oci-image.ts';
import type { SeekableLayer } from '../tree-index.ts';
import { badIndex } from './bad-index.ts';
import { chunksOf } from './chunker.ts';
import { unpackDocument } from './document-packing.ts';
import { chooseArtifact, INDEX_ARTIFACT_TYPE, type IndexArtifact, parseArtifact } from './index-artifact.ts';
import { IndexBudget } from './index-budget.ts';
import { decodeIndexDocument, type IndexDocument } from './index-document.ts';
import { RangedChunks } from './ranged-chunks.ts';
import { entriesOfRecipe, proveRecipe, type RecipeEntries } from './recipe.ts';

const NAME = 'chunk index';
/** Of one image. More are there when somebody floods it; those that come first are looked at. */
const MAX_ARTIFACTS = 32;

/** What an index is looked for in. */
export type IndexedImage = Pick<OciImage, 'digest' | 'repository'>;

export interface FindIndexOptions {
  /** The manifest of the image that the machine runs. */
  base?: Digest | undefined;
  /** Told why something that is there isn't used, a clause. */
  onProblem: (problem: unknown) => void;
}

/**
 * The index that fits best; undefined when there is none.
 * @throws HoldfastError HF-NETWORK, HF-INTERRUPTED
 */
export async function findIndex(
  { digest, repository }: IndexedImage,
  { base, onProblem }: FindIndexOptions,
): Promise<IndexArtifact | undefined> {
  const artifacts: IndexArtifact[] = [];
  const referrers = await repository.referrers(digest, INDEX_ARTIFACT_TYPE);
  for (const referrer of referrers.slice(0, MAX_ARTIFACTS)) {
    try {
      const manifest = await repository.manifest(referrer.digest);
      if (manifest !== undefined) artifacts.push(parseArtifact(manifest.bytes, digest));
    } catch (error) {
      onProblem(error);
    }
  }
  return chooseArtifact(artifacts, base);
}

/** A layer's document, and what it says that the layer holds. */
export interface IndexedLayer extends IndexDocument {
  contents: RecipeEntries;
}

/**
 * Reads the document of a layer.
 * @param budget what it may take, together with the documents that were read before it.
 * @throws HoldfastError HF-IMAGE, HF-DIGEST, HF-NETWORK
 */
export async function readIndexedLayer(
  { documents, pack }: IndexArtifact,
  diffId: Digest,
  repository: Pick<OciImage['repository'], 'document'>,
  budget = new IndexBudget(),
): Promise<IndexedLayer> {
  const descriptor = documents.get(diffId);
  if (descriptor === undefined) throw badIndex('it does not have the layer');
  const maxBytes = budget.left('documentBytes');
  // What doesn't fit packed doesn't fit unpacked.
  budget.take('documentBytes', descriptor.sizeBytes);
  const packed = await repository.document(descriptor, 'the index of a layer', maxBytes);
  const bytes = await unpackDocument(packed, maxBytes);
  budget.take('documentBytes', Math.max(0, bytes.length - descriptor.sizeBytes));
  const document = decodeIndexDocument(bytes, pack.sizeBytes, budget);
  if (document.recipe.diffId !== diffId) throw badIndex('it has another layer than it says');
  const contents = entriesOfRecipe(document.recipe, budget.left('entries'));
  budget.take('entries', contents.entries.length);
  return { ...document, recipe: { diffId, pieces: contents.pieces }, contents };
}

/**
 * Layers whose contents come from the pack. They share one source, so that what several of them have is fetched once.
 * Nothing of them is proven until `prove` says so.
 * @throws HoldfastError HF-IMAGE when their documents contradict each other.
 */
export function layersOfIndex(
  { pack }: IndexArtifact,
  layers: readonly IndexedLayer[],
  repository: Pick<OciImage['repository'], 'ranges'>,
): SeekableLayer[] {
  const source = new RangedChunks({
    name: NAME,
    repository,
    blob: pack,
    packing: 'zstd',
    chunks: layers.flatMap(({ packed }) => packed),
    inline: new Map(layers.flatMap(({ contents }) => [...contents.inline])),
    split: chunksOf,
  });
  return layers.map(({ recipe, contents }) => ({
    diffId: recipe.diffId,
    entries: contents.entries,
    source,
    prove: (read) => proveRecipe(recipe, read),
  }));
}
