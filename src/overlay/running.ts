// How the overlay of this boot is: used or not and why, how full by the kernel's own words, and what the owner should do.

import { lstatSync } from 'node:fs';
import {
  type AttachedOverlay,
  BASE_DIRECTORY,
  readAttachedOverlay,
  troubleOfOverlay,
} from '../boot/attached-overlay.ts';
import { freeBytes } from '../system/filesystems.ts';
import { isReadOnly, mountAt } from '../system/mounts.ts';
import { sizeOfBase } from './fingerprint.ts';
import { readSnapshotStatus, type SnapshotStatus } from './snapshot-status.ts';
import { cannotOverflow } from './watch-policy.ts';

export interface RunningOverlay {
  attached: AttachedOverlay;
  /** Undefined where the overlay isn't used, or the kernel couldn't be asked. */
  status?: SnapshotStatus;
  /** Of the COW file and of the base; undefined where there is none. */
  sizeBytes?: number;
  baseBytes?: number;
  /** Free on the COW's disk. */
  freeBytes?: number;
  /** It takes every chunk of the base. */
  cannotOverflow?: boolean;
  rootReadOnly: boolean;
}

/** Looks at the running overlay; undefined where this boot was asked for none. */
export async function inspectRunning(): Promise<RunningOverlay | undefined> {
  const attached = readAttachedOverlay();
  if (attached === undefined) return undefined;
  const root = mountAt('/');
  const found: RunningOverlay = { attached, rootReadOnly: root !== undefined && isReadOnly(root) };
  if (!attached.used) return found;
  const status = await readSnapshotStatus();
  const base = mountAt(BASE_DIRECTORY)?.source;
  if (status !== undefined) found.status = status;
  if (base?.startsWith('/dev/')) found.baseBytes = sizeOfBase(base);
  if (attached.file !== undefined) {
    const size = lstatSync(attached.file, { throwIfNoEntry: false })?.size;
    if (size !== undefined) found.sizeBytes = size;
  }
  if (attached.backing !== undefined && mountAt(attached.backing) !== undefined) {
    found.freeBytes = freeBytes(attached.backing);
  }
  if (found.sizeBytes !== undefined && found.baseBytes !== undefined) {
    found.cannotOverflow = cannotOverflow(found.sizeBytes, found.baseBytes);
  }
  return found;
}

/** What is wrong with it: a sentence, or undefined. For `holdfast status`, which asks the kernel too. */
export function troubleOf({ attached, status, rootReadOnly }: RunningOverlay): string | undefined {
  if (status?.state === 'overflow') return 'The overlay of / is full: no more changes are kept. Make room and reboot.';
  if (status !== undefined && status.state !== 'ok') return `The overlay of / is broken (${status.state}).`;
  const trouble = troubleOfOverlay(attached);
  if (trouble !== undefined) return trouble;
  if (attached.used && rootReadOnly && attached.permission === 'rw') {
    return '/ was made read-only: its overlay is almost full, or its file system has an error.';
  }
  return undefined;
}
