// Makes the index of an image: each layer's recipe, and a pack of the chunks that machines can't have. Layers are read
// once each; the pack grows in a file, since it may be as large as the image.

import { HoldfastError } from '../../system/errors.ts';
import type { Progress } from '../../system/events.ts';
import type { Layer } from '../blob.ts';
import { type Digest, digestOf } from '../digest.ts';
import { parseEntryName } from '../entrypath.ts';
import type { Descriptor } from '../manifest.ts';
import type { OciImage } from '../oci-image.ts';
import type { TarEntry } from '../tarreader.ts';
import type { Chunk, FileContent } from '../tree-index.ts';
import { packDocument } from './document-packing.ts';
import { type HeldContents, heldByAll, heldByImage } from './held-contents.ts';
import { type IndexArtifact, LAYER_DOCUMENT_TYPE } from './index-artifact.ts';
import { IndexBudget } from './index-budget.ts';
import { decodeIndexDocument, encodeIndexDocument } from './index-document.ts';
import { PackWriter } from './pack-writer.ts';
import { entriesOfRecipe, type Recipe } from './recipe.ts';
import { type ChunkSink, makeRecipe } from './recipe-maker.ts';

export type ReadableImage = Pick<OciImage, 'digest' | 'layers' | 'readLayer'>;

export interface MakeIndexOptions {
  image: ReadableImage & Pick<OciImage, 'manifest'>;
  /** Older images; machines that run any of them can use the index. None: machines that have nothing. */
  since: readonly ReadableImage[];
  /** An empty directory for the pack. */
  directory: string;
  signal?: AbortSignal | undefined;
  /** In bytes of packed layers. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface MadeIndex {
  artifact: IndexArtifact;
  /** The documents' bytes by the diffId of their layer. */
  documents: ReadonlyMap<Digest, Buffer>;
  packFile: string;
  figures: IndexFigures;
}

/** What an index holds, for people. */
export interface IndexFigures {
  layers: number;
  files: number;
  /** Different chunks of the image, and those of them in the pack. */
  chunks: number;
  packedChunks: number;
  documentBytes: number;
  packBytes: number;
}

/** Of one layer of an older image: what unpacking accepts at most. */
const MAX_OLD_ENTRIES = 2_000_000;

/**
 * @throws HoldfastError as reading layers does, HF-UNSUPPORTED for an image that is too large for an index,
 *   HF-TOOL-MISSING without zstd, HF-INTERRUPTED.
 */
export async function makeIndex(options: MakeIndexOptions): Promise<MadeIndex> {
  const { image, since, directory } = options;
  const reading = new LayerReading(options);
  const held: HeldContents[] = [];
  for (const older of since) {
    const recipes: Recipe[] = [];
    for (const layer of older.layers) recipes.push(await reading.recipeOf(older, layer));
    held.push(
      heldByImage(
        recipes.map((recipe) => ({ diffId: recipe.diffId, entries: entriesOfRecipe(recipe, MAX_OLD_ENTRIES).entries })),
      ),
    );
  }
  const pack = await PackWriter.create(directory);
  const sink = new NeededChunks(pack, heldByAll(held));
  const recipes = new Map<Digest, Recipe>();
  for (const layer of image.layers) {
    if (!recipes.has(layer.diffId)) recipes.set(layer.diffId, await reading.recipeOf(image, layer, sink));
  }
  const { descriptor, packed } = await pack.finish();

  const documents = new Map<Digest, Buffer>();
  const descriptors = new Map<Digest, Descriptor>();
  const budget = new IndexBudget();
  for (const [diffId, recipe] of recipes) {
    const document = encodeIndexDocument(recipe, packed);
    requireRoom(document, descriptor, budget);
    const bytes = await packDocument(document);
    documents.set(diffId, bytes);
    descriptors.set(diffId, { mediaType: LAYER_DOCUMENT_TYPE, digest: digestOf(bytes), sizeBytes: bytes.length });
  }
  const { mediaType, digest, sizeBytes } = image.manifest;
  return {
    artifact: {
      subject: { mediaType, digest, sizeBytes },
      since: [...new Set(since.map((older) => older.digest))],
      documents: descriptors,
      pack: descriptor,
    },
    documents,
    packFile: pack.path,
    figures: {
      layers: recipes.size,
      files: sink.files,
      chunks: sink.chunks,
      packedChunks: packed.size,
      documentBytes: [...descriptors.values()].reduce((sum, document) => sum + document.sizeBytes, 0),
      packBytes: descriptor.sizeBytes,
    },
  };
}

/** What machines would refuse is better not published. */
function requireRoom(document: Buffer, pack: Descriptor, budget: IndexBudget): void {
  try {
    budget.take('documentBytes', document.length);
    const { recipe } = decodeIndexDocument(document, pack.sizeBytes, budget);
    budget.take('entries', entriesOfRecipe(recipe, budget.left('entries')).entries.length);
  } catch (cause) {
    if (!(cause instanceof HoldfastError)) throw cause;
    throw new HoldfastError('HF-UNSUPPORTED', 'the image is too large for an index: machines would not use it', {
      cause,
      hint: 'build its layers as zstd:chunked instead, or leave files out of it',
    });
  }
}

/** Reads layers, older images' first; a layer that older images share is read once for all of them. */
class LayerReading {
  readonly #older = new Map<Digest, Recipe>();
  readonly #options: MakeIndexOptions;
  readonly #total: number;
  #done = 0;

  constructor(options: MakeIndexOptions) {
    this.#options = options;
    const older = new Map(options.since.flatMap(({ layers }) => layers).map((layer) => [layer.diffId, layer]));
    const layers = [...older.values(), ...options.image.layers];
    this.#total = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  async recipeOf(image: ReadableImage, layer: Layer, sink?: ChunkSink): Promise<Recipe> {
    const known = sink === undefined ? this.#older.get(layer.diffId) : undefined;
    if (known !== undefined) return known;
    const { signal, onProgress } = this.#options;
    const onBytes = (count: number) => {
      this.#done += count;
      onProgress?.({ done: this.#done, total: this.#total, unit: 'bytes' });
    };
    const recipe = await makeRecipe(layer.diffId, image.readLayer(layer, { signal, onBytes }), sink);
    if (sink === undefined) this.#older.set(layer.diffId, recipe);
    return recipe;
  }
}

/** Puts into the pack what machines can't have. */
class NeededChunks implements ChunkSink {
  files = 0;
  readonly #pack: PackWriter;
  readonly #held: HeldContents;
  readonly #all = new Set<Digest>();
  #path = '';
  #mark = 0;

  constructor(pack: PackWriter, held: HeldContents) {
    this.#pack = pack;
    this.#held = held;
  }

  /** Different ones. */
  get chunks(): number {
    return this.#all.size;
  }

  begin({ name }: TarEntry): void {
    const parsed = parseEntryName(name);
    this.#path = parsed.kind === 'entry' ? parsed.parts.join('/') : '';
    this.#mark = this.#pack.mark;
    this.files += 1;
  }

  async chunk(chunk: Chunk, bytes: Buffer): Promise<void> {
    this.#all.add(chunk.digest);
    if (!this.#held.hasChunk(this.#path, chunk.digest)) await this.#pack.add(chunk, bytes);
  }

  /** That a whole file is at hand under another name shows only at its end. */
  end(content: FileContent): void {
    if (this.#held.hasContent(content)) this.#pack.rollback(this.#mark);
  }
}
