// Removes what nobody needs of an overlay set: what its days are over for, and, where a new overlay needs the room, what no
// slot's system can read any more. Each file that goes has a line.

import { existsSync, lstatSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readBinding } from '../overlay/binding.ts';
import { readFingerprint, shortFingerprint } from '../overlay/fingerprint.ts';
import { memberOf, sidecarFile } from '../overlay/names.ts';
import { listSetFiles } from '../overlay/overlay-set.ts';
import { RUNNING_FILE, SLOT_FILES, TRANSITION_FILE } from '../slots/names.ts';
import { messageOf } from '../system/errors.ts';
import { freeBytes } from '../system/filesystems.ts';
import { collectOverlays, type SetMember } from './collect-overlays.ts';

/**
 * The digits of all bases that can boot or run, and of the one that is being built.
 * @returns undefined when a slot file can't be read: then nobody knows whose overlay is still of use.
 */
export function basesInSlots(stateDirectory: string, recoveryDirectory: string | undefined): Set<string> | undefined {
  const names = [SLOT_FILES.active, SLOT_FILES.passive, RUNNING_FILE, TRANSITION_FILE];
  const files = names.map((name) => join(stateDirectory, name));
  if (recoveryDirectory !== undefined) files.push(join(recoveryDirectory, SLOT_FILES.recovery));
  const bases = new Set<string>();
  for (const file of files) {
    if (!existsSync(file)) continue;
    try {
      bases.add(shortFingerprint(readFingerprint(file)));
    } catch {
      return undefined;
    }
  }
  return bases;
}

/** Whose base that is can't be told. */
const UNKNOWN = 'no overlay was removed: a slot file can’t be read, so it isn’t known which ones are of use';

/** Removes what nobody needs of a set. @returns a line for each file that goes or will go. */
export function collectSet(set: string, bases: ReadonlySet<string> | undefined, nowMs: number): string[] {
  if (bases === undefined) return [UNKNOWN];
  const { remove, later } = collectOverlays(membersOf(set), bases, nowMs);
  return [
    ...later.map(({ name, from }) => `${name} belongs to a system that is in no slot; it stays until ${from}`),
    ...remove.map(({ name, why }) => removeMember(set, name, why)),
  ];
}

/**
 * Makes room for a new overlay, under the machine's lock: what a killed action has left goes, and then, the oldest first,
 * overlays of which it is proved that nobody needs them: no slot has their system, and what they hold was carried into
 * another overlay of the set. Nothing of these goes where it wouldn't help.
 * @param wantedBytes amounts of room, the best first: the first one that can be had is made.
 * @returns a line for each file that goes.
 */
export function makeRoomInSet(
  set: string,
  bases: ReadonlySet<string> | undefined,
  wantedBytes: readonly number[],
): string[] {
  const members = membersOf(set);
  const said = members
    .filter(({ kind }) => kind === 'unfinished')
    .map(({ name }) => removeMember(set, name, 'it was not finished'));
  if (bases === undefined) return [...said, UNKNOWN];
  const carried = parentsIn(set, members);
  const gone = (digits: string | undefined) => digits !== undefined && !bases.has(digits) && carried.has(digits);
  const cows = members
    .filter(({ kind, digits }) => kind === 'cow' && gone(digits))
    .sort((one, other) => one.changedMs - other.changedMs);
  const free = () => freeBytes(dirname(set));
  const removable = cows.reduce((sum, { name }) => sum + allocatedBytes(join(dirname(set), name)), 0);
  const wanted = wantedBytes.find((bytes) => free() + removable >= bytes) ?? 0;
  for (const cow of cows) {
    if (free() >= wanted) break;
    for (const { name, kind } of members.filter(({ digits }) => digits === cow.digits)) {
      if (kind === 'aside' || kind === 'unfinished') continue;
      said.push(removeMember(set, name, 'no slot has its system, what it held was carried, and the room is needed'));
    }
  }
  return said;
}

/** The digits of bases whose overlay was carried into one that is ready. */
function parentsIn(set: string, members: readonly SetMember[]): Set<string> {
  const parents = new Set<string>();
  for (const { kind, name } of members) {
    if (kind !== 'cow') continue;
    const binding = readBinding(sidecarFile(join(dirname(set), name)));
    if (binding === undefined || 'problem' in binding || binding.state !== 'ready') continue;
    if (binding.parent !== undefined) parents.add(shortFingerprint(binding.parent));
  }
  return parents;
}

function allocatedBytes(file: string): number {
  return (lstatSync(file, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
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
