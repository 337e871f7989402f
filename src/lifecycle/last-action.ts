// How the last action on this machine ended, for `status`: from the record, or from the small file that earlier versions left
// on STATE. What can't be read is no record.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { lastSeen, type RecordEntry } from '../record/entry.ts';
import { readRecord } from '../record/record.ts';
import { readTextWithin } from '../system/boundedtext.ts';

/** Of earlier versions. */
const FILE = 'last-action.json';
const MAX_BYTES = 64 << 10;

/** The actions that change a slot; choosing what boots, say, is none that anybody waits for. */
const CHANGES_OF_SLOTS = ['install', 'upgrade', 'upgrade-recovery', 'apply', 'rollback', 'reset', 'deploy'];

export const lastActionSchema = z.object({
  /** In the record; absent in what earlier versions left. */
  id: z.string().optional(),
  action: z.string(),
  command: z.string(),
  /** When it began; the last time, when it was refused again in the same way. */
  date: z.string(),
  outcome: z.enum(['ok', 'ok-with-warnings', 'failed', 'refused', 'interrupted']),
  warnings: z.array(z.string()),
  error: z.string().optional(),
  /** The last lines of what a failed command printed. */
  outputTail: z.string().optional(),
});

export type LastAction = z.infer<typeof lastActionSchema>;

/** The last action on a mounted STATE; undefined where none has left a record. */
export function readLastAction(stateDirectory: string): LastAction | undefined {
  return lastActionOf(readRecord({ stateDirectory }).entries) ?? readOldNote(stateDirectory);
}

/** The last of these entries that was to change a slot and has ended. Pure. */
export function lastActionOf(entries: readonly RecordEntry[]): LastAction | undefined {
  for (const entry of entries.toReversed()) {
    const { id, kind, name, by, outcome, warnings = [], error } = entry;
    if (kind !== 'action' || !CHANGES_OF_SLOTS.includes(name)) continue;
    if (outcome === 'running' || outcome === 'skipped') continue;
    const command = by?.command ?? name;
    const what = { id, action: name, command, date: lastSeen(entry), outcome, warnings: [...warnings] };
    const { message, outputTail } = error ?? {};
    return {
      ...what,
      ...(message !== undefined && { error: message }),
      ...(outputTail !== undefined && { outputTail }),
    };
  }
  return undefined;
}

/** What earlier versions left. */
export function readOldNote(stateDirectory: string): LastAction | undefined {
  const file = join(stateDirectory, FILE);
  if (!existsSync(file)) return undefined;
  try {
    return lastActionSchema.parse(JSON.parse(readTextWithin(file, MAX_BYTES)));
  } catch {
    return undefined;
  }
}

/** Something that happened, in short. */
export interface RecentEvent {
  id: string;
  kind: RecordEntry['kind'];
  name: string;
  outcome: RecordEntry['outcome'];
  /** When it began; of what went wrong again in the same way, when it last did. */
  date: string;
  /** What it was, or why it went wrong. */
  message?: string;
}

/**
 * The last things that somebody did here, newest first; stages count only when they went wrong and nobody has mended them
 * since. Pure.
 */
export function recentEvents(entries: readonly RecordEntry[], most: number): RecentEvent[] {
  // A map keeps the last of each name.
  const stages = new Map(entries.flatMap((entry) => (entry.kind === 'stage' ? [[entry.name, entry.outcome]] : [])));
  const told = entries.filter(
    ({ kind, name, parent, outcome }) =>
      parent === undefined &&
      outcome !== 'skipped' &&
      (kind !== 'stage' || (outcome === 'failed' && stages.get(name) === 'failed')),
  );
  return told
    .slice(-most)
    .reverse()
    .map((entry) => {
      const { id, kind, name, outcome, message, error } = entry;
      const why = error?.message ?? message;
      return { id, kind, name, outcome, date: lastSeen(entry), ...(why !== undefined && { message: why }) };
    });
}
