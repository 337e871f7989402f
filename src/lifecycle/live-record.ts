// What of a local change was brought to the running system without a reboot: /run/holdfast/live.json, so that status can say
// so and a second one knows what it stands on. It is gone with the boot that it speaks of.

import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { readTextWithin } from '../system/boundedtext.ts';
import { writeFileDurably } from '../system/durable.ts';
import { RUN_DIRECTORY } from './leftovers.ts';

/** Where the slots are mounted whose directories show in the running system. */
export const LIVE_DIRECTORY = join(RUN_DIRECTORY, 'live');
const MAX_BYTES = 1 << 20;

const schema = z.object({
  /** File system UUID of the slot that the running system's directories come from. */
  uuid: z.string(),
  /** RFC 3339. */
  date: z.string(),
  /** Where the slot is mounted, read-only. */
  mountPoint: z.string(),
  /** Directories of the running system that the slot's lie over: `/usr`. */
  directories: z.array(z.string()).max(64),
  /** How many paths are new, and how many were written into layers in memory. */
  added: z.number().int().nonnegative(),
  copied: z.number().int().nonnegative(),
});

export type LiveRecord = z.infer<typeof schema>;

/** What this boot has had brought to it; undefined for nothing, and for a record that can't be read. */
export function readLive(directory: string = LIVE_DIRECTORY): LiveRecord | undefined {
  const file = join(directory, RECORD);
  if (!existsSync(file)) return undefined;
  try {
    return schema.parse(JSON.parse(readTextWithin(file, MAX_BYTES)));
  } catch {
    return undefined;
  }
}

/** Whether a path lies where the running system shows that slot, which can only be read. */
export function showsLive(live: Pick<LiveRecord, 'directories'> | undefined, path: string): boolean {
  return live?.directories.some((directory) => path === directory || path.startsWith(`${directory}/`)) === true;
}

export function writeLive(record: LiveRecord, directory: string = LIVE_DIRECTORY): void {
  const file = join(directory, RECORD);
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFileDurably(file, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o644 });
}

const RECORD = 'live.json';
