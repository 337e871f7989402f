// Notes one thing that happened and is no action with a plan of its own: a change of the owner's file, a decision about a
// path. It waits in /run like everything else until the record is written.

import {
  type EntryKind,
  type EntryOutcome,
  newEntryId,
  type RecordEntry,
  type RecordedError,
  type RecordedStep,
  type RequestedFrom,
} from './entry.ts';
import { requesterOf, thisMoment } from './requester.ts';
import { spoolEntry } from './spool.ts';

export interface HappenedEvent {
  kind: EntryKind;
  /** What it was, as somebody would type it: `pkg add vim`. */
  name: string;
  outcome: EntryOutcome;
  /** The command line as typed. */
  command: string;
  message?: string;
  error?: RecordedError;
  steps?: readonly RecordedStep[];
  warnings?: readonly string[];
  /** Where the caller knows better than the environment from where it was asked for. */
  from?: RequestedFrom;
}

/** @returns the entry, with the id by which `history` shows it. */
export function noteEvent(event: HappenedEvent, options: { spoolDirectory?: string } = {}): RecordEntry {
  const { command, from, ...what } = event;
  const { spoolDirectory: directory } = options;
  const entry: RecordEntry = { id: newEntryId(), ...thisMoment(), ...what, by: requesterOf(command, from) };
  return spoolEntry(entry, directory === undefined ? {} : { directory }).entry;
}
