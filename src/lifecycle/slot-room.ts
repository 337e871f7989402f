// Room in a slot whose size was estimated: it is enlarged while it is filled when it turns out too small, and in the end
// when too little is left for the owner's packages. An image is read once, so nobody knows its size before.

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MIB } from '../slots/partitions.ts';
import { filledBytes, growSlotFile, headroom, RESERVE_BYTES } from '../slots/slot-file.ts';
import { HoldfastError } from '../system/errors.ts';
import { freeBytes } from '../system/filesystems.ts';
import type { ApplyContext } from '../system/plan.ts';
import { formatBytes } from './sizes.ts';

/** What a slot that is full grows by at least, if the partition has it: each time costs a check of the file system. */
const STEP_BYTES = 512 * MIB;
/** Less growth than this isn't worth that. */
const LEAST_BYTES = 16 * MIB;

/**
 * The size that a full slot shall get. Pure.
 * @param freeOnPartition beside the slot, in bytes.
 * @returns undefined when the partition has nothing left to give.
 */
export function enlargedSize(sizeBytes: number, freeOnPartition: number): number | undefined {
  const wanted = Math.max(STEP_BYTES, sizeBytes * 0.5);
  const more = Math.floor(Math.min(wanted, freeOnPartition - RESERVE_BYTES) / MIB) * MIB;
  return more >= LEAST_BYTES ? sizeBytes + more : undefined;
}

/**
 * The size that a filled slot shall have, so that the owner has room; as it is where only little is missing. Pure.
 * @param filled what the slot holds, in bytes.
 */
export function finishedSize(sizeBytes: number, filled: number, freeOnPartition: number): number {
  const wanted = headroom(filled);
  if (sizeBytes - filled >= wanted * 0.8) return sizeBytes;
  const more = Math.min(filled + wanted - sizeBytes, freeOnPartition - RESERVE_BYTES);
  return more >= LEAST_BYTES ? sizeBytes + Math.floor(more / MIB) * MIB : sizeBytes;
}

/**
 * Enlarges a full slot that is not mounted.
 * @throws HoldfastError HF-NO-SPACE with the figures.
 */
export async function enlargeFullSlot(context: ApplyContext, file: string): Promise<void> {
  const { size } = statSync(file);
  const free = freeBytes(dirname(file));
  const target = enlargedSize(size, free);
  if (target === undefined) {
    throw new HoldfastError(
      'HF-NO-SPACE',
      `the image does not fit: the slot of ${formatBytes(size)} is full, and the partition has ${formatBytes(free)} left`,
      { hint: 'remove what is not needed there, or use a larger partition; what boots was not changed' },
    );
  }
  say(context, `The image is larger than expected: the slot grows from ${formatBytes(size)} to ${formatBytes(target)}`);
  await growSlotFile(file, target);
}

/** Gives a filled slot that is not mounted the room that its owner shall have, as far as the partition has it. */
export async function giveHeadroom(context: ApplyContext, file: string): Promise<void> {
  const { size } = statSync(file);
  const filled = filledBytes(file);
  const target = finishedSize(size, filled, freeBytes(dirname(file)));
  if (target === size) return;
  say(context, `The slot grows to ${formatBytes(target)}, of which ${formatBytes(target - filled)} are free`);
  await growSlotFile(file, target);
}

function say({ events }: ApplyContext, text: string): void {
  events({ type: 'notice', level: 'info', text });
}
