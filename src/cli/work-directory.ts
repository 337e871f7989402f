// An own directory below /run for what a command mounts while it looks at something.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { UndoStack } from '../system/plan.ts';
import { removeMountPoints } from '../system/work-directory.ts';

const RUN_DIRECTORY = '/run/holdfast';

/** It goes with the command; what is in it is never removed, since it may be what could not be unmounted. */
export function workDirectoryOf(undo: UndoStack, command: string): string {
  const directory = join(RUN_DIRECTORY, `${command}-${process.pid}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  undo.always(`remove ${directory}`, () => removeMountPoints(directory));
  return directory;
}
