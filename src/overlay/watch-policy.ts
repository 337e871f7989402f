// When a COW that fills is grown, and when the root is made read-only before it overflows. Pure. After an overflow growing
// is too late for this boot, and without a journal writes are lost without a word; so it must happen before.

import { CHUNK_BYTES, entriesPerArea, isBadSize } from './cow-geometry.ts';
import { fullCoverBytes, grownBytes, MIB } from './sizes.ts';
import type { SnapshotStatus } from './snapshot-status.ts';

export const LOG_AT = 0.7;
export const GROW_AT = 0.85;
/** So much is kept free for the next boot: it replays the journal into the view, which takes blocks too. */
const KEPT = { part: 0.05, bytes: 8 * MIB, mostPart: 0.25 };

export interface WatchFacts {
  status: SnapshotStatus;
  /** Of the COW file. */
  sizeBytes: number;
  baseBytes: number;
  /** On the COW's file system, beyond what is kept for it. */
  freeBytes: number;
  /** Growing was tried and failed. */
  cannotGrow: boolean;
  /** The root is read-only already. */
  readOnly: boolean;
}

export type WatchStep =
  | { step: 'none' }
  | { step: 'log'; message: string }
  | { step: 'grow'; toBytes: number; message: string }
  | { step: 'stop'; message: string }
  /** It is too late; the owner has to be told. */
  | { step: 'tell'; message: string };

/** What to do now. */
export function decideWatch(facts: WatchFacts): WatchStep {
  const { status, sizeBytes, baseBytes, freeBytes, readOnly } = facts;
  if (status.state === 'overflow') {
    return { step: 'tell', message: 'the overlay is full and takes no more changes: make room on its disk and reboot' };
  }
  if (status.state !== 'ok') {
    return { step: 'tell', message: `the overlay is broken (${status.state}): reboot, then holdfast overlay repair` };
  }
  if (cannotOverflow(sizeBytes, baseBytes)) return { step: 'none' };
  const used = status.allocatedBytes / status.totalBytes;
  const percent = `${Math.floor(used * 100)} %`;
  if (used < LOG_AT) return { step: 'none' };
  const isShort = status.totalBytes - status.allocatedBytes <= keptBytes(status.totalBytes);
  if ((used >= GROW_AT || isShort) && !facts.cannotGrow) {
    const toBytes = roomFor(sizeBytes, baseBytes, freeBytes);
    if (toBytes > sizeBytes)
      return { step: 'grow', toBytes, message: `the overlay was ${percent} full: it gets more room` };
  }
  if (isShort && !readOnly) {
    return {
      step: 'stop',
      message: `the overlay is ${percent} full and can’t grow: / is read-only now, so that nothing is lost`,
    };
  }
  return { step: 'log', message: `the overlay is ${percent} full` };
}

/** 8 MiB, at least a twentieth; of a small COW no more than a quarter. */
export function keptBytes(totalBytes: number): number {
  return Math.max(totalBytes * KEPT.part, Math.min(KEPT.bytes, totalBytes * KEPT.mostPart));
}

/** Whether a COW takes every chunk of its base. */
export function cannotOverflow(sizeBytes: number, baseBytes: number): boolean {
  return sizeBytes >= fullCoverBytes(baseBytes);
}

/** The wished growth, or what there is room for if that is worth it. */
function roomFor(sizeBytes: number, baseBytes: number, freeBytes: number): number {
  const wished = grownBytes(sizeBytes, baseBytes);
  if (wished - sizeBytes <= freeBytes) return wished;
  const chunks = Math.floor((sizeBytes + freeBytes) / CHUNK_BYTES);
  const possible = (isBadSize(chunks, entriesPerArea(CHUNK_BYTES)) ? chunks - 1 : chunks) * CHUNK_BYTES;
  // A twentieth more gives the owner time to react; less would only be asked for again at once.
  return possible - sizeBytes >= sizeBytes / 20 ? possible : sizeBytes;
}

/** How long to wait before the next look: the fuller, the shorter; one that can't grow is lost in seconds. */
export function watchIntervalMs(used: number, cannotGrow: boolean): number {
  if (cannotGrow && used >= LOG_AT) return 200;
  if (used < 0.5) return 10_000;
  return used < LOG_AT ? 4_000 : 1_000;
}
