// Prepares the COW that was chosen: begins anew when that was asked for, fills its holes, cuts a bad size, binds it to the base.
// From here on its disk is written to; what was in the file before is never lost.

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fsyncPath } from '../system/durable.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { freeBytes, probeFilesystem } from '../system/filesystems.ts';
import { AttachRefusal } from './attach-refusal.ts';
import { readBinding, writeBinding } from './binding.ts';
import { inspectCandidate } from './candidate.ts';
import { type Choice, chooseCow } from './choose.ts';
import { createBlankCow, extendCow, fillHoles, truncate } from './cow-create.ts';
import { type CowContent, readCow } from './cow-read.ts';
import type { Fingerprint } from './fingerprint.ts';
import { asideFile, cowFile, sidecarFile, triesFile, unfinishedFile } from './names.ts';
import { inspectSet } from './overlay-set.ts';

export interface SetOptions {
  /** Where the backing file system is mounted. */
  mountPoint: string;
  /** The set's path on it. */
  path: string;
  /** As on the command line. */
  shown: string;
  base: string;
  baseBytes: number;
  fingerprint: Fingerprint;
  adopt: boolean;
  reset: boolean;
  /** Nothing may be written. */
  readOnly: boolean;
  now: Date;
}

export interface ChosenCow {
  file: string;
  /** Nothing is stored in it. */
  blank: boolean;
  /** Its sidecar says that it is being begun, until {@link finishBeginning}. */
  begun: boolean;
  chunkSectors: number;
  warnings: readonly string[];
}

/**
 * Chooses the COW of a set for the base and makes it ready for the kernel.
 * @throws AttachRefusal with choose.ts' reasons, bad-path, no-space.
 */
export async function prepareCow(options: SetOptions): Promise<ChosenCow> {
  const { mountPoint, path, readOnly, baseBytes } = options;
  refuseLinks(mountPoint, path);
  const warnings: string[] = [];
  if (!readOnly) takeUpUnfinished(options);
  if (options.reset && readOnly) warnings.push('rd.live.overlay.reset does nothing beside rd.live.overlay.readonly');
  else if (options.reset) warnings.push(...(await beginAnew(options)));
  const choice = choose(options);
  if (!choice.use) throw new AttachRefusal(choice.reason, choice.message, choice.hint);
  const { file } = choice;
  const content = await readCow(file, { baseBytes });
  if ('problem' in content) {
    const { reason, message } = content.problem;
    throw new AttachRefusal(
      reason === 'corrupt' ? 'not-a-cow' : reason,
      `${file}: ${message}`,
      'holdfast overlay check',
    );
  }
  const { blank } = content;
  if (readOnly) return { file, blank, begun: false, chunkSectors: choice.chunkSectors, warnings };
  if (choice.cutToBytes !== undefined) await leaveBadSize(file, choice.cutToBytes, content);
  if (choice.allocateBytes > 0) await orNoSpace(fillHoles(file));
  if (blank) await bind(file, options, 'building');
  else if (choice.bind !== 'already') await bind(file, options, 'ready');
  const all = [...warnings, ...choice.warnings];
  return { file, blank, begun: blank, chunkSectors: choice.chunkSectors, warnings: all };
}

/** A chunk less; where a crash or another program has put something into the last one, a chunk more. */
async function leaveBadSize(file: string, cutToBytes: number, { newChunks, chunkBytes }: CowContent): Promise<void> {
  if (newChunks.every((chunk) => (chunk + 1) * chunkBytes <= cutToBytes)) truncate(file, cutToBytes);
  else await orNoSpace(extendCow(file, cutToBytes + 2 * chunkBytes));
}

function choose({ mountPoint, path, shown, fingerprint, adopt }: SetOptions): Choice {
  const facts = inspectSet(join(mountPoint, path), fingerprint, { shown, freeBytes: freeBytes(mountPoint) });
  return chooseCow(facts, { adopt });
}

/** In the sidecar of a COW that no root has run on yet. */
const BEGINNING = 'it is being made ready for its first use';

async function bind(file: string, options: SetOptions, state: 'building' | 'ready'): Promise<void> {
  const { base, baseBytes, fingerprint, now } = options;
  const before = readBinding(sidecarFile(file));
  const { type = 'ext4' } = await probeFilesystem(base);
  writeBinding(sidecarFile(file), {
    baseSizeBytes: baseBytes,
    created: now.toISOString(),
    filesystem: type,
    ...(before !== undefined && !('problem' in before) && before),
    fingerprint,
    state,
    ...(state === 'building' && { note: BEGINNING }),
  });
}

/** The view is complete and on the disk: from now on the COW holds what its owner writes. */
export function finishBeginning(file: string): void {
  const binding = readBinding(sidecarFile(file));
  if (binding === undefined || 'problem' in binding || binding.state !== 'building') return;
  const { note: _, ...rest } = binding;
  writeBinding(sidecarFile(file), { ...rest, state: 'ready' });
}

/** The power failed while a blank COW was made ready. Nothing of the owner's is in it: it is made blank again. */
function takeUpUnfinished({ mountPoint, path, fingerprint }: SetOptions): void {
  const set = join(mountPoint, path);
  for (const file of [cowFile(set, fingerprint), set]) {
    const binding = readBinding(sidecarFile(file));
    if (binding === undefined || 'problem' in binding) continue;
    if (binding.state !== 'building' || binding.note !== BEGINNING) continue;
    if (!lstatSync(file, { throwIfNoEntry: false })?.isFile()) continue;
    zeroStart(file);
    finishBeginning(file);
  }
}

/** What decides whether a file is blank, as dracut's reset does it: the kernel then begins a new COW. */
function zeroStart(file: string): void {
  const fd = openSync(file, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    writeSync(fd, Buffer.alloc(Math.min(64 * 1024, fstatSync(fd).size)), undefined, undefined, 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** A directory on the way that is a link would lead out of the disk. */
function refuseLinks(mountPoint: string, path: string): void {
  const parts = dirname(path)
    .split(sep)
    .filter((part) => part !== '');
  let at = mountPoint;
  for (const part of parts) {
    at = join(at, part);
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (stat === undefined)
      throw new AttachRefusal('file-missing', `${path}: there is no directory ${part} on the disk`);
    if (!stat.isDirectory()) throw new AttachRefusal('bad-path', `${path}: ${part} is no directory on the disk`);
  }
}

/** Less than this isn't worth beginning with. */
const SMALLEST_RESET_BYTES = 32 << 20;

/** dracut's rd.live.overlay.reset, but what was there is kept: the COW of this base is set aside and a blank one takes over. */
async function beginAnew(options: SetOptions): Promise<string[]> {
  const { mountPoint, path, fingerprint, now } = options;
  const set = join(mountPoint, path);
  const own = cowFile(set, fingerprint);
  const old = lstatSync(own, { throwIfNoEntry: false })?.isFile() ? own : seedOfThisBase(set, fingerprint);
  if (old === undefined) return [];
  const blank = unfinishedFile(own);
  // Of a reset that was cut off; nothing of it is used.
  rmSync(blank, { force: true });
  const wanted = lstatSync(old).size;
  // Both must fit: a smaller one does until there is room to grow.
  const room = Math.floor(freeBytes(mountPoint) * 0.9);
  const size = room < wanted && room >= SMALLEST_RESET_BYTES ? room : wanted;
  await orNoSpace(createBlankCow(blank, size));
  const aside = asideFile(old, now, existsSync);
  // The changes before what says whose they are: without it they could be found only by their name.
  renameSync(old, aside);
  if (existsSync(sidecarFile(old))) renameSync(sidecarFile(old), sidecarFile(aside));
  rmSync(triesFile(old), { force: true });
  renameSync(blank, own);
  fsyncPath(dirname(own));
  const mib = (bytes: number) => `${Math.floor(bytes / (1 << 20))} MiB`;
  return [
    `what was in the overlay is kept in ${aside}`,
    ...(size < wanted ? [`beside it there was room for ${mib(size)} only, where ${mib(wanted)} were`] : []),
  ];
}

/** The seed file when it is bound to this base, or is a COW that is bound to none. */
function seedOfThisBase(set: string, fingerprint: Fingerprint): string | undefined {
  const seed = inspectCandidate(set);
  if (seed.kind !== 'file') return undefined;
  const { binding, start } = seed;
  if (binding === undefined) return start.kind === 'cow' || start.kind === 'bad-header' ? set : undefined;
  return !('problem' in binding) && binding.fingerprint === fingerprint ? set : undefined;
}

async function orNoSpace(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-NO-SPACE') {
      throw new AttachRefusal('no-space', messageOf(error), error.hint);
    }
    throw error;
  }
}

/** Marks a COW as one that must not be used until somebody has looked at it. */
export function quarantine(file: string, note: string): void {
  const sidecar = sidecarFile(file);
  const binding = readBinding(sidecar);
  if (binding === undefined || 'problem' in binding) return;
  writeBinding(sidecar, { ...binding, state: 'quarantined', note });
}
