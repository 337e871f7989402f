// Writes a COW anew: `compact` without what equals the base, `repair` from what is right in a damaged one, after a check of
// its file system. Always into a new file; the old one is untouched until the new one is whole, and a repair keeps it.

import { existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsyncPath } from '../system/durable.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { UndoStack } from '../system/plan.ts';
import { commandFailed, run } from '../system/process.ts';
import type { BasePlace } from './base-place.ts';
import { type Binding, readBinding, writeBinding } from './binding.ts';
import type { Work } from './byte-file.ts';
import { requireScratchRoom } from './check.ts';
import { readCow } from './cow-read.ts';
import { createCowFromDifference } from './difference.ts';
import { writeFlatImage } from './flat-image.ts';
import { requireUnused } from './in-use.ts';
import { asideFile, sidecarFile, triesFile, unfinishedFile } from './names.ts';
import { lockCow, lockSet } from './set-lock.ts';
import { goodBytes } from './sizes.ts';

export interface RewriteRequest extends Work {
  file: string;
  base: BasePlace;
  /** Where an image of the view may be for a while. */
  scratch: string;
  /** The new file's size for so many changed bytes. */
  sizeFor: (changedBytes: number) => number;
  /** Told at each of its steps. */
  tell: (text: string) => void;
}

export interface RewriteResult {
  sizeBytes: number;
  changedBytes: number;
  /** Entries of the old file that could not be right. */
  dropped: number;
  /** Whether the file system had errors. */
  repaired: boolean;
  /** Where the old file is now; undefined when it is gone. */
  aside: string | undefined;
}

/**
 * Drops from a COW what equals its base.
 * @throws HoldfastError HF-LOCKED while it is in use or changed by another process, HF-STATE when it is not in order.
 */
export async function compactCow(request: RewriteRequest): Promise<RewriteResult> {
  return await rewrite(request, { salvage: false, keep: undefined });
}

/**
 * Saves what is right in a COW that is damaged, invalid, or held back: its good entries, then e2fsck on the view.
 * @throws HoldfastError HF-STATE when nothing of it is right, or its file system is beyond repair.
 */
export async function repairCow(request: RewriteRequest & { now: Date }): Promise<RewriteResult> {
  return await rewrite(request, { salvage: true, keep: asideFile(request.file, request.now, existsSync) });
}

async function rewrite(
  request: RewriteRequest,
  { salvage, keep }: { salvage: boolean; keep: string | undefined },
): Promise<RewriteResult> {
  const { file, base, scratch, sizeFor, tell, ...work } = request;
  const fresh = unfinishedFile(file);
  const undo = new UndoStack();
  await lockSet(undo, file);
  try {
    await lockCow(undo, file);
    await requireUnused(file);
    const binding = requireBinding(file, base);
    await requireOrder(file, binding, salvage);
    requireScratchRoom(scratch, base.sizeBytes);
    rmSync(fresh, { force: true });
    tell('writing the system with its changes as an image');
    const { dropped, changedBytes } = await writeFlatImage({
      base: base.file,
      cow: file,
      to: scratch,
      salvage,
      ...work,
    });
    if (salvage && changedBytes === 0 && dropped > 0) {
      throw new HoldfastError('HF-STATE', `${file} has no change in it that can be right`, {
        hint: 'was it overwritten? holdfast overlay drop removes it',
      });
    }
    if (salvage) tell('checking its file system');
    const repaired = salvage && (await repairFilesystem(scratch, work));
    tell('writing the changes anew');
    const written = await createCowFromDifference({
      base: base.file,
      modified: scratch,
      to: fresh,
      sizeFor: (bytes) => goodBytes(Math.max(sizeFor(bytes), bytes + bytes / 128 + (1 << 20))),
      ...work,
    });
    const content = await readCow(fresh, { baseBytes: base.sizeBytes });
    if ('problem' in content) throw new HoldfastError('HF-IO', `${fresh}: ${content.problem.message}`);
    if (content.count !== written.chunks)
      throw new HoldfastError('HF-IO', `${fresh} doesn’t hold what was written to it`);
    swapIn(file, fresh, keep, { ...binding, state: 'ready' });
    return { sizeBytes: written.sizeBytes, changedBytes: written.changedBytes, dropped, repaired, aside: keep };
  } finally {
    rmSync(scratch, { force: true });
    rmSync(fresh, { force: true });
    await undo.unwind(true);
  }
}

/** What isn't whole yet is nobody's; and what is damaged is mended by a repair, which keeps it. */
async function requireOrder(file: string, { state, note }: Binding, salvage: boolean): Promise<void> {
  if (state === 'building') {
    throw new HoldfastError('HF-STATE', `${file} was never finished: its making was broken off`, {
      hint: 'make it again; holdfast overlay drop removes it',
    });
  }
  if (salvage) return;
  if (state !== 'ready') {
    throw new HoldfastError('HF-STATE', `${file} is held back${note === undefined ? '' : `: ${note}`}`, {
      hint: 'holdfast overlay repair first',
    });
  }
  const content = await readCow(file);
  if (!('problem' in content) && !content.valid) {
    throw new HoldfastError('HF-STATE', `${file} was marked invalid by the kernel`, {
      hint: 'holdfast overlay repair first',
    });
  }
}

function requireBinding(file: string, base: BasePlace): Binding {
  const binding = readBinding(sidecarFile(file));
  const isUsable = binding !== undefined && !('problem' in binding);
  if (!isUsable) {
    throw new HoldfastError('HF-STATE', `nothing says which system ${file} belongs to`, {
      hint: 'if it is this one: holdfast overlay adopt',
    });
  }
  if (binding.fingerprint === base.fingerprint) return binding;
  throw new HoldfastError('HF-STATE', `${file} belongs to another system than ${base.name}`, {
    hint: 'name its slot file with --base',
  });
}

/** @returns whether there were errors. */
async function repairFilesystem(image: string, { signal }: Work): Promise<boolean> {
  const result = await run(['e2fsck', '-f', '-y', image], { signal });
  // e2fsck(8): 1 and 2 are errors that were corrected.
  if (result.status === 0) return false;
  if (result.status === 1 || result.status === 2) return true;
  throw new HoldfastError('HF-STATE', 'the file system of the changed system can’t be repaired', {
    cause: commandFailed(result),
    hint: 'holdfast overlay export writes it as an image, for other tools',
  });
}

/** The new file takes the old one's name; at every instant the name holds one of them whole, where files can have two names. */
function swapIn(file: string, fresh: string, keep: string | undefined, binding: Binding): void {
  const { note: _, ...clean } = binding;
  const sidecar = sidecarFile(file);
  if (keep !== undefined) {
    // Until the new sidecar is there, the old one keeps this file from being used.
    writeBinding(sidecarFile(keep), { ...clean, state: 'quarantined', note: 'set aside by a repair' });
    giveName(file, keep);
  }
  renameSync(fresh, file);
  fsyncPath(dirname(file));
  writeBinding(sidecar, clean);
  if (existsSync(triesFile(file))) rmSync(triesFile(file));
  fsyncPath(dirname(file));
}

function giveName(file: string, name: string): void {
  try {
    linkSync(file, name);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(errnoOf(error) ?? '')) throw error;
    renameSync(file, name);
  }
}
