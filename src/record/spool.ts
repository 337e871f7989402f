// What happened since the record could last be written: COS_STATE is read-only while the machine runs. One small file per
// entry in /run, each replaced as a whole, so that the stages of a boot write at the same time without waiting for each
// other; bounded, and what had to go is counted.

import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTextWithin } from '../system/boundedtext.ts';
import { errnoOf } from '../system/errors.ts';
import { boundEntry } from './bound-entry.ts';
import { type EntryOutcome, isTrouble, lastSeen, type RecordEntry } from './entry.ts';
import { parseEntry } from './parse-entry.ts';

/** Goes with /run from the initramfs to the running system. */
export const SPOOL_DIRECTORY = '/run/holdfast/record';
const MAX_ENTRIES = 256;
const MAX_BYTES = 64 << 10;
const LOST_FILE = 'lost';
/** The last of each name, pending or written, that a repetition is counted with. */
const LAST_DIRECTORY = 'last';
/** How actions end that a controller may ask for again each minute. */
const CHANGED_NOTHING: readonly EntryOutcome[] = ['skipped', 'refused', 'failed'];

export interface SpoolOptions {
  /** The same outcome as the last time is counted and not told again. */
  counted?: boolean;
  /** Another place, for tests. */
  directory?: string;
}

/**
 * Keeps an entry until the record can be written.
 * @returns the entry as it is kept, and whether it tells anything new.
 */
export function spoolEntry(entry: RecordEntry, options: SpoolOptions = {}): { entry: RecordEntry; isNew: boolean } {
  const { directory = SPOOL_DIRECTORY, counted = false } = options;
  mkdirSync(join(directory, LAST_DIRECTORY), { recursive: true, mode: 0o700 });
  const bounded = boundEntry(entry);
  const lastFile = join(
    directory,
    LAST_DIRECTORY,
    `${entry.kind}-${encodeURIComponent(entry.name).slice(0, 100)}.json`,
  );
  const last = counted ? readSpooled(lastFile) : undefined;
  const isRepeated = last !== undefined && signatureOf(last) === signatureOf(bounded);
  const kept = isRepeated ? repeated(last, bounded) : bounded;
  makeRoom(directory);
  place(join(directory, `${kept.id}.json`), JSON.stringify(kept));
  if (counted) place(lastFile, JSON.stringify(kept));
  else countAnew([kept], directory);
  return { entry: kept, isNew: !isRepeated };
}

/** What waits to be written, in the order in which it began; what went wrong again is as new as the last time. */
export function readSpool(directory = SPOOL_DIRECTORY): { entries: RecordEntry[]; lost: number } {
  const entries = namesIn(directory).flatMap((name) => readSpooled(join(directory, name)) ?? []);
  return { entries: entries.sort(byBeginning), lost: readLost(directory) };
}

/** Forgets what has been written; an entry that was counted up meanwhile stays. */
export function clearSpool(written: readonly RecordEntry[], lost: number, directory = SPOOL_DIRECTORY): void {
  for (const entry of written) {
    const file = join(directory, `${entry.id}.json`);
    if (JSON.stringify(readSpooled(file)) === JSON.stringify(entry)) rmSync(file, { force: true });
  }
  if (lost > 0 && readLost(directory) === lost) rmSync(join(directory, LOST_FILE), { force: true });
}

/**
 * After an action that changed something, or began to, a refusal is told anew although it is the same as one before: what is
 * to be known of a machine is how the last action ended.
 */
export function countAnew(entries: readonly RecordEntry[], directory = SPOOL_DIRECTORY): void {
  if (!entries.some(({ kind, outcome }) => kind === 'action' && !CHANGED_NOTHING.includes(outcome))) return;
  const last = join(directory, LAST_DIRECTORY);
  for (const name of namesIn(last)) {
    if (name.startsWith('action-')) rmSync(join(last, name), { force: true });
  }
}

/** Times of an early boot may be wrong; within a boot the uptime is right. */
function byBeginning(a: RecordEntry, b: RecordEntry): number {
  const sameBoot = a.bootId !== undefined && a.bootId === b.bootId;
  if (sameBoot && a.uptimeSeconds !== undefined && b.uptimeSeconds !== undefined) {
    return a.uptimeSeconds + secondsUntilLast(a) - b.uptimeSeconds - secondsUntilLast(b) || 0;
  }
  return Date.parse(lastSeen(a)) - Date.parse(lastSeen(b)) || 0;
}

function secondsUntilLast(entry: RecordEntry): number {
  return (Date.parse(lastSeen(entry)) - Date.parse(entry.startedAt)) / 1000;
}

/** The boot that it belongs to counts: a new boot has its own. */
function signatureOf({ outcome, bootId, steps, warnings, error, message, slot }: RecordEntry): string {
  const ends = (steps ?? []).map((step) => [step.file, step.line, step.definition, step.outcome, step.message]);
  return JSON.stringify([outcome, bootId, ends, warnings ?? [], error?.message, message, slot]);
}

function repeated(last: RecordEntry, now: RecordEntry): RecordEntry {
  const { endedAt = now.startedAt, durationMs, steps } = now;
  return {
    ...last,
    times: (last.times ?? 1) + 1,
    endedAt,
    ...(durationMs !== undefined && { durationMs }),
    ...(steps && { steps }),
  };
}

/** What went well goes first. */
function makeRoom(directory: string): void {
  const names = namesIn(directory);
  if (names.length < MAX_ENTRIES) return;
  const { entries } = readSpool(directory);
  const victim = entries.find((entry) => !isTrouble(entry)) ?? entries[0];
  rmSync(join(directory, victim === undefined ? (names[0] ?? '') : `${victim.id}.json`), { force: true });
  place(join(directory, LOST_FILE), String(readLost(directory) + 1));
}

function readLost(directory: string): number {
  try {
    const count = Number.parseInt(readTextWithin(join(directory, LOST_FILE), 64), 10);
    return Number.isSafeInteger(count) && count > 0 ? count : 0;
  } catch {
    return 0;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith('.json'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function readSpooled(file: string): RecordEntry | undefined {
  try {
    return parseEntry(readTextWithin(file, MAX_BYTES));
  } catch {
    // Not there, or not ours: none.
    return undefined;
  }
}

/** /run is memory: a rename is enough. */
function place(file: string, text: string): void {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, file);
}
