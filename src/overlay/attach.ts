// `holdfast overlay attach`, in the initramfs: makes the root out of the slot's image and the owner's COW, or says why not. It
// never throws for what it finds: whatever goes wrong, the boot goes on without the overlay, unless the owner wants it to fail.

import { lstatSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  type AttachedOverlay,
  BACKING_DIRECTORY,
  BASE_DIRECTORY,
  writeAttachedOverlay,
} from '../boot/attached-overlay.ts';
import { parseCommandLine } from '../boot/command-line.ts';
import { overwriteInPlace, writeFileDurably } from '../system/durable.ts';
import { messageOf } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import { mountAt } from '../system/mounts.ts';
import { UndoStack } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { requireTools } from '../system/tools.ts';
import { type OverlayArguments, readOverlayArguments } from './argument.ts';
import { mountBacking } from './attach-backing.ts';
import { type ChosenCow, finishBeginning, prepareCow, quarantine } from './attach-file.ts';
import { AttachRefusal, refusalOf } from './attach-refusal.ts';
import { buildView } from './attach-view.ts';
import { readTries } from './candidate.ts';
import { readFingerprint, sizeOfBase } from './fingerprint.ts';
import { defaultSetPath, problemOfSetPath, triesFile } from './names.ts';

/** What the other scripts of the initramfs leave, and expect. */
const SLOT_LINK = '/run/holdfast/slot.img';
const ROOT_LINK = '/run/holdfast/root';
const MARKS_DIRECTORY = '/run/holdfast/checked';
const STATE_DIRECTORY = '/run/initramfs/cos-state';

export interface AttachOptions {
  commandLine: string;
  events: EventSink;
  signal?: AbortSignal;
  now: Date;
}

export interface AttachResult {
  overlay: AttachedOverlay;
  /** The boot must not go on without the overlay. */
  fatal: boolean;
  /** What the owner can do about a refusal. */
  hint?: string;
}

type Known = Pick<AttachedOverlay, 'device' | 'path' | 'source' | 'file' | 'fp'>;

/** Attaches the overlay that the command line asks for, and leaves the record and, when it is used, the link to the root. */
export async function attachOverlay(options: AttachOptions): Promise<AttachResult> {
  const argument = readOverlayArguments(options.commandLine);
  const undo = new UndoStack();
  const known: Known = {};
  try {
    const { view, warnings } = await attachAsArgued(undo, argument, known, options);
    const overlay: AttachedOverlay = {
      used: true,
      ...known,
      ...(warnings.length > 0 && { message: warnings.join('; ') }),
      backing: BACKING_DIRECTORY,
      base: BASE_DIRECTORY,
      readonly: argument.readOnly,
      permission: argument.rootReadOnly ? 'ro' : 'rw',
    };
    writeAttachedOverlay(overlay);
    leaveLink(view);
    await undo.unwind(false);
    return { overlay, fatal: false };
  } catch (error) {
    const { reason, message, hint } = refusalOf(error);
    // Whoever mends the COW must find it as it was.
    if (reason === 'fsck' && known.file !== undefined) tryQuarantine(known.file, message, options.events);
    for (const text of await undo.unwind(true)) {
      options.events({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
    }
    const overlay: AttachedOverlay = { used: false, ...known, reason, message, readonly: false, permission: 'ro' };
    writeAttachedOverlay(overlay);
    const fatal = reason !== 'skipped' && (argument.require || (reason === 'mismatch' && argument.mismatch === 'fail'));
    return { overlay, fatal, ...(hint !== undefined && { hint }) };
  }
}

async function attachAsArgued(
  undo: UndoStack,
  argument: OverlayArguments,
  known: Known,
  { commandLine, events, signal, now }: AttachOptions,
): Promise<{ view: string; warnings: readonly string[] }> {
  const { request } = argument;
  if (request.kind === 'absent') throw new AttachRefusal('bad-argument', 'no overlay is asked for');
  if (request.kind === 'skipped') throw new AttachRefusal('skipped', request.message);
  if (request.kind === 'refused') throw new AttachRefusal(request.reason, request.message);
  known.device = request.device;
  requireTools(['dmsetup', 'losetup', 'e2fsck', 'mount']);

  const slotFile = realpathSync(SLOT_LINK);
  const fingerprint = readFingerprint(slotFile);
  known.fp = fingerprint;
  const path = request.path ?? (await dracutsPath(argument));
  known.path = path;
  const key = parseCommandLine(commandLine).findLast(({ key }) => key === 'rd.cos.rootoverlay.key')?.value;
  const { source, readOnly } = await mountBacking(undo, {
    device: request.device,
    argument,
    key,
    mountPoint: BACKING_DIRECTORY,
    stateDirectory: STATE_DIRECTORY,
    marksDirectory: MARKS_DIRECTORY,
    events,
    signal,
  });
  known.source = source;
  const shown = `${request.device}:${path}`;
  const chosen = await prepareCow({
    mountPoint: BACKING_DIRECTORY,
    path,
    shown,
    base: slotFile,
    baseBytes: sizeOfBase(slotFile),
    fingerprint,
    adopt: argument.adopt,
    reset: argument.reset,
    readOnly: argument.readOnly,
    now,
  });
  known.file = chosen.file;
  for (const text of chosen.warnings) events({ type: 'notice', level: 'warning', text });
  if (!readOnly) tryToMark(undo, chosen, events);
  const view = await buildView(undo, {
    slotFile,
    cow: chosen.blank && argument.readOnly ? undefined : chosen.file,
    chunkSectors: chosen.chunkSectors,
    readOnly: argument.readOnly,
    rootReadOnly: argument.rootReadOnly,
    blank: chosen.blank,
    commandLine,
    events,
    signal,
  });
  if (chosen.begun) {
    // What made it ready must be on the disk before the sidecar says so.
    await runChecked(['sync', view]);
    finishBeginning(chosen.file);
  }
  return { view, warnings: chosen.warnings };
}

/** The path that dracut takes without one, by the names of the partition that holds the slot. */
async function dracutsPath({ liveDirectory }: OverlayArguments): Promise<string> {
  const state = mountAt(STATE_DIRECTORY)?.source;
  const { label, uuid } = state === undefined ? {} : await probeFilesystem(state);
  const path = defaultSetPath(liveDirectory, { ...(label && { label }), ...(uuid && { uuid }) });
  const problem = problemOfSetPath(path);
  if (problem !== undefined) throw new AttachRefusal('bad-path', `${path}: ${problem}`);
  return path;
}

/**
 * A unit sets the mark to 0 once the system is up (overlay-booted); 3 means that this view doesn't boot. It is there before
 * anything of the view is looked at, since that alone may stop the machine; where it is only refused, the mark is taken
 * back. It is overwritten in place, which a full disk can't refuse; a mark that can't be made is no reason to do without the
 * changes.
 */
function tryToMark(undo: UndoStack, { file }: ChosenCow, events: EventSink): void {
  const mark = triesFile(file);
  const before = readTries(mark);
  const put = (count: number) => overwriteInPlace(mark, Buffer.from(`${count}\n`));
  try {
    if (lstatSync(mark, { throwIfNoEntry: false })?.isFile()) {
      put(before + 1);
      undo.onFailure(`take back ${mark}`, async () => put(before));
    } else {
      writeFileDurably(mark, Buffer.from('1\n'), { mode: 0o600 });
      undo.onFailure(`remove ${mark}`, async () => rmSync(mark, { force: true }));
    }
  } catch (error) {
    events({ type: 'notice', level: 'warning', text: `${mark} could not be written: ${messageOf(error)}` });
  }
}

function tryQuarantine(file: string, note: string, events: EventSink): void {
  try {
    quarantine(file, note);
  } catch (error) {
    events({ type: 'notice', level: 'warning', text: `${file} was not marked: ${messageOf(error)}` });
  }
}

function leaveLink(view: string): void {
  mkdirSync(dirname(ROOT_LINK), { recursive: true });
  rmSync(`${ROOT_LINK}.new`, { force: true });
  symlinkSync(view, `${ROOT_LINK}.new`);
  renameSync(`${ROOT_LINK}.new`, ROOT_LINK);
}
