// Layers in the eStargz format (containerd/stargz-snapshotter, docs/estargz.md): gzip members that begin where the chunks
// of files begin, a table of contents in a tar entry at the end, and a last, empty member that says where it is. The
// manifest's annotation has the digest of the table.

import { gunzipSync } from 'node:zlib';
import type { Layer } from '../blob.ts';
import { digestOf, isDigest } from '../digest.ts';
import type { Repository } from '../repository.ts';
import { TarReader } from '../tarreader.ts';
import type { LayerEntry, SeekableLayer } from '../tree-index.ts';
import { badIndex } from './bad-index.ts';
import type { PackedChunk } from './packed-chunk.ts';
import { RangedChunks } from './ranged-chunks.ts';
import { filesOfToc, layerEntryOf, MAX_TOC_BYTES, packedPiece, parseToc, type TocFile } from './toc.ts';

const ANNOTATION = 'containerd.io/snapshot/stargz/toc.digest';
const NAME = 'eStargz';
/** The name of the table's tar entry; unpacking leaves it in the tree like any other file. */
const TOC_ENTRY = 'stargz.index.json';
/** A gzip member of this length, whose extra field has 16 hex digits and a word. */
const FOOTER_BYTES = 51;
/** Most tables are fetched together with the footer. */
const TAIL_BYTES = 256 << 10;

/** Whether a layer's annotations say that it is in this format. */
export function isEstargz({ annotations }: Pick<Layer, 'annotations'>): boolean {
  return annotations !== undefined && Object.hasOwn(annotations, ANNOTATION);
}

/**
 * Reads the table of contents. The manifest vouches for it: nothing proves the layer by its diffId, since its headers are
 * packed together with its contents. Times are whole seconds, as the format has them.
 * @throws HoldfastError HF-IMAGE for a table that can't be used, HF-UNSUPPORTED and HF-NETWORK.
 */
export async function readEstargz(
  layer: Layer,
  repository: Pick<Repository, 'ranges'>,
  signal?: AbortSignal,
): Promise<SeekableLayer> {
  const tocDigest = layer.annotations?.[ANNOTATION] ?? '';
  if (!isDigest(tocDigest)) throw badIndex('its annotation is wrong');
  const { sizeBytes } = layer;
  const read = (start: number, end: number) => readRange(repository, layer, { start, end }, signal);
  const tailStart = Math.max(0, sizeBytes - TAIL_BYTES);
  const tail = await read(tailStart, sizeBytes);
  const tocStart = tocOffset(tail.subarray(-FOOTER_BYTES));
  const tocEnd = sizeBytes - FOOTER_BYTES;
  if (tocStart >= tocEnd) throw badIndex('its footer points outside the layer');
  if (tocEnd - tocStart > MAX_TOC_BYTES / 2) throw badIndex('its table of contents is too large');
  const packed =
    tocStart >= tailStart
      ? tail.subarray(tocStart - tailStart, tocEnd - tailStart)
      : Buffer.concat([await read(tocStart, tailStart), tail.subarray(0, Math.max(0, tocEnd - tailStart))]);
  const { entry: tocEntry, bytes } = tocInTar(packed.subarray(0, tocEnd - tocStart));
  if (digestOf(bytes) !== tocDigest) throw badIndex('its table of contents has another digest than the manifest says');

  const files = filesOfToc(parseToc(bytes).entries);
  const source = new RangedChunks({
    name: NAME,
    repository,
    blob: layer,
    packing: 'gzip',
    chunks: packedChunks(files, tocStart),
    inline: new Map([[tocDigest, bytes]]),
  });
  return { diffId: layer.diffId, entries: [...files.map(layerEntryOf), tocEntry], source };
}

/** The chunks; the member of each ends where the next member begins. */
function packedChunks(files: readonly TocFile[], tocStart: number): PackedChunk[] {
  const pieces = files.flatMap((file) => file.pieces);
  const starts = [...new Set(pieces.map(({ start }) => start)), tocStart].sort((one, other) => one - other);
  const ends = new Map(starts.map((start, index) => [start, starts[index + 1]]));
  return pieces.map((piece) => {
    const end = ends.get(piece.start);
    if (end === undefined || end > tocStart) throw badIndex('a chunk lies outside its layer');
    return packedPiece(piece, end);
  });
}

/** RFC 1952: ten bytes of header, then the length of the extra field and its subfields. */
function tocOffset(footer: Buffer): number {
  const match = /^([0-9a-f]{16})STARGZ$/.exec(footer.toString('latin1', 16, 38));
  const isMember = footer.length === FOOTER_BYTES && footer.readUInt16BE(0) === 0x1f8b;
  const offset = isMember && match !== null ? Number.parseInt(match[1] ?? '', 16) : Number.NaN;
  if (!Number.isSafeInteger(offset)) throw badIndex('it has no footer of eStargz');
  return offset;
}

/** The table's tar entry, which unpacking makes a file of. */
function tocInTar(packed: Buffer): { entry: LayerEntry; bytes: Buffer } {
  let tar: Buffer;
  try {
    tar = gunzipSync(packed, { maxOutputLength: MAX_TOC_BYTES });
  } catch (cause) {
    throw badIndex('its table of contents is not packed with gzip', cause);
  }
  const reader = new TarReader();
  let entry: LayerEntry | undefined;
  const parts: Buffer[] = [];
  for (const event of reader.push(tar)) {
    if (event.kind === 'entry' && entry === undefined) entry = { header: event.entry };
    else if (event.kind === 'entry') throw badIndex('something follows its table of contents');
    else if (event.kind === 'data') parts.push(event.bytes);
  }
  reader.finish();
  if (entry?.header.name !== TOC_ENTRY || entry.header.type !== 'file') throw badIndex('its footer points elsewhere');
  const bytes = Buffer.concat(parts);
  const digest = digestOf(bytes);
  const content = { digest, sizeBytes: bytes.length, chunks: [{ digest, sizeBytes: bytes.length }] };
  return { entry: { ...entry, content }, bytes };
}

async function readRange(
  repository: Pick<Repository, 'ranges'>,
  layer: Layer,
  range: { start: number; end: number },
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const { data } of repository.ranges(layer, [range], { signal })) parts.push(data);
  const bytes = Buffer.concat(parts);
  if (bytes.length !== range.end - range.start) throw badIndex('a part of it is missing');
  return bytes;
}
