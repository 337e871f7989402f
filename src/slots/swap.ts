// The swap: how a finished transition becomes the active slot. At every instant both names exist and each is a
// complete system, for Linux and for GRUB, which never replays a journal: hence a freeze after each rename that must
// not be seen out of order.

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { freezeAndThaw, fsyncPath, linkDurably, renameDurably } from '../system/durable.ts';
import { pristineFile, RUNNING_FILE, SLOT_FILES, SLOT_LABELS, TRANSITION_FILE } from './names.ts';
import { cloneSlotFile, labelSlotFile, tryCloneSlotFile } from './slot-file.ts';

/**
 * Makes the passive slot what the active one is: a clone with its own label, or, where the filesystem can't clone, the
 * same file under both names. The file that is in use is only read.
 * @param stateDirectory where COS_STATE is mounted.
 */
export async function copyActiveToPassive(stateDirectory: string): Promise<void> {
  const active = join(stateDirectory, SLOT_FILES.active);
  const passive = join(stateDirectory, SLOT_FILES.passive);
  const fresh = `${passive}.new`;
  if (tryCloneSlotFile(active, fresh)) await labelSlotFile(fresh, SLOT_LABELS.passive);
  else linkDurably(active, fresh);
  renameDurably(fresh, passive);
  await freezeAndThaw(stateDirectory);
}

/**
 * Makes the transition the active slot. It must be unmounted, checked and labelled.
 * @param options.keepRunning the old active file is in use and gets a second name.
 */
export async function activateTransition(stateDirectory: string, options: { keepRunning: boolean }): Promise<void> {
  const transition = join(stateDirectory, TRANSITION_FILE);
  const active = join(stateDirectory, SLOT_FILES.active);
  fsyncPath(transition);
  if (options.keepRunning) {
    const running = join(stateDirectory, RUNNING_FILE);
    rmSync(running, { force: true });
    linkDurably(active, running);
  }
  renameDurably(transition, active);
  await freezeAndThaw(stateDirectory);
}

/** Keeps the transition's present content as the pristine of an image. It must be unmounted. */
export async function keepPristine(stateDirectory: string, digest: string): Promise<void> {
  const pristine = join(stateDirectory, pristineFile(digest));
  await cloneSlotFile(join(stateDirectory, TRANSITION_FILE), `${pristine}.new`);
  renameDurably(`${pristine}.new`, pristine);
}

/**
 * Removes what an earlier, interrupted action left in /cOS, and pristines of images that no slot holds any more.
 * @param options.keepRunning whether the running system was booted from a file that has been replaced since.
 */
export function removeLeftovers(
  stateDirectory: string,
  options: { keepDigests: readonly string[]; keepRunning: boolean },
): string[] {
  const directory = dirname(join(stateDirectory, TRANSITION_FILE));
  mkdirSync(directory, { recursive: true });
  const keep = new Set(options.keepDigests.map((digest) => basename(pristineFile(digest))));
  const removed = readdirSync(directory).filter(
    (name) =>
      name === basename(TRANSITION_FILE) ||
      name.endsWith('.img.new') ||
      (name === basename(RUNNING_FILE) && !options.keepRunning) ||
      (name.startsWith('pristine-') && name.endsWith('.img') && !keep.has(name)),
  );
  for (const name of removed) rmSync(join(directory, name));
  return removed;
}

/** Whether the pristine of an image is there. */
export function hasPristine(stateDirectory: string, digest: string): boolean {
  return existsSync(join(stateDirectory, pristineFile(digest)));
}
