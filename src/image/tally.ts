// What files need on a disk, added up one after the other.

import type { TarEntry } from './tarreader.ts';

export interface Tally {
  /** Content of files, each rounded up to whole blocks of 4096 bytes. */
  contentBytes: number;
  /** Files, directories, links and so on; names of hard links count once. */
  entries: number;
}

const BLOCK_BYTES = 4096;

/** Counts an entry of a layer. Holes are not counted, hard links have no content of their own. */
export function addEntry(tally: Tally, entry: TarEntry): void {
  if (entry.type !== 'hardlink') addFile(tally, entry.storedBytes);
}

/** Counts a file with this much content, or anything else that has a name, with none. */
export function addFile(tally: Tally, contentBytes: number): void {
  tally.entries += 1;
  tally.contentBytes += Math.ceil(contentBytes / BLOCK_BYTES) * BLOCK_BYTES;
}
