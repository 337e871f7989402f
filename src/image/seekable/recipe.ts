// How a layer's tar stream is put together again: its own bytes (headers, padding) and contents by digest, in turn. A
// recipe may come from anybody: what it says counts once the stream that it makes has the digest of the layer.

import { verify } from '../blob.ts';
import { type Digest, digestOf } from '../digest.ts';
import { addRun, type Extent } from '../sparse.ts';
import { type TarEntry, type TarEvent, TarReader } from '../tarreader.ts';
import type { FileContent, LayerEntry } from '../tree-index.ts';
import { badIndex } from './bad-index.ts';
import { INDEX_LIMITS } from './index-budget.ts';

/** A part of a tar stream: its bytes, or the content that belongs there. */
export type RecipePiece = Buffer | FileContent;

/** Gives a content's stored bytes. A piece may be valid only until the next one. */
export type ReadContent = (content: FileContent) => AsyncIterable<Buffer>;

export interface Recipe {
  diffId: Digest;
  /** In the order of the stream. Contents have no extents: those follow from the headers. */
  pieces: readonly RecipePiece[];
}

/** What a recipe says that its layer holds. */
export interface RecipeEntries {
  entries: LayerEntry[];
  /** The recipe's pieces, with each content as its entry has it: where it belongs in a sparse file is part of it. */
  pieces: RecipePiece[];
  /** Small contents that stand in the recipe itself. */
  inline: Map<Digest, Buffer>;
}

const ZEROS = Buffer.alloc(1 << 20);

/**
 * The entries of a layer, from its headers alone: none of its contents is needed.
 * @param maxEntries what is at hand was counted when it was unpacked; what comes from elsewhere wants a limit.
 * @throws HoldfastError HF-IMAGE for what no tar stream can be, and when contents aren't where the headers want them.
 */
export function entriesOfRecipe(
  { pieces }: Pick<Recipe, 'pieces'>,
  maxEntries: number = INDEX_LIMITS.entries,
): RecipeEntries {
  const collector = new EntryCollector(maxEntries);
  const reader = new TarReader();
  for (const piece of pieces) {
    if (Buffer.isBuffer(piece)) {
      for (const event of reader.push(piece)) collector.take(event, undefined);
      collector.pieces.push(piece);
      continue;
    }
    collector.beginContent(piece);
    // What the content is doesn't matter to the reader, only how long.
    for (let missing = piece.sizeBytes; missing > 0; missing -= ZEROS.length) {
      for (const event of reader.push(ZEROS.subarray(0, missing))) collector.take(event, piece);
    }
    collector.endContent(piece);
  }
  reader.finish();
  return collector;
}

/**
 * The tar stream, while its digest and those of its contents are checked. A piece is valid as long as that of `read`.
 * @throws HoldfastError HF-DIGEST when it isn't the layer, or a content isn't what the recipe says.
 */
export async function* layerFromRecipe(recipe: Recipe, read: ReadContent): AsyncGenerator<Buffer> {
  yield* verify('the layer that was put together', { digest: recipe.diffId })(
    (async function* () {
      for (const piece of recipe.pieces) {
        if (Buffer.isBuffer(piece)) yield piece;
        else if (piece.sizeBytes > 0) yield* verify('a content of the layer', piece)(read(piece));
      }
    })(),
  );
}

/**
 * Proves that a recipe, with these contents, is the layer. Who is asked for contents knows them by their entries: the
 * pieces are those of {@link entriesOfRecipe}.
 * @throws HoldfastError HF-DIGEST
 */
export async function proveRecipe(recipe: Recipe, read: ReadContent): Promise<void> {
  for await (const _ of layerFromRecipe(recipe, read));
}

/** Makes entries of the events of a reader, and sees to it that each content is exactly one file's. */
class EntryCollector implements RecipeEntries {
  readonly entries: LayerEntry[] = [];
  readonly pieces: RecipePiece[] = [];
  readonly inline = new Map<Digest, Buffer>();
  readonly #maxEntries: number;
  #header: TarEntry | undefined;
  #extents: Extent[] = [];
  #literal: Buffer[] = [];
  /** Bytes of the current content that the reader took for a file's. */
  #taken = 0;
  #isOver = false;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  beginContent(content: FileContent): void {
    this.#taken = 0;
    this.#isOver = false;
    const header = this.#header;
    if (header === undefined || header.storedBytes !== content.sizeBytes || this.#extents.length > 0) {
      throw badIndex('a content does not stand where its file begins');
    }
  }

  endContent(content: FileContent): void {
    if (!this.#isOver) throw badIndex('a content does not end where its file ends');
    this.pieces.push(this.entries.at(-1)?.content ?? content);
  }

  take(event: TarEvent, content: FileContent | undefined): void {
    switch (event.kind) {
      case 'entry':
        if (content !== undefined) throw badIndex('a header stands inside a content');
        if (this.entries.length === this.#maxEntries) {
          throw badIndex(`it has more entries than the ${this.#maxEntries} that are left for it`);
        }
        this.#header = event.entry;
        this.#extents = [];
        this.#literal = [];
        return;
      case 'data': {
        const { offset, bytes } = event;
        if (content === undefined) this.#literal.push(Buffer.from(bytes));
        this.#taken += bytes.length;
        addRun(this.#extents, offset, bytes.length);
        return;
      }
      case 'end':
        this.#end(content);
    }
  }

  #end(content: FileContent | undefined): void {
    const header = this.#header;
    if (header === undefined) return;
    if (content !== undefined) this.#isOver = this.#taken === content.sizeBytes;
    if (header.type !== 'file') {
      this.entries.push({ header });
    } else {
      const whole = content ?? this.#inlineContent();
      const isSparse = header.storedBytes !== header.sizeBytes;
      this.entries.push({ header, content: isSparse ? { ...whole, extents: this.#extents } : whole });
    }
    this.#header = undefined;
  }

  #inlineContent(): FileContent {
    const bytes = Buffer.concat(this.#literal);
    const digest = digestOf(bytes);
    if (bytes.length > 0) this.inline.set(digest, bytes);
    return { digest, sizeBytes: bytes.length, chunks: bytes.length === 0 ? [] : [{ digest, sizeBytes: bytes.length }] };
  }
}
