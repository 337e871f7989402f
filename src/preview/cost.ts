// What a plan costs: bytes as they were counted, room as it was seen, and seconds from what this machine needed last time.
// Where nothing was measured it is called an estimate. Pure but for reading the record.

import type { RecordEntry } from '../record/entry.ts';
import type { DurationPart, FilesystemPart } from './document.ts';

/** What actions take where this machine has never done them, in milliseconds: a disk of the slow kind. */
const USUAL_MS: Readonly<Record<string, number>> = {
  'open-state': 200,
  'remove-leftovers': 300,
  'run-hook': 1000,
  'take-plan': 5000,
  'finish-transition': 5000,
  'copy-to-passive': 1000,
  activate: 1500,
};
const OTHER_MS = 200;
/** So many of the last times count. */
const COUNTED = 3;

/**
 * How long a list of actions will take.
 * @param kinds of the actions.
 * @param record what this machine has done, oldest first.
 * @param measured what was just measured, in milliseconds by kind.
 */
export function estimateDuration(
  kinds: readonly string[],
  record: readonly RecordEntry[],
  measured: Readonly<Record<string, number>> = {},
): DurationPart {
  const known = new Map<string, number[]>();
  for (const { kind, durations = [] } of record) {
    if (kind !== 'action') continue;
    for (const { action, durationMs } of durations) known.set(action, [...(known.get(action) ?? []), durationMs]);
  }
  let fromRecord = false;
  const total = kinds.reduce((sum, kind) => {
    const last = known.get(kind)?.slice(-COUNTED) ?? [];
    const own = measured[kind];
    if (own !== undefined) return sum + own;
    if (last.length === 0) return sum + (USUAL_MS[kind] ?? OTHER_MS);
    // Only what takes long decides whether the sum is this machine's own.
    if (kind === 'activate' || kind === 'copy-to-passive') fromRecord = true;
    return sum + last.reduce((all, ms) => all + ms, 0) / last.length;
  }, 0);
  return { seconds: round(total / 1000), basis: fromRecord ? 'record' : 'estimate' };
}

export function measuredDuration(timings: readonly { durationMs: number }[]): DurationPart {
  return { seconds: round(timings.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1000), basis: 'measured' };
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}

/** COS_STATE, on which the system was built and where applying makes copies. */
export function stateFilesystem(
  name: string,
  space: { sizeBytes: number; freeBytes: number; heldBytes: number; peakBytes: number },
  applyBytes: number,
): FilesystemPart {
  const { sizeBytes, freeBytes, heldBytes, peakBytes } = space;
  return { name, sizeBytes, freeBytes, heldBytes, peakBytes: Math.max(peakBytes, heldBytes), applyBytes };
}
