// The swap: how a finished transition becomes the active slot, and how two slots change places. At every instant both
// names exist and each is a complete system, for Linux and for GRUB, which never replays a journal: hence a freeze before
// and after each rename.

import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { freezeAndThaw, fsyncPath, linkDurably, renameDurably } from '../system/durable.ts';
import { listLoops } from '../system/loopdevices.ts';
import { filesystemIdOf } from './identify.ts';
import {
  DEFAULT_LABELS,
  FETCH_DIRECTORY,
  type Labels,
  LEAVING_FILE,
  LIVE_FILE_PREFIX,
  OUTGOING_FILE,
  OVERLAY_WORK_FILES,
  PLANNED_DETAILS,
  PLANNED_FILE,
  PLANNED_RECORD,
  PLANNED_WRITES,
  pristineFile,
  pristineIndexFile,
  REHEARSAL_FILE,
  RUNNING_FILE,
  SLOT_FILES,
  TRANSITION_FILE,
} from './names.ts';
import { cloneSlotFile, labelSlotFile, renewSlotId, tryCloneSlotFile } from './slot-file.ts';
import { readState } from './state-file.ts';

/**
 * How a slot's second copy is made. `share`: a clone with its own label, or, where the filesystem can't clone, the same
 * file under both names. `copy`: a file of its own in any case, for images that find their root by its label (cOS up to
 * 0.9: `root=LABEL=COS_PASSIVE`).
 */
export type CopyMode = 'share' | 'copy';

export interface SwapOptions {
  mode?: CopyMode;
  labels?: Labels;
}

/**
 * Makes the passive slot what the active one is. The file that is in use is only read.
 * @param stateDirectory where COS_STATE is mounted.
 */
export function copyActiveToPassive(stateDirectory: string, options: SwapOptions = {}): Promise<void> {
  return copyToPassive(stateDirectory, SLOT_FILES.active, options);
}

/** Makes the passive slot what another file of the partition is, by rename. */
export async function copyToPassive(stateDirectory: string, from: string, options: SwapOptions = {}): Promise<void> {
  const passive = join(stateDirectory, SLOT_FILES.passive);
  const fresh = `${passive}.new`;
  const { labels = DEFAULT_LABELS } = options;
  await secondCopy(join(stateDirectory, from), fresh, labels.slots.passive, options.mode);
  await replaceSlotFile(stateDirectory, `${SLOT_FILES.passive}.new`, SLOT_FILES.passive);
}

/** Makes the transition from the passive slot's system; nothing boots from it yet. */
export async function transitionFromPassive(stateDirectory: string, options: SwapOptions = {}): Promise<void> {
  const { labels = DEFAULT_LABELS } = options;
  const transition = join(stateDirectory, TRANSITION_FILE);
  await secondCopy(join(stateDirectory, SLOT_FILES.passive), transition, labels.slots.active, options.mode);
}

async function secondCopy(from: string, to: string, label: string, mode: CopyMode = 'share'): Promise<void> {
  if (tryCloneSlotFile(from, to)) return labelSlotFile(to, label);
  if (mode === 'share') return linkDurably(from, to);
  await cloneSlotFile(from, to);
  await labelSlotFile(to, label);
}

/**
 * Makes the transition the active slot. It must be unmounted, checked and labelled.
 * @param options.keepRunning the old active file is in use and gets a second name.
 * @param options.keepOutgoing the old active file gets another name, for {@link copyToPassive}.
 */
export async function activateTransition(
  stateDirectory: string,
  options: { keepRunning: boolean; keepOutgoing?: boolean },
): Promise<void> {
  const transition = join(stateDirectory, TRANSITION_FILE);
  const active = join(stateDirectory, SLOT_FILES.active);
  fsyncPath(transition);
  const second = [
    ...(options.keepRunning ? [RUNNING_FILE] : []),
    ...(options.keepOutgoing && existsSync(active) ? [OUTGOING_FILE] : []),
  ];
  for (const name of second) {
    rmSync(join(stateDirectory, name), { force: true });
    linkDurably(active, join(stateDirectory, name));
  }
  await replaceSlotFile(stateDirectory, TRANSITION_FILE, SLOT_FILES.active);
}

/**
 * Renames a finished file over a slot file, so that GRUB and the initramfs find a complete system under the name at every
 * instant, and the same one (both were seen to fail in crash tests). What the new name leads to is put where GRUB reads
 * it before the name says so: while a freeze writes, one block may be there and another not. And until GRUB no longer
 * sees the old name, the system that it loads its kernel from has a name that the initramfs looks at.
 * @param directory where the partition is mounted; the files are named relative to it, and on the disk.
 */
export async function replaceSlotFile(directory: string, fresh: string, slot: string): Promise<void> {
  const from = join(directory, fresh);
  const to = join(directory, slot);
  const leaving = join(directory, LEAVING_FILE);
  // Two names of one file, with which rename(2) does nothing.
  if (isSameFile(from, to)) {
    rmSync(from);
    await freezeAndThaw(directory);
    return;
  }
  rmSync(leaving, { force: true });
  if (existsSync(to)) linkDurably(to, leaving);
  await freezeAndThaw(directory);
  renameDurably(from, to);
  await freezeAndThaw(directory);
  rmSync(leaving, { force: true });
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((file) => statSync(file, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/**
 * Keeps the transition's present content as the pristine of an image, under a UUID of its own: the initramfs must never
 * take it for the slot that was made from it. The transition must be unmounted.
 * @returns false where the filesystem can't clone: a whole copy would cost the room that the next upgrade needs.
 */
export async function keepPristine(stateDirectory: string, digest: string): Promise<boolean> {
  const pristine = join(stateDirectory, pristineFile(digest));
  if (!tryCloneSlotFile(join(stateDirectory, TRANSITION_FILE), `${pristine}.new`)) return false;
  await renewSlotId(`${pristine}.new`);
  fsyncPath(`${pristine}.new`);
  renameDurably(`${pristine}.new`, pristine);
  return true;
}

/**
 * Removes what an earlier, interrupted action left in /cOS, and pristines of images that no slot holds any more.
 * @param options.keepRunning whether the running system was booted from a file that has been replaced since.
 * @param options.keepOutgoing whether a rollback is to be completed, which needs the system that it took away.
 * @param options.keepFetched digests of an image and its layers: what an upgrade has fetched of those may be of use.
 * @param options.keepPlanned whether the system that a plan has built stays.
 */
export function removeLeftovers(
  stateDirectory: string,
  options: {
    keepDigests: readonly string[];
    keepRunning: boolean;
    keepOutgoing?: boolean;
    keepFetched?: readonly string[];
    keepPlanned?: boolean;
  },
): string[] {
  const directory = dirname(join(stateDirectory, TRANSITION_FILE));
  mkdirSync(directory, { recursive: true });
  const keep = new Set(
    options.keepDigests.flatMap((digest) =>
      [pristineFile(digest), pristineIndexFile(digest)].map((name) => basename(name)),
    ),
  );
  const removed = readdirSync(directory).filter(
    (name) =>
      isUnfinished(name) ||
      (isPlanned(name) && !options.keepPlanned) ||
      name === basename(LEAVING_FILE) ||
      (name === basename(RUNNING_FILE) && !options.keepRunning) ||
      (name === basename(OUTGOING_FILE) && !options.keepOutgoing) ||
      (name === basename(FETCH_DIRECTORY) && !options.keepFetched?.length) ||
      isLeftLive(name) ||
      (/^pristine-.*\.(img|index)$/.test(name) && !keep.has(name)),
  );
  // First what makes a plan count: a plan that is cut off while it goes is none.
  removed.sort((one, other) => Number(other === basename(PLANNED_RECORD)) - Number(one === basename(PLANNED_RECORD)));
  const directories = [FETCH_DIRECTORY, PLANNED_WRITES].map((name) => basename(name));
  for (const name of removed) rmSync(join(directory, name), { recursive: directories.includes(name) });
  // Nobody left them: they go with their slots, and nobody needs to be told.
  for (const name of ledgersOfNobody(stateDirectory, directory)) rmSync(join(directory, name));
  const fetched = unwantedFetched(stateDirectory, options.keepFetched ?? []);
  for (const name of fetched) removeAtOnce(join(stateDirectory, FETCH_DIRECTORY, name));
  return [...removed, ...fetched.map((name) => join(basename(FETCH_DIRECTORY), name))];
}

/** Ledgers go with the slots that they speak of: of any file that is there, and of those that state.yaml knows. */
function ledgersOfNobody(stateDirectory: string, directory: string): string[] {
  const names = readdirSync(directory);
  const ledgers = names.filter((name) => LEDGER.test(name));
  if (ledgers.length === 0) return [];
  const { state } = readState(join(stateDirectory, 'state.yaml'));
  const ids = new Set<string | undefined>(Object.values(state).map(({ uuid }) => uuid));
  for (const name of names) if (name.endsWith('.img')) ids.add(filesystemIdOf(join(directory, name)));
  return ledgers.filter((name) => !ids.has(LEDGER.exec(name)?.[1]));
}

const LEDGER = /^ledger-([0-9A-Za-z-]+)\.ndjson\.gz/;

/**
 * Removes a file of which nobody else has a name, and that nobody uses. XFS gives the room of a removed file back some
 * time later, that of one that was cut at once: what comes next asks for it.
 */
export function removeAtOnce(file: string): void {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found?.isFile() && found.nlink === 1) truncateSync(file);
  rmSync(file, { recursive: true, force: true });
}

/**
 * The room that removing what upgrades have fetched gives, in bytes.
 * @param keep digests of which it stays.
 */
export function fetchedBytes(stateDirectory: string, keep: readonly string[] = []): number {
  return unwantedFetched(stateDirectory, keep)
    .map((name) => statSync(join(stateDirectory, FETCH_DIRECTORY, name)).blocks * 512)
    .reduce((sum, bytes) => sum + bytes, 0);
}

/** Files are named by the hex digits of a digest, and what they hold of it. */
function unwantedFetched(stateDirectory: string, keep: readonly string[]): string[] {
  const directory = join(stateDirectory, FETCH_DIRECTORY);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return [];
  const kept = new Set(keep.map((digest) => digest.replace(/^sha256:/, '')));
  return readdirSync(directory).filter((name) => !kept.has(name.split('.')[0] ?? ''));
}

/** Whether a name of /cOS belongs to a plan. */
export function isPlanned(name: string): boolean {
  return [PLANNED_FILE, PLANNED_RECORD, PLANNED_DETAILS, PLANNED_WRITES].some((file) => name === basename(file));
}

/** A slot that came live in an earlier boot; one that shows now is attached. */
function isLeftLive(name: string): boolean {
  if (!name.startsWith(basename(LIVE_FILE_PREFIX))) return false;
  return !listLoops().some(({ file }) => file.endsWith(`/${dirname(LIVE_FILE_PREFIX)}/${name}`));
}

/** What was being built; `transition.squashfs` is elemental's. */
function isUnfinished(name: string): boolean {
  return (
    name === basename(TRANSITION_FILE) ||
    name === 'transition.squashfs' ||
    name === basename(OVERLAY_WORK_FILES.oldView) ||
    name === basename(OVERLAY_WORK_FILES.newView) ||
    name === basename(REHEARSAL_FILE) ||
    name.endsWith('.img.new') ||
    name.endsWith('.index.new') ||
    name.endsWith('.squashfs.new')
  );
}

/** The room on a partition that the next action gets by removing what was being built. */
export function unfinishedBytes(directory: string): number {
  const slots = dirname(join(directory, TRANSITION_FILE));
  if (!existsSync(slots)) return 0;
  return readdirSync(slots)
    .filter(isUnfinished)
    .reduce((sum, name) => sum + statSync(join(slots, name)).blocks * 512, 0);
}

/** Whether the pristine of an image is there. */
export function hasPristine(stateDirectory: string, digest: string): boolean {
  return existsSync(join(stateDirectory, pristineFile(digest)));
}
