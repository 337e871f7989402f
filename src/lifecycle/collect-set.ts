// Removes what nobody needs of an overlay set: what its days are over for, and, where a new overlay needs the room, what no
// slot's system can read any more. Each file that goes has a line.

import { existsSync, lstatSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readFingerprint, shortFingerprint } from '../overlay/fingerprint.ts';
import { memberOf, sidecarFile } from '../overlay/names.ts';
import { listSetFiles } from '../overlay/overlay-set.ts';
import { RUNNING_FILE, SLOT_FILES, TRANSITION_FILE } from '../slots/names.ts';
import { messageOf } from '../system/errors.ts';
import { freeBytes } from '../system/filesystems.ts';
import { collectOverlays, KEEP_DAYS, type SetMember } from './collect-overlays.ts';

/** The digits of all bases that can boot or run, and of the one that is being built. */
export function basesInSlots(stateDirectory: string, recoveryDirectory: string | undefined): Set<string> {
  const names = [SLOT_FILES.active, SLOT_FILES.passive, RUNNING_FILE, TRANSITION_FILE];
  const files = names.map((name) => join(stateDirectory, name));
  if (recoveryDirectory !== undefined) files.push(join(recoveryDirectory, SLOT_FILES.recovery));
  return new Set(
    files
      .filter((file) => existsSync(file))
      .flatMap((file) => {
        try {
          return [shortFingerprint(readFingerprint(file))];
        } catch {
          // No base of any overlay.
          return [];
        }
      }),
  );
}

/** Removes what nobody needs of a set. @returns a line for each file that goes or will go. */
export function collectSet(set: string, bases: ReadonlySet<string>, nowMs: number): string[] {
  const { remove, later } = collectOverlays(membersOf(set), bases, nowMs);
  return [
    ...later.map(({ name, from }) => `${name} belongs to a system that is in no slot; it stays until ${from}`),
    ...remove.map(({ name, why }) => removeMember(set, name, why)),
  ];
}

/**
 * Removes overlays that no slot's system can read, the oldest first, until there is so much room.
 * @returns a line for each file that goes.
 */
export function makeRoomInSet(set: string, bases: ReadonlySet<string>, wantedBytes: number): string[] {
  const said: string[] = [];
  const members = membersOf(set);
  const cows = members
    .filter(({ kind }) => kind === 'cow' || kind === 'aside')
    .sort((a, b) => a.changedMs - b.changedMs);
  for (const cow of cows) {
    if (freeBytes(dirname(set)) >= wantedBytes) break;
    // As if its days were over.
    const { remove } = collectOverlays(
      members.filter(
        ({ name, digits }) => name === cow.name || (cow.kind === 'cow' && digits === cow.digits && name !== cow.name),
      ),
      bases,
      cow.changedMs + (KEEP_DAYS + 1) * 24 * 3600 * 1000,
    );
    for (const { name } of remove) {
      said.push(removeMember(set, name, 'its system is in no slot any more, and the room is needed'));
    }
  }
  return said;
}

function membersOf(set: string): SetMember[] {
  return listSetFiles(set).flatMap(({ file, member }): SetMember[] => {
    // The sidecar of what was set aside goes with it.
    if (member.kind === 'conflicts' || member.kind === 'aside-sidecar') return [];
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat === undefined) return [];
    return [{ name: basename(file), kind: member.kind, digits: member.digits, changedMs: stat.mtimeMs }];
  });
}

function removeMember(set: string, name: string, why: string): string {
  try {
    const file = join(dirname(set), name);
    rmSync(file, { force: true, recursive: true });
    if (memberOf(set, name)?.kind === 'aside') rmSync(sidecarFile(file), { force: true });
    return `${name} was removed: ${why}`;
  } catch (error) {
    return `${name} could not be removed: ${messageOf(error)}`;
  }
}
