// Sparse files in tar streams: which part of a file the stored bytes belong to. Four notations exist: old GNU headers
// and three generations of PAX keys (GNU tar manual, "Storing Sparse Files").

import type { SparseOverrides } from './pax.ts';
import { wholeNumber } from './pax.ts';
import { BLOCK, malformedTar, number } from './tarheader.ts';

/** A run of stored bytes; what lies between the runs is a hole. */
export interface Extent {
  offset: number;
  length: number;
}

/** Notes that bytes are stored there, behind all that were noted before. */
export function addRun(extents: Extent[], offset: number, length: number): void {
  const last = extents.at(-1);
  if (last !== undefined && last.offset + last.length === offset) last.length += length;
  else extents.push({ offset, length });
}

/** As many runs as are accepted in one file; each takes memory until its file is written. */
const MAX_EXTENTS = 1 << 18;

/** Whether the stored bytes begin with the map itself (PAX format 1.0). */
export function mapIsInData(sparse: SparseOverrides): boolean {
  return sparse.version === '1.0';
}

/** The map of PAX formats 0.0 and 0.1; undefined when the file isn't sparse. */
export function extentsOfPax(sparse: SparseOverrides): Extent[] | undefined {
  if (sparse.realSizeBytes === undefined && sparse.map.length === 0) return undefined;
  return extentsOf(sparse.map);
}

/**
 * Reads the map at the beginning of a file's stored bytes (PAX format 1.0): decimal numbers, one a line, the first
 * of which counts the runs, padded to whole blocks.
 * @returns the runs and the length of the map in bytes, or undefined when more bytes are needed.
 */
export function extentsInData(data: Buffer): { extents: Extent[]; mapBytes: number } | undefined {
  const numbers: string[] = [];
  let at = 0;
  let wanted = 1;
  while (numbers.length < wanted) {
    const end = data.indexOf(0x0a, at);
    if (end === -1) return undefined;
    numbers.push(data.toString('latin1', at, end));
    if (numbers.length === 1) wanted = 1 + 2 * Math.min(wholeNumber(numbers[0] ?? '', 'a sparse map'), MAX_EXTENTS + 1);
    at = end + 1;
  }
  const mapBytes = Math.ceil(at / BLOCK) * BLOCK;
  if (data.length < mapBytes) return undefined;
  return { extents: extentsOf(numbers.slice(1)), mapBytes };
}

/** The four runs in an old GNU header, or the 21 in a continuation block, and whether another block follows. */
export function extentsOfGnuBlock(
  block: Buffer,
  kind: 'header' | 'continuation',
): { extents: Extent[]; more: boolean } {
  const [start, slots, flagAt] = kind === 'header' ? [386, 4, 482] : [0, 21, 504];
  const extents: Extent[] = [];
  for (let slot = 0; slot < slots; slot++) {
    const at = start + 24 * slot;
    if (block[at] === 0) break;
    extents.push({ offset: number(block, at, 12, 'sparse map'), length: number(block, at + 12, 12, 'sparse map') });
  }
  return { extents, more: block[flagAt] !== 0 };
}

/** The file's size in an old GNU sparse header. */
export function gnuRealSize(block: Buffer): number {
  return number(block, 483, 12, 'size');
}

/** Runs must ascend, not overlap, end inside the file and be as long as what is stored. */
export function checkExtents(extents: readonly Extent[], realSizeBytes: number, storedBytes: number): void {
  if (extents.length > MAX_EXTENTS) throw malformedTar(`a sparse file has more than ${MAX_EXTENTS} pieces`);
  let end = 0;
  let stored = 0;
  for (const { offset, length } of extents) {
    if (offset < end || length < 0 || !Number.isSafeInteger(offset + length) || offset + length > realSizeBytes) {
      throw malformedTar('the map of a sparse file is wrong');
    }
    end = offset + length;
    stored += length;
  }
  if (stored !== storedBytes) throw malformedTar('the map of a sparse file does not fit its content');
}

function extentsOf(numbers: readonly string[]): Extent[] {
  const extents: Extent[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    extents.push({
      offset: wholeNumber(numbers[i] ?? '', 'a sparse map'),
      length: wholeNumber(numbers[i + 1] ?? '', 'a sparse map'),
    });
  }
  if (numbers.length % 2 !== 0) throw malformedTar('the map of a sparse file is wrong');
  return extents;
}
