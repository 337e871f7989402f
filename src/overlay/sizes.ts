// How large a COW should be: a full cover where there is room, so that it can't overflow, and never a size with which the
// kernel breaks a snapshot when it is full.

import { HoldfastError } from '../system/errors.ts';
import { CHUNK_BYTES, chunksOf, entriesPerArea, fullCover, goodSize } from './cow-geometry.ts';

const ENTRIES = entriesPerArea(CHUNK_BYTES);
export const MIB = 1 << 20;
/** What is worth beginning with. */
export const SMALLEST_COW_BYTES = 8 * MIB;

/** The size of a COW that takes every chunk of a base: the base, 0.4 % and 8 KiB. */
export function fullCoverBytes(baseBytes: number): number {
  return fullCover(chunksOf(baseBytes, CHUNK_BYTES), ENTRIES) * CHUNK_BYTES;
}

/** The size in whole chunks, one more where it would be a bad one. */
export function goodBytes(bytes: number): number {
  return goodSize(chunksOf(bytes, CHUNK_BYTES), ENTRIES) * CHUNK_BYTES;
}

/** How much a COW grows by when it has to: a quarter, at least 256 MiB, never above a full cover. */
export function grownBytes(sizeBytes: number, baseBytes: number): number {
  const grown = goodBytes(sizeBytes + Math.max(sizeBytes * 0.25, 256 * MIB));
  return Math.max(sizeBytes, Math.min(grown, fullCoverBytes(baseBytes)));
}

/**
 * Reads a size: `300M`, `2G`, `512MiB`, `1048576`.
 * @throws HoldfastError HF-USAGE for anything else.
 */
export function parseSize(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,12})(?:([kKmMgGtT])(?:i?[bB])?)?$/.exec(text) ?? [];
  const bytes = Number(digits) * 1024 ** (unit === '' ? 0 : 'kmgt'.indexOf(unit.toLowerCase()) + 1);
  if (digits === undefined || !Number.isSafeInteger(bytes) || bytes === 0) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(text)} is no size`, { hint: 'write 300M or 2G' });
  }
  return bytes;
}
