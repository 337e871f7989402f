// What an action leaves in the record: that it began as soon as COS_STATE is open, so that a power cut shows, and how it ended.
// An action must not fail because it can't be recorded; what can't be written waits in /run, and is said.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ActionRecord } from '../record/action-record.ts';
import { appendEntries, writeRecord } from '../record/record.ts';
import { spoolEntry } from '../record/spool.ts';
import { messageOf } from '../system/errors.ts';
import { UndoStack } from '../system/plan.ts';
import { BOOT_MODES } from './boot-report.ts';
import type { Session } from './session.ts';

/** What of an action's record is on the disk. */
const onDisk = new WeakMap<ActionRecord, string>();

/** Records an action from here on; called as soon as COS_STATE can be written, until the plan closes it. */
export function recordWhileOpen(undo: UndoStack, session: Session, stateDirectory: string): void {
  session.record.begin();
  keepOn(session, stateDirectory);
  let failed = false;
  undo.always('keep the action in the record', () => {
    // With its error it is written at the end of the session, which knows more than that something failed.
    if (!failed) keepOn(session, stateDirectory);
  });
  undo.onFailure('the action has failed', () => {
    failed = true;
  });
}

/** The action is done; only tidying is left. */
export function recordSuccess(session: Session, stateDirectory: string): void {
  session.record.succeed();
  keepOn(session, stateDirectory);
}

/** Writes what of the action isn't on the disk yet, and everything that waits. */
function keepOn({ record, events }: Session, stateDirectory: string): void {
  const { entries } = record;
  const text = JSON.stringify(entries);
  if (onDisk.get(record) === text) return;
  try {
    writeRecord(stateDirectory, entries);
    onDisk.set(record, text);
  } catch (error) {
    events({ type: 'notice', level: 'warning', text: `the record could not be written: ${messageOf(error)}` });
  }
}

/**
 * The end of a session, which still has the machine's lock. Where COS_STATE is closed already it is opened once more, which
 * is the case after a failure and a refusal.
 * @param openState gives the directory of COS_STATE, writable until `undo` is unwound.
 */
export async function closeRecord(session: Session, openState: (undo: UndoStack) => Promise<string>): Promise<void> {
  const { record, dryRun, partitions } = session;
  if (dryRun || !record.isUnderWay) return;
  const { entries } = record;
  if (onDisk.get(record) === JSON.stringify(entries)) return;
  if (!onDisk.has(record) && isToldAlready(session)) return;
  const undo = new UndoStack();
  try {
    if (partitions.state === undefined) throw new Error('this machine has no state partition');
    writeRecord(await openState(undo), entries);
  } catch (error) {
    // On a machine that was not booted from a slot nobody would ever write it.
    if (!isBootedFromSlot()) return;
    for (const entry of entries) spoolEntry(entry);
    const text = `the record could not be written, the action waits for it in /run: ${messageOf(error)}`;
    session.events({ type: 'notice', level: 'warning', text });
  } finally {
    for (const text of await undo.unwind(false)) session.events({ type: 'notice', level: 'warning', text });
  }
}

/**
 * Whether an action that came to nothing has come to the same the last time: a controller may ask again each minute, which
 * must not push everything else out of the record.
 */
function isToldAlready({ record, events }: Session): boolean {
  const [entry] = record.entries;
  const isNothing = entry?.outcome === 'skipped' || entry?.outcome === 'refused' || entry?.outcome === 'failed';
  if (entry === undefined || !isNothing || !isBootedFromSlot()) return false;
  try {
    return !spoolEntry(entry, { counted: true }).isNew;
  } catch (error) {
    events({ type: 'notice', level: 'warning', text: `the record could not be written: ${messageOf(error)}` });
    return false;
  }
}

/** The first entry of a machine: how it was installed. */
export function recordInstall(record: ActionRecord, stateDirectory: string, warn: (text: string) => void): void {
  record.succeed();
  try {
    appendEntries(stateDirectory, record.entries);
  } catch (error) {
    warn(`the record of the new machine could not be begun: ${messageOf(error)}`);
  }
}

/** Whether this boot came from a slot, by the mode files. A live system writes to no disk that nobody has spoken of. */
export function isBootedFromSlot(run = '/run'): boolean {
  const has = (mode: (typeof BOOT_MODES)[number]) => existsSync(join(run, `cos/${mode}_mode`));
  return !has('live') && BOOT_MODES.some(has);
}
