// How much space an image will need, without reading its layers: they come over a network, and are read once, when they
// are unpacked. What packers leave behind says how long the tar stream is; where nothing does, it is guessed. Whoever
// relies on it must be able to give more room later.

import { HoldfastError } from '../system/errors.ts';
import type { Layer } from './blob.ts';
import type { Image } from './image.ts';
import { type Measure, measureImage } from './measure.ts';
import { type Compression, layerCompression } from './mediatypes.ts';
import type { Repository } from './repository.ts';
import type { Tally } from './tally.ts';

/** Reads parts of a blob. */
export type RangeSource = Pick<Repository, 'ranges'>;

export interface Estimate extends Omit<Measure, 'found'> {
  /** Everything was counted; otherwise it may turn out to be more or less. */
  exact: boolean;
  /** Where the figures come from, for people: `the tar streams' lengths`. */
  basis: string;
}

export interface EstimateOptions {
  /** How many of the lowest layers to leave out; default 0. */
  skipLayers?: number;
  signal?: AbortSignal | undefined;
  /** What is known of a layer from elsewhere, such as an index of its files. */
  known?: ((layer: Layer) => Tally | undefined) | undefined;
}

/** The length of a tar stream, and whether something said it. */
export interface TarLength {
  bytes: number;
  isGuess: boolean;
}

/** Packed layers of systems are rarely less than a third of what is in them. */
const GUESSED_RATIO = 3;
/** For layers below this, a request costs more than a wrong guess. */
const WORTH_ASKING_BYTES = 1 << 20;
const PARALLEL_REQUESTS = 4;
/** The mean of a root file system is about 16 KiB a name: file, directory or link. */
const BYTES_PER_ENTRY = 16 << 10;
/** What a name's content takes on the disk beyond what it takes in a tar stream: whole blocks, but no header. */
const ROUNDING_BYTES = 1536;
/** No header of gzip or zstd that is looked at is longer. */
const HEAD_BYTES = 18;
const GZIP_TRAILER_BYTES = 4;

/**
 * Estimates what an image needs; trees are measured, which costs no reading. At most one small request for each layer.
 * @throws HoldfastError HF-INTERRUPTED, HF-NETWORK and the like; a server that gives no parts of blobs is no error.
 */
export async function estimateImage(image: Image, options: EstimateOptions = {}): Promise<Estimate> {
  const { skipLayers = 0, signal, known } = options;
  if (image.kind === 'tree') {
    const { contentBytes, entries, compressedBytes } = await measureImage(image, { signal });
    return { contentBytes, entries, compressedBytes, exact: true, basis: 'its files' };
  }
  const layers = image.layers.slice(skipLayers);
  const figures: Tally[] = [];
  let hasGuess = false;
  let hasLength = false;
  const pending = [...layers];
  const work = async () => {
    for (let layer = pending.shift(); layer !== undefined; layer = pending.shift()) {
      const counted = known?.(layer);
      if (counted !== undefined) {
        figures.push(counted);
        continue;
      }
      const { bytes, isGuess } = await tarLength(layer, image.repository, signal);
      if (isGuess) hasGuess = true;
      else hasLength = true;
      figures.push(figuresOfTar(bytes));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_REQUESTS }, work));
  return {
    contentBytes: sum(figures, ({ contentBytes }) => contentBytes),
    entries: sum(figures, ({ entries }) => entries),
    compressedBytes: sum(layers, ({ sizeBytes }) => sizeBytes),
    exact: !hasGuess && !hasLength,
    basis: hasGuess ? 'the packed size of its layers' : hasLength ? 'the unpacked size of its layers' : 'its files',
  };
}

/** What the files in a tar stream of this length are expected to need. */
export function figuresOfTar(tarBytes: number): Tally {
  const entries = Math.ceil(tarBytes / BYTES_PER_ENTRY);
  return { contentBytes: tarBytes + entries * ROUNDING_BYTES, entries };
}

/** How long a layer's tar stream is, from the layer's size and at most a few bytes of it. */
export async function tarLength(
  layer: Layer,
  source: RangeSource | undefined,
  signal: AbortSignal | undefined,
): Promise<TarLength> {
  const { sizeBytes } = layer;
  const compression = layerCompression(layer.mediaType) ?? 'gzip';
  const range = askedRange(compression, sizeBytes);
  if (compression === 'none') return { bytes: sizeBytes, isGuess: false };
  if (source === undefined || range === undefined) return guess(sizeBytes);
  const parts: Buffer[] = [];
  try {
    for await (const { data } of source.ranges(layer, [range], { signal })) parts.push(data);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-UNSUPPORTED') return guess(sizeBytes);
    throw error;
  }
  const bytes = Buffer.concat(parts);
  const said = compression === 'gzip' ? lengthInGzipTrailer(bytes, sizeBytes) : lengthInZstdHeader(bytes, sizeBytes);
  return said === undefined ? guess(sizeBytes) : { bytes: said, isGuess: false };
}

function askedRange(compression: Compression, sizeBytes: number): { start: number; end: number } | undefined {
  if (sizeBytes < WORTH_ASKING_BYTES) return undefined;
  if (compression === 'gzip') return { start: sizeBytes - GZIP_TRAILER_BYTES, end: sizeBytes };
  return { start: 0, end: HEAD_BYTES };
}

/**
 * The last four bytes of a gzip member are its unpacked length modulo 2^32 (RFC 1952, ISIZE). Undefined when they can't
 * be that of the whole: files of several members (eStargz) end with that of the last one.
 */
export function lengthInGzipTrailer(trailer: Buffer, packedBytes: number): number | undefined {
  if (trailer.length !== GZIP_TRAILER_BYTES) return undefined;
  const stated = trailer.readUInt32LE();
  const wrap = 2 ** 32;
  const expected = packedBytes * GUESSED_RATIO;
  // The nearest of those that have this remainder.
  const length = stated + wrap * Math.max(0, Math.round((expected - stated) / wrap));
  return isPlausible(length, packedBytes) ? length : undefined;
}

/** The content size in the header of a zstd frame (RFC 8878, 3.1.1.1), if it is there and can be that of the whole. */
export function lengthInZstdHeader(head: Buffer, packedBytes: number): number | undefined {
  if (head.length < HEAD_BYTES || head.readUInt32LE() !== 0xfd2fb528) return undefined;
  const descriptor = head[4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  const length = [
    () => (isSingleSegment ? head[at] : undefined),
    () => head.readUInt16LE(at) + 256,
    () => head.readUInt32LE(at),
    () => Number(head.readBigUInt64LE(at)),
  ][descriptor >> 6]?.();
  return length !== undefined && isPlausible(length, packedBytes) ? length : undefined;
}

/** Whoever packed the layer may say anything: what can't be is no answer. */
function isPlausible(length: number, packedBytes: number): boolean {
  return length >= packedBytes * 0.9 && length <= packedBytes * 40;
}

function guess(packedBytes: number): TarLength {
  return { bytes: packedBytes * GUESSED_RATIO, isGuess: true };
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
