// Which base a command means: a slot of this machine's installed system, or a file. The slot file is only read; its
// partition is mounted read-only where it isn't mounted.

import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { locatePartitions, requirePartition } from '../slots/locate.ts';
import { DEFAULT_LABELS, type Labels, SLOT_FILES } from '../slots/names.ts';
import { HoldfastError } from '../system/errors.ts';
import { mount, unmount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { removeMountPoints } from '../system/work-directory.ts';
import { type Fingerprint, readFingerprint, shortFingerprint, sizeOfBase } from './fingerprint.ts';

export interface BasePlace {
  file: string;
  /** `active`, `passive`, or the file's name as it was given. */
  name: string;
  sizeBytes: number;
  fingerprint: Fingerprint;
}

export interface BaseOptions {
  labels?: Labels;
}

/**
 * Finds a base.
 * @param text `active`, `passive` or the path of a slot file.
 * @throws HoldfastError HF-USAGE, HF-STATE when there is no such slot, HF-UNSUPPORTED for one without an ext file system.
 */
export async function openBase(undo: UndoStack, text: string, options: BaseOptions = {}): Promise<BasePlace> {
  if (isAbsolute(text)) return describeBase(text, text);
  if (text !== 'active' && text !== 'passive') {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(text)} is no base`, {
      hint: 'use active, passive, or the absolute path of a slot file',
    });
  }
  return describeBase(join(await openState(undo, options), SLOT_FILES[text]), text);
}

/** The bases of this machine that an overlay may be for: active and passive, those that are there. */
export async function openBases(undo: UndoStack, options: BaseOptions = {}): Promise<BasePlace[]> {
  const state = await openState(undo, options);
  return (['active', 'passive'] as const).flatMap((slot) => {
    const file = join(state, SLOT_FILES[slot]);
    return existsSync(file) ? [describeBase(file, slot)] : [];
  });
}

/** The base whose fingerprint begins with these digits. */
export function baseWithDigits(bases: readonly BasePlace[], digits: string): BasePlace | undefined {
  return bases.find(({ fingerprint }) => shortFingerprint(fingerprint) === digits);
}

function describeBase(file: string, name: string): BasePlace {
  if (!existsSync(file)) {
    throw new HoldfastError('HF-STATE', `there is no slot file ${file}`, { hint: 'holdfast status shows the slots' });
  }
  return { file, name, sizeBytes: sizeOfBase(file), fingerprint: readFingerprint(file) };
}

async function openState(undo: UndoStack, options: BaseOptions): Promise<string> {
  const labels = options.labels ?? DEFAULT_LABELS;
  const { device, mountPoint } = requirePartition(await locatePartitions(labels), 'state', labels);
  if (mountPoint !== undefined) return mountPoint;
  // Not below the place of the set: that is the owner's disk when it is mounted.
  const at = `/run/holdfast/overlay-state-${process.pid}`;
  undo.always(`remove ${at}`, () => removeMountPoints(at));
  await mount(device, at, { options: ['ro'] });
  undo.always(`unmount ${at}`, () => unmount(at));
  return at;
}
