// Which record belongs to which slot file. A power cut between a rename and the record of it, or a file that somebody
// copied by hand, leaves a state.yaml that is right about every file but wrong about its name; the UUIDs tell.

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { probeFilesystem } from '../system/filesystems.ts';
import { SLOT_NAMES, type SlotName } from './names.ts';
import type { Deployment, InstallationState } from './state-file.ts';

/** What the slot files say of themselves; null where there is no file, absent where it can't be looked at. */
export type SlotIds = Readonly<Partial<Record<SlotName, string | null>>>;

/**
 * The state of a machine by what is on its disk: each slot gets the record with its file's UUID, under whichever name and
 * in whichever copy of state.yaml it is. A file without one gets a record that says so. Pure.
 * @param copies what the copies of state.yaml say, the most trusted first.
 * @returns the state, and the slots whose record had to be made up or came from elsewhere.
 */
export function identifySlots(
  ids: SlotIds,
  copies: readonly InstallationState[],
): { state: InstallationState; repaired: SlotName[] } {
  const state: InstallationState = {};
  const repaired: SlotName[] = [];
  for (const slot of SLOT_NAMES) {
    const uuid = ids[slot];
    const own = copies[0]?.[slot];
    if (uuid === undefined) {
      if (own !== undefined) state[slot] = own;
      continue;
    }
    if (uuid === null) {
      if (own !== undefined) repaired.push(slot);
      continue;
    }
    if (own !== undefined && own.uuid === uuid) {
      state[slot] = own;
      continue;
    }
    // What elemental wrote has no UUIDs: it is believed until one of ours replaces it.
    if (own !== undefined && own.uuid === '') {
      state[slot] = { ...own, uuid };
      continue;
    }
    state[slot] = findDeployment(uuid, copies);
    repaired.push(slot);
  }
  return { state, repaired };
}

/** The record of the file with this UUID, under whichever name; one that says so when nobody has written any. */
export function findDeployment(uuid: string, copies: readonly InstallationState[]): Deployment {
  const known = copies.flatMap((copy) => [copy.transition, ...SLOT_NAMES.map((name) => copy[name])]);
  return (
    known.find((deployment) => deployment?.uuid === uuid) ?? {
      source: 'unknown',
      layers: [],
      uuid,
      date: '',
      fromAction: 'install',
      verified: 'unknown',
    }
  );
}

/**
 * What identifies the content of a slot file: the UUID of its filesystem. A squashfs has none; its superblock holds the
 * time and the sizes of its making.
 * @returns undefined when there is no file or no filesystem in it.
 */
export async function slotId(file: string): Promise<string | undefined> {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  const { uuid, type } = await probeFilesystem(file);
  if (uuid !== undefined) return uuid;
  return type === 'squashfs' ? squashfsId(file) : undefined;
}

function squashfsId(file: string): string {
  const superblock = Buffer.alloc(96);
  const fd = openSync(file, 'r');
  try {
    readSync(fd, superblock, 0, superblock.length, 0);
  } finally {
    closeSync(fd);
  }
  return `squashfs-${createHash('sha256').update(superblock).digest('hex').slice(0, 32)}`;
}

/** Of ext2, ext3 and ext4 (ext4(5)): where the superblock is, its magic number, and its UUID. */
const SUPERBLOCK = 1024;
const MAGIC = { offset: 0x38, value: 0xef53 };
const ID = 0x68;

/** The UUID of an ext4 in a file, from its superblock; undefined when there is none. */
export function filesystemIdOf(file: string): string | undefined {
  const superblock = Buffer.alloc(1024);
  const fd = openSync(file, 'r');
  try {
    readSync(fd, superblock, 0, superblock.length, SUPERBLOCK);
  } finally {
    closeSync(fd);
  }
  if (superblock.readUInt16LE(MAGIC.offset) !== MAGIC.value) return undefined;
  const hex = superblock.subarray(ID, ID + 16).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
