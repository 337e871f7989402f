// What an action writes about the slots: state.yaml on both partitions that carry it, the boot menu's title, and GRUB's
// notes on slots that failed. A record follows the content of a slot file, so reading repairs what a power cut or a hand
// has left.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readGrubEnvironment, writeGrubEnvironment } from '../boot/grub-environment.ts';
import type { RecordedSlot } from '../record/entry.ts';
import { identifySlots, slotId } from '../slots/identify.ts';
import { BOOTED_PARTITION, RECOVERY_SQUASHFS, SLOT_FILES, type SlotName } from '../slots/names.ts';
import { type Deployment, type InstallationState, readState, writeState } from '../slots/state-file.ts';
import { messageOf } from '../system/errors.ts';
import { type ApplyContext, UndoStack } from '../system/plan.ts';
import { parseFailedSlots } from './boot-report.ts';
import { asWarning, openForWriting, readPartition, type Session } from './session.ts';

export const STATE_FILE = 'state.yaml';

/** What is installed, by the slot files themselves. */
export interface Installation {
  state: InstallationState;
  /** UUIDs of the slot files; undefined where there is none. */
  ids: Readonly<Record<SlotName, string | undefined>>;
  /** Slots whose record in STATE's state.yaml was not theirs. */
  repaired: readonly SlotName[];
  problems: readonly string[];
  /** What the copies of state.yaml say, STATE's first. */
  copies: readonly InstallationState[];
  /** Where RECOVERY can be read; undefined where there is none. */
  recoveryDirectory: string | undefined;
}

/** The recovery system's file on a mounted RECOVERY; GRUB prefers the squashfs. */
export function recoveryFile(recoveryDirectory: string): string {
  return existsSync(join(recoveryDirectory, RECOVERY_SQUASHFS)) ? RECOVERY_SQUASHFS : SLOT_FILES.recovery;
}

/** Reads both copies of state.yaml and the slot files that they speak of. */
export async function readInstallation(session: Session, stateDirectory: string | undefined): Promise<Installation> {
  const problems: string[] = [];
  const read = (directory: string): InstallationState => {
    const { state, problem } = readState(join(directory, STATE_FILE));
    if (problem !== undefined) problems.push(problem);
    return state;
  };
  let recoveryDirectory: string | undefined;
  if (session.partitions.recovery !== undefined) {
    try {
      recoveryDirectory = await readPartition(session, 'recovery');
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  const idOf = async (directory: string | undefined, file: string) =>
    directory === undefined ? undefined : ((await slotId(join(directory, file))) ?? null);
  const active = await idOf(stateDirectory, SLOT_FILES.active);
  const passive = await idOf(stateDirectory, SLOT_FILES.passive);
  const recovery = await idOf(recoveryDirectory, recoveryFile(recoveryDirectory ?? '/'));
  const copies = [stateDirectory, recoveryDirectory].filter((directory) => directory !== undefined).map(read);
  const { state, repaired } = identifySlots(
    {
      ...(active === undefined ? {} : { active }),
      ...(passive === undefined ? {} : { passive }),
      ...(recovery === undefined ? {} : { recovery }),
    },
    copies,
  );
  return {
    state,
    ids: { active: active ?? undefined, passive: passive ?? undefined, recovery: recovery ?? undefined },
    repaired,
    problems,
    copies,
    recoveryDirectory,
  };
}

/**
 * Writes state.yaml to STATE, then to RECOVERY, from which a recovery system reads it. What can't be written is a
 * warning: the slots tell what they are.
 */
export async function writeStateFiles(
  session: Session,
  context: ApplyContext,
  stateDirectory: string,
  state: InstallationState,
): Promise<void> {
  const { now, labels } = session;
  await asWarning(context, () => writeState(join(stateDirectory, STATE_FILE), state, now, labels));
  if (session.partitions.recovery === undefined) return;
  await asWarning(context, () =>
    withRecovery(session, (directory) => writeState(join(directory, STATE_FILE), state, now, labels)),
  );
}

/**
 * Notes on STATE what is about to become a slot: if the power fails between the switch and the records, its record is
 * found by its UUID.
 */
export function writeTransitionNote(
  { now, labels }: Session,
  stateDirectory: string,
  state: InstallationState,
  transition: Deployment,
): void {
  writeState(join(stateDirectory, STATE_FILE), { ...state, transition }, now, labels);
}

/** A slot as the record names it. */
export function recordedSlot(name: SlotName, { uuid, digest }: Deployment): RecordedSlot {
  return { name, ...(uuid !== undefined && { uuid }), ...(digest !== undefined && { digest }) };
}

/** Does something on RECOVERY while it is writable. */
export async function withRecovery<T>(session: Session, work: (directory: string) => Promise<T> | T): Promise<T> {
  const directory = await readPartition(session, 'recovery');
  const undo = new UndoStack();
  let failed = true;
  try {
    await openForWriting(undo, directory);
    const result = await work(directory);
    failed = false;
    return result;
  } finally {
    const problems = await undo.unwind(failed);
    const level = directory === BOOTED_PARTITION ? 'info' : 'warning';
    for (const text of problems) session.events({ type: 'notice', level, text: `cleaning up: ${text}` });
  }
}

/** What GRUB shows and remembers: the menu's title, and which slots failed, of those that are what they were. */
export function writeMenu(
  stateDirectory: string,
  options: { title: string | undefined; fallbackTitle: string; replaced: readonly SlotName[] },
): void {
  const file = join(stateDirectory, 'grub_oem_env');
  const old = readGrubEnvironment(file);
  // An image that doesn't name its entry keeps the one that is there.
  const title = options.title ?? old.get('default_menu_entry') ?? options.fallbackTitle;
  const failed = parseFailedSlots(old.get('boot_failure') ?? '').filter(
    ({ slot }) => !options.replaced.some((replaced) => replaced === slot),
  );
  writeGrubEnvironment(file, {
    default_menu_entry: title,
    boot_failure: failed.length === 0 ? undefined : failed.map(({ slot, reason }) => `${slot}:${reason}`).join(';'),
  });
}
