// A view becomes a COW: what differs between a base and the view that was made from it is written beside the set's other
// files, put on the disk, read back, and only then called ready. Until the name is there, nothing boots with it.

import { renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Binding, writeBinding } from '../overlay/binding.ts';
import { createCowFromDifference } from '../overlay/difference.ts';
import { type Fingerprint, readFingerprint, sizeOfBase } from '../overlay/fingerprint.ts';
import { cowFile, sidecarFile, triesFile, unfinishedFile } from '../overlay/names.ts';
import { fullCoverBytes, goodBytes } from '../overlay/sizes.ts';
import { checkSlotFile } from '../slots/slot-file.ts';
import { fsyncPath } from '../system/durable.ts';
import { freeBytes, probeFilesystem } from '../system/filesystems.ts';
import type { ApplyContext } from '../system/plan.ts';
import { asBytes } from './carry-trees.ts';
import { refuseCarry, WITHOUT_OVERLAY } from './overlay-exit.ts';
import { formatBytes } from './sizes.ts';

const MIB = 1 << 20;
/** An overlay that doesn't cover all of its base has at least so much. */
const LEAST_BYTES = 256 * MIB;
/** Stays free beside it. */
const RESERVE_BYTES = 16 * MIB;

/** Room on the overlay's disk, the best first: for two COWs that cover all of their base, or for what has to be. */
function wantedRoom(baseBytes: number, changedBytes: number, copies: number): number[] {
  return [2 * fullCoverBytes(baseBytes), copies * leastBytes(baseBytes, changedBytes)].map(
    (bytes) => bytes + RESERVE_BYTES,
  );
}

/** The changes themselves with their tables, and a little to go on with. */
function leastBytes(baseBytes: number, changedBytes: number): number {
  return Math.min(fullCoverBytes(baseBytes), changedBytes + changedBytes / 128 + MIB);
}

/**
 * How large a COW is made. Pure. It covers all of its base where there is room for that twice, since the shutdown writes
 * another one before it lets go of the first; such a one can't overflow.
 * @param changedBytes what it holds from the start.
 * @param freeOnDisk in bytes.
 * @param copies how many such there will be at a time.
 * @returns undefined when there is no room.
 */
export function cowSize(baseBytes: number, changedBytes: number, freeOnDisk: number, copies = 1): number | undefined {
  const full = fullCoverBytes(baseBytes);
  const room = freeOnDisk - RESERVE_BYTES;
  if (room >= 2 * full) return full;
  const wanted = Math.min(full, Math.max(2 * changedBytes, LEAST_BYTES));
  const least = leastBytes(baseBytes, changedBytes);
  if (room < copies * least) return undefined;
  return goodBytes(Math.max(least, Math.min(wanted, room / 2)));
}

export interface SealedView {
  cow: string;
  sizeBytes: number;
  changedBytes: number;
  /** It stays even if the plan fails: what boots needs it now. */
  keep: () => void;
}

/**
 * Writes the COW of a view.
 * @param options.view the view's file; unmounted.
 * @param options.replaces it takes the place of the COW that this base has.
 * @throws HoldfastError with the exit status for no space.
 */
export async function sealView(
  context: Pick<ApplyContext, 'undo' | 'signal' | 'progress'>,
  options: {
    base: string;
    view: string;
    set: string;
    parent: Fingerprint;
    now: string;
    replaces?: boolean;
    /** So many will be there at a time: the shutdown writes another one. */
    copies?: number;
    /** Asked before the room is looked at. */
    makeRoom?: (wantedBytes: readonly number[]) => void;
  },
): Promise<SealedView> {
  const { base, view, set, parent, now, replaces = false, copies = 1, makeRoom } = options;
  const { undo, signal } = context;
  await checkSlotFile(view);
  const fingerprint = readFingerprint(base);
  const cow = cowFile(set, fingerprint);
  const fresh = unfinishedFile(cow);
  rmSync(fresh, { force: true });
  const baseSizeBytes = sizeOfBase(base);
  const forgetFresh = undo.onFailure(`remove ${fresh}`, () => rmSync(fresh, { force: true }));
  const written = await createCowFromDifference({
    base,
    modified: view,
    to: fresh,
    sizeFor: (changedBytes) => {
      makeRoom?.(wantedRoom(baseSizeBytes, changedBytes, copies));
      const size = cowSize(baseSizeBytes, changedBytes, freeBytes(dirname(set)), copies);
      if (size === undefined) throw noRoom(set, changedBytes);
      return size;
    },
    signal,
    progress: asBytes(context),
  });
  const binding: Binding = {
    fingerprint,
    baseSizeBytes,
    created: now,
    parent,
    state: 'building',
    note: 'an upgrade was writing it; it is made anew by the next one',
    filesystem: (await probeFilesystem(base)).type ?? 'ext4',
  };
  let keep = () => {};
  if (!replaces) {
    keep = undo.onFailure(`remove ${cow}`, () => {
      for (const file of [cow, sidecarFile(cow)]) rmSync(file, { force: true });
    });
    // A COW whose sidecar says so is never attached.
    writeBinding(sidecarFile(cow), binding);
  }
  fsyncPath(fresh);
  renameSync(fresh, cow);
  forgetFresh();
  rmSync(triesFile(cow), { force: true });
  fsyncPath(dirname(cow));
  const { note: _, ...finished } = binding;
  writeBinding(sidecarFile(cow), { ...finished, state: 'ready' });
  return { cow, ...written, keep };
}

function noRoom(set: string, changedBytes: number): Error {
  const directory = dirname(set);
  return refuseCarry(
    'noSpace',
    `the overlay's changes (${formatBytes(changedBytes)}) don't fit beside ${set}: ${formatBytes(freeBytes(directory))} are free there`,
    `make room on that disk, ${WITHOUT_OVERLAY}`,
  );
}
