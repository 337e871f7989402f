// The swap: how a finished transition becomes the active slot. At every instant both names exist and each is a
// complete system, for Linux and for GRUB, which never replays a journal: hence a freeze after each rename that must
// not be seen out of order.

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { freezeAndThaw, fsyncPath, renameDurably } from '../system/durable.ts';
import { pristineFile, SLOT_FILES, SLOT_LABELS, TRANSITION_FILE } from './names.ts';
import { cloneSlotFile, labelSlotFile } from './slot-file.ts';

/**
 * Makes the passive slot a copy of the active one. The file that is in use is only read.
 * @param stateDirectory where COS_STATE is mounted.
 */
export async function copyActiveToPassive(stateDirectory: string): Promise<void> {
  const passive = join(stateDirectory, SLOT_FILES.passive);
  const fresh = `${passive}.new`;
  await cloneSlotFile(join(stateDirectory, SLOT_FILES.active), fresh);
  await labelSlotFile(fresh, SLOT_LABELS.passive);
  renameDurably(fresh, passive);
  await freezeAndThaw(stateDirectory);
}

/** Makes the transition the active slot. It must be unmounted, checked and labelled. */
export async function activateTransition(stateDirectory: string): Promise<void> {
  const transition = join(stateDirectory, TRANSITION_FILE);
  fsyncPath(transition);
  renameDurably(transition, join(stateDirectory, SLOT_FILES.active));
  await freezeAndThaw(stateDirectory);
}

/** Keeps the transition's present content as the pristine of an image. It must be unmounted. */
export async function keepPristine(stateDirectory: string, digest: string): Promise<void> {
  const pristine = join(stateDirectory, pristineFile(digest));
  await cloneSlotFile(join(stateDirectory, TRANSITION_FILE), `${pristine}.new`);
  renameDurably(`${pristine}.new`, pristine);
}

/** Removes what an earlier, interrupted action left in /cOS, and pristines of images that no slot holds any more. */
export function removeLeftovers(stateDirectory: string, keepDigests: readonly string[]): string[] {
  const directory = dirname(join(stateDirectory, TRANSITION_FILE));
  mkdirSync(directory, { recursive: true });
  const keep = new Set(keepDigests.map((digest) => basename(pristineFile(digest))));
  const removed = readdirSync(directory).filter(
    (name) =>
      name === basename(TRANSITION_FILE) ||
      name.endsWith('.img.new') ||
      (name.startsWith('pristine-') && name.endsWith('.img') && !keep.has(name)),
  );
  for (const name of removed) rmSync(join(directory, name));
  return removed;
}

/** Whether the pristine of an image is there. */
export function hasPristine(stateDirectory: string, digest: string): boolean {
  return existsSync(join(stateDirectory, pristineFile(digest)));
}
