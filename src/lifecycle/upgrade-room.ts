// Room for an upgrade: what an earlier one has fetched counts as free where it is of another image, and where there is no
// other way. What nobody vouches for is no reason to refuse: an index that says that the new system is huge costs the
// difference, not the upgrade.

import type { Image } from '../image/image.ts';
import { fetchedBytes, unfinishedBytes } from '../slots/swap.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { plannedBytes } from './planned-record.ts';
import type { Session } from './session.ts';
import { formatBytes } from './sizes.ts';

/** The digests by which what was fetched of an image is kept. */
export function fetchedDigests(image: Image): string[] {
  return image.kind === 'oci' ? [image.digest, ...image.layers.map(({ digest }) => digest)] : [];
}

/**
 * Asks for room: beside what was fetched of this image, else without it.
 * @param ask throws HF-NO-SPACE when what is free and can be removed (in bytes) isn't enough.
 * @returns the digests of which what was fetched can stay.
 */
export function askForRoom(
  stateDirectory: string,
  image: Image,
  ask: (reclaimableBytes: number) => void,
): readonly string[] {
  const own = fetchedDigests(image);
  const unfinished = unfinishedBytes(stateDirectory) + plannedBytes(stateDirectory);
  const reclaimable = unfinished + fetchedBytes(stateDirectory, own);
  const all = unfinished + fetchedBytes(stateDirectory);
  try {
    ask(reclaimable);
    return own;
  } catch (error) {
    if (!isNoSpace(error) || all === reclaimable) throw error;
  }
  ask(all);
  return [];
}

/**
 * Says what is given up for room.
 * @param kept what {@link askForRoom} found.
 */
export function sayWhatGoes(
  session: Pick<Session, 'events'>,
  { stateDirectory, image, kept }: { stateDirectory: string; image: Image; kept: readonly string[] },
): void {
  const bytes = fetchedBytes(stateDirectory) - fetchedBytes(stateDirectory, fetchedDigests(image));
  if (kept.length > 0 || bytes === 0) return;
  const text = `what an earlier upgrade has fetched of this image (${formatBytes(bytes)}) is given up: its room is needed`;
  session.events({ type: 'notice', level: 'info', text });
}

/**
 * Tries what was found; where there is no room for what a difference says the new system needs, the way without one.
 * @param attempt throws HF-NO-SPACE when there is no room.
 */
export async function withRoomFor<S extends { prepared: unknown }, T>(
  session: Pick<Session, 'events'>,
  found: S,
  plain: () => S,
  attempt: (start: S) => Promise<T>,
): Promise<T> {
  try {
    return await attempt(found);
  } catch (error) {
    if (found.prepared === undefined || !isNoSpace(error)) throw error;
    const text = `there is no room for writing only what differs, so the image is taken as a whole: ${messageOf(error)}`;
    session.events({ type: 'notice', level: 'info', text });
  }
  return attempt(plain());
}

export function isNoSpace(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'HF-NO-SPACE';
}
