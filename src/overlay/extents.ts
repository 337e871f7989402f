// Where a file's bytes lie on its disk, asked of filefrag(8). Two files on one reflink file system that share a block have
// the same bytes there, so that a clone and its original need comparing only where they no longer share.

import { statSync } from 'node:fs';
import { run } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';

/** One piece of a file that is stored: in bytes. */
export interface Extent {
  at: number;
  bytes: number;
  /** On the disk. */
  physical: number;
}

/** In units of 512 bytes. */
const LINE = /^\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\.\s*(\d+):\s*(\d+):\s*(?:\d+:)?\s*([a-z_,]*)\s*$/;
/** Where the physical place says nothing certain about the bytes. */
const UNCERTAIN = /unknown|delalloc|encoded|encrypted|inline|not_aligned|not-aligned|tail|merged/;

/**
 * Reads the output of `filefrag -v -b512`. What is allocated but unwritten reads as zeros, like a hole, and is left out.
 * @returns undefined when it isn't understood, or when an extent's place is uncertain.
 */
export function parseFilefrag(text: string): Extent[] | undefined {
  if (!/ blocks? of 512 bytes\)/.test(text)) return undefined;
  const extents: Extent[] = [];
  for (const line of text.split('\n')) {
    if (!/^\s*\d+:/.test(line)) continue;
    const [, first, , physical, , length, flags = ''] = LINE.exec(line) ?? [];
    if (first === undefined || physical === undefined || length === undefined || UNCERTAIN.test(flags))
      return undefined;
    if (flags.includes('unwritten')) continue;
    extents.push({ at: Number(first) * 512, bytes: Number(length) * 512, physical: Number(physical) * 512 });
  }
  return extents;
}

/** A range of bytes. */
export interface Range {
  from: number;
  to: number;
}

/** Where two files of `sizeBytes` may differ: everything but what they share and where both have nothing. */
export function unsharedRanges(a: readonly Extent[], b: readonly Extent[], sizeBytes: number): Range[] {
  const cuts = [...a, ...b].flatMap(({ at, bytes }) => [at, at + bytes]);
  const points = [...new Set([0, sizeBytes, ...cuts])].filter((point) => point <= sizeBytes).sort((x, y) => x - y);
  const [placeInA, placeInB] = [placeFinder(a), placeFinder(b)];
  const ranges: Range[] = [];
  for (const [index, from] of points.entries()) {
    const to = points[index + 1];
    if (to === undefined || placeInA(from) === placeInB(from)) continue;
    const last = ranges.at(-1);
    if (last?.to === from) last.to = to;
    else ranges.push({ from, to });
  }
  return ranges;
}

/** Asked with growing places only. */
function placeFinder(extents: readonly Extent[]): (at: number) => number | undefined {
  const sorted = [...extents].sort((x, y) => x.at - y.at);
  let index = 0;
  return (at) => {
    while (index < sorted.length && at >= (sorted[index]?.at ?? 0) + (sorted[index]?.bytes ?? 0)) index += 1;
    const extent = sorted[index];
    return extent === undefined || at < extent.at ? undefined : extent.physical + at - extent.at;
  };
}

/** Where two files may differ; undefined when that can't be found out and all has to be compared. */
export async function findUnshared(a: string, b: string): Promise<Range[] | undefined> {
  const [statA, statB] = [statSync(a), statSync(b)];
  if (statA.dev !== statB.dev || statA.size !== statB.size || findProgram('filefrag') === undefined) return undefined;
  const maps: Extent[][] = [];
  for (const file of [a, b]) {
    // -s: what is only in memory yet has no place.
    const result = await run(['filefrag', '-s', '-v', '-b512', file], { maxOutputBytes: 64 << 20 });
    const extents = result.status === 0 ? parseFilefrag(result.stdout) : undefined;
    if (extents === undefined) return undefined;
    maps.push(extents);
  }
  return unsharedRanges(maps[0] ?? [], maps[1] ?? [], statA.size);
}
