// The document that a published index has for each layer: the recipe of the layer's tar stream, and where the pack holds
// the chunks. Columns of like things lie together, since that is what packs well; digests don't pack at all.
// docs/reference/image-index.md describes the format; a change that older readers misread needs a new media type.

import { type Digest, hexOf, isDigest } from '../digest.ts';
import type { Chunk, FileContent } from '../tree-index.ts';
import { badIndex } from './bad-index.ts';
import { ByteReader, NumberWriter } from './byte-writer.ts';
import { MAX_CHUNK_BYTES } from './chunker.ts';
import { IndexBudget } from './index-budget.ts';
import type { PackedChunk } from './packed-chunk.ts';
import type { Recipe, RecipePiece } from './recipe.ts';

const MAGIC = Buffer.from('HFINDEX1');
const DIGEST_BYTES = 32;
/** Of one layer's tar stream: what unpacking accepts at most. */
const MAX_TAR_BYTES = 64 * 2 ** 30;

/** What a document says about a layer. */
export interface IndexDocument {
  recipe: Recipe;
  /** The chunks that are in the pack, by where they begin. */
  packed: readonly PackedChunk[];
}

/** @param packed where chunks are in the pack; chunks that aren't named are elsewhere. */
export function encodeIndexDocument(recipe: Recipe, packed: ReadonlyMap<Digest, PackedChunk>): Buffer {
  const chunks = new Table<Digest, Chunk>();
  const contents = new Table<string, FileContent>();
  const pieces = new NumberWriter();
  const literals: Buffer[] = [];
  let literalBytes = 0;
  let pairs = 0;
  for (const piece of recipe.pieces) {
    if (Buffer.isBuffer(piece)) {
      literals.push(piece);
      literalBytes += piece.length;
      continue;
    }
    const { id, isNew } = contents.idOf(`${piece.digest}:${piece.sizeBytes}`, piece);
    pieces.add(literalBytes);
    // Most contents are new: 0 says that.
    pieces.add(isNew ? 0 : contents.size - id);
    literalBytes = 0;
    pairs += 1;
  }
  pieces.add(literalBytes);

  const lists = new NumberWriter();
  for (const { digest, sizeBytes, chunks: parts } of contents.values) {
    const list = parts ?? [{ digest, sizeBytes }];
    lists.add(list.length);
    for (const chunk of list) {
      const { id, isNew } = chunks.idOf(chunk.digest, chunk);
      lists.add(isNew ? 0 : chunks.size - id);
    }
  }

  const sizes = new NumberWriter();
  const places = new NumberWriter();
  let expected = 0;
  for (const { digest, sizeBytes } of chunks.values) {
    sizes.add(sizeBytes);
    const place = packed.get(digest);
    places.add(place === undefined ? 0 : place.end - place.start);
    if (place === undefined) continue;
    places.addSigned(place.start - expected);
    expected = place.end;
  }

  const digests = [
    ...[...chunks.values].map(({ digest }) => digest),
    // A content of one chunk has that one's digest.
    ...[...contents.values].filter(({ chunks: parts }) => parts?.length !== 1).map(({ digest }) => digest),
  ].map((digest) => Buffer.from(hexOf(digest), 'hex'));
  const columns = [pieces.bytes, lists.bytes, sizes.bytes, places.bytes, Buffer.concat(digests), ...literals];
  const head = new NumberWriter();
  for (const count of [pairs, contents.size, chunks.size]) head.add(count);
  for (const column of columns.slice(0, 4)) head.add(column.length);
  return Buffer.concat([MAGIC, Buffer.from(hexOf(recipe.diffId), 'hex'), head.bytes, ...columns]);
}

/**
 * Reads a document. Nothing of it is proven: only the recipe's result can be.
 * @param packBytes size of the pack that it speaks of.
 * @param budget what it may take, together with the documents before it.
 * @throws HoldfastError HF-IMAGE
 */
export function decodeIndexDocument(bytes: Buffer, packBytes: number, budget = new IndexBudget()): IndexDocument {
  const reader = new ByteReader(bytes);
  if (!reader.take(MAGIC.length).equals(MAGIC)) throw badIndex('it has another format');
  const diffId = readDigest(reader);
  const [pairs, contentCount, chunkCount] = [reader.number(), reader.number(), reader.number()];
  const [pieceColumn, listColumn, sizeColumn, placeColumn] = [0, 1, 2, 3].map(() => reader.number());
  const pieceReader = new ByteReader(reader.take(pieceColumn ?? 0));
  const listReader = new ByteReader(reader.take(listColumn ?? 0));
  const sizeReader = new ByteReader(reader.take(sizeColumn ?? 0));
  const placeReader = new ByteReader(reader.take(placeColumn ?? 0));

  // Each content of the stream is an entry's; counted as such once the headers are read.
  if (pairs > budget.left('entries')) budget.take('entries', pairs);
  if (contentCount > pairs) throw badIndex('it lists contents that are nowhere in the layer');
  budget.take('chunks', chunkCount);
  const chunks: Chunk[] = [];
  const packed: PackedChunk[] = [];
  let expected = 0;
  for (let index = 0; index < chunkCount; index++) {
    const chunk = { digest: readDigest(reader), sizeBytes: sizeReader.number() };
    if (chunk.sizeBytes === 0 || chunk.sizeBytes > MAX_CHUNK_BYTES) throw badIndex('a chunk has an impossible size');
    chunks.push(chunk);
    const length = placeReader.number();
    if (length === 0) continue;
    const start = expected + placeReader.signed();
    expected = start + length;
    if (start < 0 || expected > packBytes) throw badIndex('a chunk lies outside the pack');
    packed.push({ ...chunk, start, end: expected });
  }

  const contents: FileContent[] = [];
  let nextChunk = 0;
  for (let index = 0; index < contentCount; index++) {
    const parts: Chunk[] = [];
    const count = listReader.number();
    budget.take('parts', count);
    for (let part = 0; part < count; part++) {
      const back = listReader.number();
      const chunk = chunks[back === 0 ? nextChunk++ : nextChunk - back];
      if (chunk === undefined) throw badIndex('a chunk is not in its list');
      parts.push(chunk);
    }
    const [first] = parts;
    if (first === undefined) throw badIndex('a content has no chunks');
    const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    contents.push({ digest: parts.length === 1 ? first.digest : readDigest(reader), sizeBytes, chunks: parts });
  }

  const pieces: RecipePiece[] = [];
  let nextContent = 0;
  let tarBytes = 0;
  for (let index = 0; index <= pairs; index++) {
    const literal = reader.take(pieceReader.number());
    if (literal.length > 0) pieces.push(literal);
    if (index === pairs) break;
    const back = pieceReader.number();
    const content = contents[back === 0 ? nextContent++ : nextContent - back];
    if (content === undefined) throw badIndex('a content is not in its list');
    pieces.push(content);
    tarBytes += content.sizeBytes;
    if (tarBytes > MAX_TAR_BYTES) throw badIndex(`its layer has more than ${MAX_TAR_BYTES} bytes`);
  }
  if (!(reader.isAtEnd && pieceReader.isAtEnd && listReader.isAtEnd && sizeReader.isAtEnd && placeReader.isAtEnd)) {
    throw badIndex('something follows its end');
  }
  return { recipe: { diffId, pieces }, packed };
}

function readDigest(reader: ByteReader): Digest {
  const digest = `sha256:${reader.take(DIGEST_BYTES).toString('hex')}`;
  if (!isDigest(digest)) throw new TypeError(`not a digest: ${digest}`);
  return digest;
}

/** Things in the order in which they were met, each once. */
class Table<Key, Value> {
  readonly #ids = new Map<Key, number>();
  readonly #values: Value[] = [];

  get size(): number {
    return this.#values.length;
  }

  get values(): readonly Value[] {
    return this.#values;
  }

  /** `isNew` the first time. */
  idOf(key: Key, value: Value): { id: number; isNew: boolean } {
    const known = this.#ids.get(key);
    if (known !== undefined) return { id: known, isNew: false };
    this.#ids.set(key, this.#values.length);
    this.#values.push(value);
    return { id: this.#values.length - 1, isNew: true };
  }
}
