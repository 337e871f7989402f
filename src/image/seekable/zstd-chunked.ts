// Layers in the zstd:chunked format of containers/storage (pkg/chunked): a zstd frame for each chunk, and behind them, in
// frames that other readers skip, a table of contents and, in newer ones, the tar stream's own bytes ("tar-split"). The
// manifest's annotations say where the table is and what its digest is, so that the footer isn't needed.

import type { Layer } from '../blob.ts';
import { type Digest, digestOf, isDigest } from '../digest.ts';
import type { Repository } from '../repository.ts';
import { decompress, through } from '../streamstage.ts';
import type { SeekableLayer } from '../tree-index.ts';
import { badIndex } from './bad-index.ts';
import { readWithin, streamOf } from './bounded-read.ts';
import type { PackedChunk } from './packed-chunk.ts';
import { RangedChunks } from './ranged-chunks.ts';
import { entriesOfRecipe, proveRecipe } from './recipe.ts';
import { storageChunksOf } from './storage-chunker.ts';
import { parseTarSplit } from './tar-split.ts';
import { filesOfToc, layerEntryOf, MAX_TOC_BYTES, packedPiece, parseToc, type TocFile } from './toc.ts';

/** Since 1.44; up to then without "github", and Debian 12 has such a version. */
const PREFIXES = ['io.github.containers.zstd-chunked.', 'io.containers.zstd-chunked.'];
const NAME = 'zstd:chunked';
/** The only kind of table there is: that of CRFS. */
const TABLE_TYPE = 1;

/** A part of the blob that is packed with zstd. */
interface Section {
  start: number;
  end: number;
  unpackedBytes: number;
}

interface Sections {
  toc: Section;
  tocDigest: Digest;
  tarSplit: Section | undefined;
}

/** Whether a layer's annotations say that it is in this format. */
export function isZstdChunked({ annotations }: Pick<Layer, 'annotations'>): boolean {
  return annotation(annotations, 'manifest-position') !== undefined;
}

/**
 * Reads the table of contents. The manifest vouches for it by the digest in its annotations; where the layer has its tar
 * stream's own bytes too, the layer can be proven by its diffId.
 * @throws HoldfastError HF-IMAGE and HF-DIGEST for a table that can't be used, HF-UNSUPPORTED and HF-NETWORK.
 */
export async function readZstdChunked(
  layer: Layer,
  repository: Pick<Repository, 'ranges'>,
  signal?: AbortSignal,
): Promise<SeekableLayer> {
  const { toc: tocSection, tocDigest, tarSplit } = sectionsOf(layer);
  const sections = tarSplit === undefined ? [tocSection] : [tocSection, tarSplit];
  const packed = await readSections(repository, layer, sections, signal);
  const tocBytes = packed[0] ?? Buffer.alloc(0);
  if (digestOf(tocBytes) !== tocDigest)
    throw badIndex('its table of contents has another digest than the manifest says');
  const toc = parseToc(await unpackSection(tocBytes, tocSection));
  const files = filesOfToc(toc.entries);
  const source = new RangedChunks({
    name: NAME,
    repository,
    blob: layer,
    packing: 'zstd',
    chunks: files.flatMap((file) => packedChunks(file, tocSection.start)),
    split: storageChunksOf,
  });
  const entries = files.map(layerEntryOf);
  const split = packed[1];
  if (tarSplit === undefined || split === undefined) return { diffId: layer.diffId, entries, source };
  // 1.48 has the digest in an annotation. What the data makes must be the layer in any case.
  const splitDigest = toc.tarSplitDigest ?? annotation(layer.annotations, 'tarsplit-checksum');
  if (splitDigest !== undefined && digestOf(split) !== splitDigest) {
    throw badIndex('its tar-split data has another digest than the manifest says');
  }
  const recipe = { diffId: layer.diffId, pieces: parseTarSplit(await unpackSection(split, tarSplit), files) };
  // The real headers: the table leaves out what it has no field for.
  const { entries: exact, pieces } = entriesOfRecipe(recipe);
  const proven = { diffId: layer.diffId, pieces };
  return { diffId: layer.diffId, entries: exact, source, prove: (read) => proveRecipe(proven, read) };
}

/** The chunks of a file; each one's packed bytes end where the next one's begin. */
function packedChunks({ entry, pieces }: TocFile, limit: number): PackedChunk[] {
  return pieces.map((piece, index) => {
    const end = pieces[index + 1]?.start ?? entry.endOffset ?? 0;
    if (!piece.isZeros && (end <= piece.start || end > limit)) throw badIndex('a chunk lies outside its layer');
    return packedPiece(piece, end);
  });
}

function sectionsOf({ annotations, sizeBytes }: Layer): Sections {
  const position = annotation(annotations, 'manifest-position') ?? '';
  const match = /^(\d{1,15}):(\d{1,15}):(\d{1,15}):(\d{1,9})$/.exec(position);
  const tocDigest = annotation(annotations, 'manifest-checksum') ?? '';
  if (match === null || !isDigest(tocDigest)) throw badIndex('its annotations are wrong');
  if (Number(match[4]) !== TABLE_TYPE) throw badIndex(`its table of contents has the unknown type ${match[4]}`);
  const splitPosition = annotation(annotations, 'tarsplit-position');
  const split = splitPosition === undefined ? null : /^(\d{1,15}):(\d{1,15}):(\d{1,15})$/.exec(splitPosition);
  return {
    toc: sectionOf(match, sizeBytes),
    tocDigest,
    tarSplit: split === null ? undefined : sectionOf(split, sizeBytes),
  };
}

function sectionOf([, offset, length, unpacked]: RegExpExecArray, blobBytes: number): Section {
  const [start, end, unpackedBytes] = [Number(offset), Number(offset) + Number(length), Number(unpacked)];
  if (end > blobBytes || end === start) throw badIndex('its annotations point outside the layer');
  if (end - start > MAX_TOC_BYTES / 2 || unpackedBytes > MAX_TOC_BYTES) throw badIndex('its tables are too large');
  return { start, end, unpackedBytes };
}

async function readSections(
  repository: Pick<Repository, 'ranges'>,
  layer: Layer,
  sections: readonly Section[],
  signal: AbortSignal | undefined,
): Promise<Buffer[]> {
  const parts = sections.map((): Buffer[] => []);
  for await (const { start, data } of repository.ranges(layer, sections, { signal })) {
    const index = sections.findIndex((section) => start >= section.start && start < section.end);
    parts[index]?.push(data);
  }
  return parts.map((part) => Buffer.concat(part));
}

function unpackSection(packed: Buffer, { unpackedBytes }: Section): Promise<Buffer> {
  return readWithin(through(streamOf(packed), decompress('zstd')), unpackedBytes, 'its tables');
}

function annotation(annotations: Layer['annotations'], key: string): string | undefined {
  for (const prefix of PREFIXES) {
    const name = `${prefix}${key}`;
    if (annotations !== undefined && Object.hasOwn(annotations, name)) return annotations[name];
  }
  return undefined;
}
