// Makes the recipe of a layer while its tar stream passes: what is content is cut into chunks, the rest is kept as it is.

import { createHash, type Hash } from 'node:crypto';
import { type Digest, digestOf, finishDigest } from '../digest.ts';
import { addRun, type Extent } from '../sparse.ts';
import { type TarEntry, type TarEvent, TarReader } from '../tarreader.ts';
import type { Chunk, FileContent } from '../tree-index.ts';
import { Chunker } from './chunker.ts';
import type { Recipe, RecipePiece } from './recipe.ts';

/** Contents up to this stay among the tar stream's own bytes: naming them by a digest would take as much. */
const MAX_INLINE_BYTES = 64;

/** Gets the chunks of contents as they are cut. */
export interface ChunkSink {
  begin(header: TarEntry): void;
  /** The bytes are valid until the promise is kept. */
  chunk(chunk: Chunk, bytes: Buffer): Promise<void>;
  /** Of a sparse file, with the places of its pieces. */
  end(content: FileContent): void;
}

/** @throws HoldfastError as the stream and TarReader do. */
export async function makeRecipe(diffId: Digest, tar: AsyncIterable<Buffer>, sink?: ChunkSink): Promise<Recipe> {
  const maker = new RecipeMaker(sink);
  for await (const bytes of tar) {
    for (const chunk of maker.take(bytes)) await sink?.chunk(chunk, chunk.bytes);
  }
  return { diffId, pieces: maker.finish() };
}

interface OpenContent {
  hash: Hash;
  chunker: Chunker;
  chunks: Chunk[];
  sizeBytes: number;
  /** Of a sparse file. */
  extents: Extent[] | undefined;
}

class RecipeMaker {
  readonly #reader = new TarReader();
  readonly #sink: ChunkSink | undefined;
  readonly #pieces: RecipePiece[] = [];
  #literal: Buffer[] = [];
  #position = 0;
  #content: OpenContent | undefined;

  constructor(sink: ChunkSink | undefined) {
    this.#sink = sink;
  }

  /** Takes the next bytes of the stream; gives the chunks that they complete, each valid until the next one. */
  *take(bytes: Buffer): Generator<Chunk & { bytes: Buffer }> {
    let from = 0;
    for (const event of this.#reader.push(bytes)) {
      if (event.kind === 'data' && this.#content !== undefined && event.position !== undefined) {
        // What the reader held back of earlier bytes is never content.
        const at = event.position - this.#position;
        this.#keep(bytes.subarray(from, at));
        from = at + event.bytes.length;
      }
      yield* this.#see(event);
    }
    this.#keep(bytes.subarray(from));
    this.#position += bytes.length;
  }

  finish(): readonly RecipePiece[] {
    this.#reader.finish();
    this.#endLiteral();
    return this.#pieces;
  }

  *#see(event: TarEvent): Generator<Chunk & { bytes: Buffer }> {
    if (event.kind === 'entry') {
      if (event.entry.storedBytes <= MAX_INLINE_BYTES) return;
      const extents = event.entry.storedBytes === event.entry.sizeBytes ? undefined : [];
      this.#content = { hash: createHash('sha256'), chunker: new Chunker(), chunks: [], sizeBytes: 0, extents };
      this.#sink?.begin(event.entry);
      return;
    }
    const content = this.#content;
    if (content === undefined) return;
    if (event.kind === 'data') {
      if (content.sizeBytes === 0) this.#endLiteral();
      content.sizeBytes += event.bytes.length;
      if (content.extents !== undefined) addRun(content.extents, event.offset, event.bytes.length);
      content.hash.update(event.bytes);
      yield* this.#cut(content.chunker.push(event.bytes), content.chunks);
      return;
    }
    yield* this.#cut(content.chunker.finish(), content.chunks);
    const { sizeBytes, chunks, extents } = content;
    const whole = { digest: finishDigest(content.hash), sizeBytes, chunks };
    this.#content = undefined;
    this.#pieces.push(whole);
    this.#sink?.end(extents === undefined ? whole : { ...whole, extents });
  }

  *#cut(cut: Iterable<Buffer>, chunks: Chunk[]): Generator<Chunk & { bytes: Buffer }> {
    for (const bytes of cut) {
      const chunk = { digest: digestOf(bytes), sizeBytes: bytes.length };
      chunks.push(chunk);
      yield { ...chunk, bytes };
    }
  }

  #keep(bytes: Buffer): void {
    if (bytes.length > 0) this.#literal.push(Buffer.from(bytes));
  }

  #endLiteral(): void {
    if (this.#literal.length > 0) this.#pieces.push(Buffer.concat(this.#literal));
    this.#literal = [];
  }
}
