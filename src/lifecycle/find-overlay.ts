// Which overlay an action has to do with: the one that runs, else the one that the kernel arguments or GRUB's variables
// name. Its changes belong to the old base; whether they can be read is found out before anything is built.

import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type AttachedOverlay, BASE_DIRECTORY, readAttachedOverlay } from '../boot/attached-overlay.ts';
import { readOverlayArguments, splitOverlayPlace } from '../overlay/argument.ts';
import { chooseCow } from '../overlay/choose.ts';
import { readCow } from '../overlay/cow-read.ts';
import { type Fingerprint, parseFingerprint, readFingerprint, sizeOfBase } from '../overlay/fingerprint.ts';
import { argumentOf } from '../overlay/grub-argument.ts';
import { inspectSet } from '../overlay/overlay-set.ts';
import { openSet } from '../overlay/set-place.ts';
import { readSnapshotStatus } from '../overlay/snapshot-status.ts';
import { RUNNING_FILE, SLOT_FILES } from '../slots/names.ts';
import { messageOf } from '../system/errors.ts';
import { freeBytes } from '../system/filesystems.ts';
import { Root } from '../system/root.ts';
import { readBootVariables } from './boot-choice.ts';
import type { Session } from './session.ts';

/** A found overlay whose changes can be read. */
export interface Carried extends FoundOverlay {
  set: string;
  from: Fingerprint;
  view: OldView;
  /** The file with the changes. */
  cow: string;
}

/** A view whose changes are to be carried. */
export type OldView =
  /** `/`, which goes on changing. */
  | { kind: 'running' }
  /** A COW that isn't in use. */
  | { kind: 'stored'; baseFile: string; cow: string };

export interface FoundOverlay {
  /** As the kernel argument names them. */
  device: string;
  path: string;
  /** The set on this machine; undefined where its disk can't be reached. */
  set: string | undefined;
  /** Of the base whose changes are carried. */
  from: Fingerprint | undefined;
  /** Undefined: there is nothing to carry. */
  view: OldView | undefined;
  /** The file with the changes. */
  cow?: string;
  /** Why what is in it can't be carried. */
  problem: string | undefined;
  /** What to do about that. */
  hint?: string;
  /** What the view holds beyond its base, about. */
  changedBytes?: number;
}

export interface FindOptions {
  stateDirectory: string;
  oemDirectory: string | undefined;
  /** Files of the set are going to be written. */
  write: boolean;
  /** `DEVICE:/PATH` or a path: this one, whatever runs. */
  named?: string | undefined;
}

/** Looks for the overlay of this machine; undefined where none is in use or asked for. */
export async function findOverlay(session: Session, options: FindOptions): Promise<FoundOverlay | undefined> {
  if (options.named !== undefined) return findStored(session, options.named, options);
  const attached = readAttachedOverlay();
  const { device, path, backing } = attached ?? {};
  if (attached?.used && device !== undefined && path !== undefined && backing !== undefined) {
    return findRunning(session, { ...attached, device, path, backing }, options);
  }
  const text = namedOverlay(session, attached, options);
  return text === undefined ? undefined : findStored(session, text, options);
}

async function findRunning(
  { booted }: Pick<Session, 'booted'>,
  attached: AttachedOverlay & { device: string; path: string; backing: string },
  { stateDirectory }: FindOptions,
): Promise<FoundOverlay> {
  const { device, path, backing, fp = '', file, readonly } = attached;
  const from = parseFingerprint(fp);
  const found = {
    device,
    path,
    set: join(backing, path),
    from,
    view: undefined,
    problem: undefined,
    ...(file !== undefined && { cow: file }),
  };
  if (from === undefined || file === undefined) {
    return { ...found, problem: 'the record of this boot (/run/cos/rootoverlay) does not name its base' };
  }
  // What is written goes to memory: what stays is in the file.
  if (readonly) return { ...found, view: { kind: 'stored', baseFile: runningFile(stateDirectory, booted), cow: file } };
  const problem = await snapshotProblem();
  if (problem !== undefined) return { ...found, problem, hint: 'holdfast overlay check says more' };
  return { ...found, view: { kind: 'running' }, changedBytes: grownBytes() };
}

/** What is wrong with the snapshot that is the root, as the kernel says. */
async function snapshotProblem(): Promise<string | undefined> {
  const status = await readSnapshotStatus();
  if (status === undefined || status.state === 'ok') return undefined;
  return `the kernel says of it: ${status.state}`;
}

/** What the running view holds beyond its base. */
function grownBytes(): number {
  const used = (path: string) => {
    const { blocks, bfree, bsize } = statfsSync(path);
    return (blocks - bfree) * bsize;
  };
  return Math.max(0, used('/') - used(BASE_DIRECTORY));
}

/** The argument of this boot, whether or not it was followed, else the one that GRUB passes. */
function namedOverlay(
  { booted }: Pick<Session, 'booted'>,
  attached: AttachedOverlay | undefined,
  options: FindOptions,
): string | undefined {
  const { device, path } = attached ?? {};
  if (device !== undefined && path !== undefined) return `${device}:${path}`;
  const { tool, owner } = readBootVariables(options.stateDirectory, options.oemDirectory);
  const own = readOverlayArguments(new Root('/').readTextIfThere('/proc/cmdline') ?? '');
  const stored = argumentOf(tool, owner, booted.slot === 'passive' ? 'passive' : 'active');
  // Also of a boot that was told to go without.
  for (const { text } of [own, stored]) {
    const place = text?.slice(text.indexOf('=') + 1);
    if (place !== undefined && !['none', 'None', 'NONE'].includes(place)) return place;
  }
  return undefined;
}

async function findStored(session: Session, text: string, options: FindOptions): Promise<FoundOverlay> {
  const place = text.startsWith('/') && !text.includes(':/') ? { device: '', path: text } : splitOverlayPlace(text);
  const nothing = { device: text, path: '', set: undefined, from: undefined, view: undefined };
  if ('problem' in place || place.path === undefined) {
    return { ...nothing, problem: 'problem' in place ? place.problem : 'the argument names no file' };
  }
  const named = { ...nothing, device: place.device, path: place.path };
  const { stateDirectory } = options;
  const baseFile = runningFile(stateDirectory, session.booted);
  try {
    const workDirectory = join(session.workDirectory, 'overlay');
    const { set, mountPoint } = await openSet(session.undo, text, { write: options.write, workDirectory });
    const found = { ...named, set };
    if (!existsSync(baseFile)) return { ...found, problem: undefined };
    const from = readFingerprint(baseFile);
    const facts = inspectSet(set, from, { shown: text, freeBytes: freeBytes(mountPoint) });
    const choice = chooseCow(facts, { adopt: false });
    if (choice.use) {
      const isBlank = [facts.own, facts.seed].some(
        (each) => each.kind === 'file' && each.file === choice.file && each.start.kind === 'blank',
      );
      if (isBlank) return { ...found, from, problem: undefined };
      const content = await readCow(choice.file, { baseBytes: sizeOfBase(baseFile) });
      if ('problem' in content) return { ...found, from, problem: content.problem.message };
      const changedBytes = content.count * content.chunkBytes;
      return {
        ...found,
        from,
        view: { kind: 'stored', baseFile, cow: choice.file },
        cow: choice.file,
        problem: undefined,
        changedBytes,
      };
    }
    // Nothing was ever written over any base.
    if (choice.reason === 'file-missing') return { ...found, from, problem: undefined };
    return { ...found, from, problem: choice.message, hint: choice.hint };
  } catch (error) {
    return { ...named, problem: messageOf(error), hint: 'attach the disk that holds the overlay' };
  }
}

/** The slot file whose changes count: of what runs, else of the active system. */
export function runningFile(stateDirectory: string, { slot, replaced }: Session['booted']): string {
  const file = (name: string) => join(stateDirectory, name);
  if (slot === 'passive') return file(SLOT_FILES.passive);
  if (replaced && existsSync(file(RUNNING_FILE))) return file(RUNNING_FILE);
  return existsSync(file(SLOT_FILES.active)) ? file(SLOT_FILES.active) : file(SLOT_FILES.passive);
}
