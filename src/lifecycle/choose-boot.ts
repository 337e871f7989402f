// Which system boots next: shown, or chosen for one boot or for all. The choice is a variable in the administrator's
// block, overwritten in place; a slot that couldn't boot is not chosen.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeGrubEnvironment } from '../boot/grub-environment.ts';
import { slotId } from '../slots/identify.ts';
import { MENU_ENTRIES, RECOVERY_SQUASHFS, SLOT_FILES, type SlotName } from '../slots/names.ts';
import { freezeAndThaw } from '../system/durable.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { mount, unmount } from '../system/mounts.ts';
import { UndoStack } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { forgetAssessment } from './assessment.ts';
import { type NextBoot, nextBoot, readBootVariables } from './boot-choice.ts';
import { requireBootable } from './bootable.ts';
import { recoveryFile } from './records.ts';
import {
  openForWriting,
  readPartition,
  readPartitionIfThere,
  type Session,
  type SessionOptions,
  withSession,
} from './session.ts';
import { openSlotFile } from './target.ts';

export interface BootRequest {
  once?: SlotName | undefined;
  /** For every boot. */
  always?: SlotName | undefined;
}

export interface BootResult {
  outcome: 'ok' | 'planned' | 'shown';
  next: NextBoot;
}

const BOOT_TOOLS = ['blkid', 'flock', 'fsfreeze', 'losetup', 'mount', 'umount'] as const;

/**
 * Chooses what boots, and says what boots next.
 * @throws HoldfastError HF-STATE when the slot isn't there, HF-NOT-BOOTABLE when it isn't complete.
 */
export function chooseBoot(request: BootRequest, options: SessionOptions): Promise<BootResult> {
  return withSession('boot', { ...options, tools: BOOT_TOOLS }, async (session) => {
    const stateDirectory = await readPartition(session, 'state');
    const oemDirectory = await readPartitionIfThere(session, 'oem');
    const activeUuid = await slotId(join(stateDirectory, SLOT_FILES.active));
    const next = () => nextBoot(readBootVariables(stateDirectory, oemDirectory), activeUuid);
    const chosen = [request.once, request.always].filter((slot) => slot !== undefined);
    if (chosen.length === 0) return { outcome: 'shown', next: next() };
    for (const slot of chosen) await requireSlot(session, slot, stateDirectory);
    if (session.dryRun) return { outcome: 'planned', next: next() };

    session.record.begin();
    session.record.describe({
      message: `${request.once === undefined ? 'every boot' : 'the next boot'} starts ${chosen[0]}`,
    });
    const undo = new UndoStack();
    try {
      await openForWriting(undo, stateDirectory);
      if (oemDirectory !== undefined) await openForWriting(undo, oemDirectory);
      await write(request, stateDirectory, oemDirectory);
    } finally {
      for (const text of await undo.unwind(true)) session.events({ type: 'notice', level: 'warning', text });
    }
    return { outcome: 'ok', next: next() };
  });
}

async function write(
  { once, always }: BootRequest,
  stateDirectory: string,
  oemDirectory: string | undefined,
): Promise<void> {
  const block = oemDirectory === undefined ? join(stateDirectory, 'grub_oem_env') : join(oemDirectory, 'grubenv');
  const isNew = !existsSync(block);
  writeGrubEnvironment(block, {
    ...(once === undefined ? {} : { next_entry: MENU_ENTRIES[once] }),
    // Without it the first entry boots, and boot assessment has its say.
    ...(always === undefined ? {} : { saved_entry: always === 'active' ? undefined : MENU_ENTRIES[always] }),
  });
  if (always === 'active') {
    writeGrubEnvironment(join(stateDirectory, 'grub_oem_env'), { saved_entry: undefined });
    forgetAssessment(stateDirectory, { oemDirectory });
  }
  // GRUB reads no journal: a block that was made just now must be where it looks.
  if (isNew) await freezeAndThaw(oemDirectory ?? stateDirectory);
}

/** @throws HoldfastError when the slot can't boot. */
async function requireSlot(session: Session, slot: SlotName, stateDirectory: string): Promise<void> {
  const directory = slot === 'recovery' ? await readPartition(session, 'recovery') : stateDirectory;
  const name = slot === 'recovery' ? recoveryFile(directory) : SLOT_FILES[slot];
  const file = join(directory, name);
  if (!existsSync(file)) {
    throw new HoldfastError('HF-STATE', `the ${slot} slot can't be booted: /${name} is missing`, {
      hint: 'holdfast status shows what each slot holds',
    });
  }
  const undo = new UndoStack();
  const at = join(session.workDirectory, 'look');
  try {
    if (name === RECOVERY_SQUASHFS) {
      await mount(file, at, { type: 'squashfs', options: ['ro', 'loop'] });
      undo.always(`unmount ${at}`, () => unmount(at));
      requireBootable(new Root(at));
    } else {
      requireBootable((await openSlotFile(undo, file, at, { readOnly: true })).root);
    }
  } catch (error) {
    throw new HoldfastError('HF-NOT-BOOTABLE', `the ${slot} slot can't be booted: ${messageOf(error)}`, {
      cause: error,
      hint: 'holdfast status shows what each slot holds',
    });
  } finally {
    for (const text of await undo.unwind(true)) session.events({ type: 'notice', level: 'warning', text });
  }
}
