// Where a medium is put together: a directory of its own on a disk with room. An unpacked system has gigabytes, so what
// lies in memory is never taken unless somebody says so.

import { chmodSync, mkdtempSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { requireSpace } from '../slots/slot-file.ts';
import { HoldfastError } from '../system/errors.ts';
import { listMounts, type Mount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { removeWorkDirectory } from '../system/work-directory.ts';

const IN_MEMORY = ['tmpfs', 'ramfs'];
/** Where what is large and temporary belongs (file-hierarchy(7)). */
const USUAL = '/var/tmp';

export interface WorkPlaceOptions {
  /** The medium; its directory is taken where /var/tmp is in memory. */
  near: string;
  /** What will be in it at the most, for all steps together. */
  needBytes: number;
  /** For the message when there is no room: `the unpacked system`. */
  purpose: string;
  environment?: NodeJS.ProcessEnv | undefined;
}

/**
 * Makes the directory; it is removed with everything in it when the undo stack unwinds, however that comes.
 * @returns its path.
 * @throws HoldfastError HF-NO-SPACE with the figures, HF-TARGET when TMPDIR is no directory.
 */
export function openWorkPlace(undo: UndoStack, options: WorkPlaceOptions): string {
  const parent = chooseWorkParent(options);
  requireSpace(parent, options.needBytes, `${options.purpose} (TMPDIR chooses another place)`);
  const directory = mkdtempSync(join(parent, 'holdfast-media-'));
  undo.always(`remove ${directory}`, () => removeWorkDirectory(directory));
  // What is in it may be secret, whatever modes it has in the image.
  chmodSync(directory, 0o700);
  return directory;
}

/** TMPDIR where it is set; else /var/tmp, or beside the output where that is in memory. */
export function chooseWorkParent(
  { near, environment = process.env }: Pick<WorkPlaceOptions, 'near' | 'environment'>,
  mounts: readonly Mount[] = listMounts(),
): string {
  const wanted = environment['TMPDIR'];
  if (wanted !== undefined && wanted !== '') {
    const directory = resolve(wanted);
    if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
    throw new HoldfastError('HF-TARGET', `TMPDIR names ${directory}, which is no directory`);
  }
  return isInMemory(USUAL, mounts) ? dirname(resolve(near)) : USUAL;
}

/** Whether a directory's file system is in memory. */
export function isInMemory(directory: string, mounts: readonly Mount[]): boolean {
  const holder = mounts
    .filter(({ mountPoint: at }) => at === '/' || directory === at || directory.startsWith(`${at}/`))
    .reduce<Mount | undefined>(
      // Of two at one place the later one is seen.
      (longest, each) =>
        longest === undefined || each.mountPoint.length >= longest.mountPoint.length ? each : longest,
      undefined,
    );
  return holder !== undefined && IN_MEMORY.includes(holder.type);
}
