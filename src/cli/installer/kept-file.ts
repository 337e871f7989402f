// A stage file between the moment it is known and the moment it is on the new system: it may hold a password's hash.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandContext } from '../program.ts';

/** Writes a stage file where only root reads it, and memory is all that keeps it. */
export function keepForInstall({ undo }: CommandContext, name: string, text: string): string {
  const directory = `/run/holdfast/installer-${process.pid}`;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  undo.always(`remove ${directory}`, () => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}
