// An own directory below /run for what a command mounts while it looks at something.

import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../system/errors.ts';
import type { UndoStack } from '../system/plan.ts';

const RUN_DIRECTORY = '/run/holdfast';

/** It goes with the command; what is in it is never removed, since it may be what could not be unmounted. */
export function workDirectoryOf(undo: UndoStack, command: string): string {
  const directory = join(RUN_DIRECTORY, `${command}-${process.pid}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  undo.always(`remove ${directory}`, () => removeEmpty(directory));
  return directory;
}

/** The mount points in it too, as far as they are empty and nothing is mounted there. */
function removeEmpty(directory: string): void {
  const paths = [...readdirSync(directory).map((name) => join(directory, name)), directory];
  for (const path of paths) {
    try {
      rmdirSync(path);
    } catch (error) {
      if (!['ENOTEMPTY', 'EBUSY', 'ENOENT'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
}
