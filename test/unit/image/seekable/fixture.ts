// What tests of seekable layers need: blobs in memory that give ranges, and layers as their descriptors say.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { type Layer, unpackedLayer } from '../../../../src/image/blob.ts';
import { type Digest, digestOf, parseDigest } from '../../../../src/image/digest.ts';
import { LayerIndexer } from '../../../../src/image/layer-indexer.ts';
import type { Descriptor } from '../../../../src/image/manifest.ts';
import type { ByteRange } from '../../../../src/image/repository.ts';
import { TarReader } from '../../../../src/image/tarreader.ts';
import type { ChunkSource, FileContent, LayerIndex } from '../../../../src/image/tree-index.ts';

const FIXTURES = new URL('../../../fixtures/seekable/', import.meta.url);

const layersSchema = z.record(
  z.string(),
  z.object({
    mediaType: z.string(),
    digest: z.string(),
    size: z.number(),
    annotations: z.record(z.string(), z.string()),
    diffId: z.string(),
  }),
);

/** A blob that counts what is asked of it, and gives it in pieces of `pieceBytes`. */
export class MemoryBlob {
  readonly requests: ByteRange[] = [];
  readonly #bytes: Buffer;
  readonly #pieceBytes: number;

  constructor(bytes: Buffer, pieceBytes = 5000) {
    this.#bytes = bytes;
    this.#pieceBytes = pieceBytes;
  }

  async *ranges(_: Descriptor, ranges: readonly ByteRange[]): AsyncGenerator<{ start: number; data: Buffer }> {
    for (const range of ranges) {
      this.requests.push({ start: range.start, end: range.end });
      for (let start = range.start; start < range.end; start += this.#pieceBytes) {
        yield { start, data: Buffer.from(this.#bytes.subarray(start, Math.min(range.end, start + this.#pieceBytes))) };
      }
    }
  }
}

export interface LayerFixture {
  layer: Layer;
  bytes: Buffer;
}

/** A stored layer, and its descriptor as a manifest has it. */
export function layerFixture(file: string): LayerFixture {
  const found = layersSchema.parse(JSON.parse(readFileSync(new URL('layers.json', FIXTURES), 'utf8')))[file];
  if (found === undefined) throw new Error(`no fixture ${file}`);
  const { mediaType, digest, size, annotations, diffId } = found;
  return {
    layer: {
      mediaType,
      digest: parseDigest(digest, file),
      sizeBytes: size,
      annotations,
      diffId: parseDigest(diffId, file),
    },
    bytes: readFileSync(new URL(file, FIXTURES)),
  };
}

/** The whole tar stream of a packed layer. */
export async function tarOf({ layer, bytes }: LayerFixture): Promise<Buffer> {
  const parts: Buffer[] = [];
  const stream = (async function* () {
    yield bytes;
  })();
  for await (const part of unpackedLayer(layer, stream)) parts.push(part);
  return Buffer.concat(parts);
}

/** What a tar stream holds, by its own headers and bytes. */
export async function indexOfTar(tar: Buffer, diffId: Digest = digestOf(tar)): Promise<LayerIndex> {
  const indexer = new LayerIndexer({ diffId });
  const reader = new TarReader();
  for (const event of reader.push(tar)) indexer.handle(event);
  reader.finish();
  await indexer.end();
  if (indexer.index === undefined) throw new Error('no index');
  return indexer.index;
}

/** The contents of a tar stream by their digest. */
export function contentsOfTar(tar: Buffer): Map<Digest, Buffer> {
  const contents = new Map<Digest, Buffer>();
  let parts: Buffer[] = [];
  for (const event of new TarReader().push(tar)) {
    if (event.kind === 'entry') parts = [];
    else if (event.kind === 'data') parts.push(Buffer.from(event.bytes));
    else {
      const bytes = Buffer.concat(parts);
      contents.set(digestOf(bytes), bytes);
    }
  }
  return contents;
}

/** Entries as plain values without the pieces, which the tar stream itself doesn't have. */
export function plainEntries({ entries }: LayerIndex): unknown[] {
  return entries.map(({ header, content }) => ({
    ...header,
    xattrs: Object.fromEntries([...header.xattrs].map(([name, value]) => [name, value.toString('hex')])),
    ...(content !== undefined && {
      content: { digest: content.digest, sizeBytes: content.sizeBytes, extents: content.extents },
    }),
  }));
}

/** Everything that a layer's entries can ask its source for. */
export function allChunks({ entries }: LayerIndex): Set<Digest> {
  return new Set(entries.flatMap(({ content }) => (content?.chunks ?? []).map(({ digest }) => digest)));
}

export async function fetchAll(source: ChunkSource, digests: ReadonlySet<Digest>): Promise<Map<Digest, Buffer>> {
  const chunks = new Map<Digest, Buffer>();
  for await (const { digest, bytes } of source.fetch(digests)) {
    if (chunks.has(digest)) throw new Error(`${digest} came twice`);
    chunks.set(digest, Buffer.from(bytes));
  }
  return chunks;
}

/** Puts contents together from chunks. */
export function joined(chunks: ReadonlyMap<Digest, Buffer>) {
  return async function* (content: FileContent): AsyncGenerator<Buffer> {
    for (const { digest } of content.chunks ?? []) yield chunks.get(digest) ?? Buffer.alloc(0);
  };
}
