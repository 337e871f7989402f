// The record of a machine: what stands on COS_STATE, and what waits in /run to be written there. Later lines of the same entry
// take the place of earlier ones, and what began and never ended was interrupted.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../system/errors.ts';
import { boundEntry } from './bound-entry.ts';
import { isTrouble, newEntryId, type RecordEntry } from './entry.ts';
import { parseEntry } from './parse-entry.ts';
import { thisMoment } from './requester.ts';
import { appendToRing, readRing } from './ring.ts';
import { clearSpool, countAnew, readSpool, SPOOL_DIRECTORY } from './spool.ts';

/** On COS_STATE. */
export const RECORD_FILE = 'holdfast/record';

export interface MachineRecord {
  /** Oldest first. */
  entries: readonly RecordEntry[];
  /** What could not be read. */
  problems: readonly string[];
}

export interface ReadRecordOptions {
  /** A mounted COS_STATE; without one only what waits is read. */
  stateDirectory: string | undefined;
  spoolDirectory?: string;
  /** Whether this process of this boot is still at work; default: the kernel's word. */
  isAtWork?: (entry: RecordEntry) => boolean;
}

/** Reads all that is known. Never throws for what the record holds. */
export function readRecord(options: ReadRecordOptions): MachineRecord {
  const { stateDirectory, spoolDirectory = SPOOL_DIRECTORY, isAtWork = isAtWorkNow } = options;
  const problems: string[] = [];
  const attempt = <T>(what: string, read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch (error) {
      problems.push(`${what} can't be read: ${messageOf(error)}`);
      return otherwise;
    }
  };
  const stored =
    stateDirectory === undefined
      ? { entries: [], problems: [] }
      : attempt('the record', () => readStored(stateDirectory), { entries: [], problems: [] });
  const waiting = attempt('what waits for the record', () => readSpool(spoolDirectory), { entries: [], lost: 0 });
  problems.push(...stored.problems);
  const entries = mergeEntries([...stored.entries, ...waiting.entries]);
  return { entries: entries.map((entry) => settled(entry, isAtWork)), problems };
}

function readStored(stateDirectory: string): { entries: RecordEntry[]; problems: string[] } {
  const { lines, damaged } = readRing(join(stateDirectory, RECORD_FILE));
  const entries = lines.flatMap(({ json }) => parseEntry(json) ?? []);
  const unread = damaged + lines.length - entries.length;
  return { entries, problems: unread > 0 ? [`${unread} lines of the record are damaged`] : [] };
}

/** One entry per id, in the order in which they began to be known; what went wrong again is as new as the last time. Pure. */
export function mergeEntries(entries: readonly RecordEntry[]): RecordEntry[] {
  // A map keeps the place of the first and the value of the last.
  const merged = new Map<string, RecordEntry>();
  for (const entry of entries) {
    const { times = 1 } = merged.get(entry.id) ?? entry;
    if (isTrouble(entry) && (entry.times ?? 1) > times) merged.delete(entry.id);
    merged.set(entry.id, entry);
  }
  return [...merged.values()];
}

function settled(entry: RecordEntry, isAtWork: (entry: RecordEntry) => boolean): RecordEntry {
  return entry.outcome === 'running' && !isAtWork(entry) ? { ...entry, outcome: 'interrupted' } : entry;
}

function isAtWorkNow({ bootId, by }: RecordEntry): boolean {
  return by !== undefined && bootId === thisMoment().bootId && isHoldfast(by.pid);
}

/** A number may belong to another process by now. */
function isHoldfast(pid: number): boolean {
  try {
    return existsSync(`/proc/${pid}`) && /holdfast|main\.ts/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    return false;
  }
}

/**
 * Writes entries to the record of a COS_STATE that is mounted writable, with all that waits; they are on the disk when it
 * returns.
 * @returns how many were written.
 * @throws HoldfastError HF-NO-SPACE where there is no record yet and no room for it; what waits goes on waiting.
 */
export function writeRecord(
  stateDirectory: string,
  entries: readonly RecordEntry[] = [],
  { spoolDirectory = SPOOL_DIRECTORY }: { spoolDirectory?: string } = {},
): number {
  const waiting = readSpool(spoolDirectory);
  const own = new Set(entries.map(({ id }) => id));
  const all = [
    ...waiting.entries.filter(({ id }) => !own.has(id)),
    ...(waiting.lost > 0 ? [lostEntry(waiting.lost)] : []),
    ...entries,
  ];
  appendEntries(stateDirectory, all);
  clearSpool(waiting.entries, waiting.lost, spoolDirectory);
  countAnew(entries, spoolDirectory);
  return all.length;
}

/** Writes entries alone, to the record of another machine's COS_STATE: what waits here is none of its history. */
export function appendEntries(stateDirectory: string, entries: readonly RecordEntry[]): void {
  const lines = entries.map((entry) => JSON.stringify(boundEntry(entry)));
  appendToRing(join(stateDirectory, RECORD_FILE), lines);
}

function lostEntry(count: number): RecordEntry {
  return {
    id: newEntryId(),
    kind: 'record',
    name: 'lost',
    ...thisMoment(),
    outcome: 'failed',
    message: `${count} entries that went well were left out: too many waited to be written`,
  };
}
