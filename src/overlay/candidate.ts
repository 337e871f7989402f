// What is found about one file that may be the COW for a base: its kind, size, allocation, header, sidecar and failed
// tries. Looked at without following links and without writing anything; choose.ts decides on it.

import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { errnoOf } from '../system/errors.ts';
import { type Binding, readBinding } from './binding.ts';
import { CHUNK_BYTES } from './cow-geometry.ts';
import { type CowStart, readCowStart, START_BYTES } from './cow-header.ts';
import { sidecarFile, triesFile } from './names.ts';

export type Candidate =
  | { kind: 'missing'; file: string }
  | { kind: 'link' | 'directory' | 'special'; file: string }
  | {
      kind: 'file';
      file: string;
      sizeBytes: number;
      allocatedBytes: number;
      uid: number;
      /** Permission bits. */
      mode: number;
      start: CowStart;
      /** Undefined: there is no sidecar. */
      binding: Binding | { problem: string } | undefined;
      /** Boots with it that did not come up. */
      tries: number;
    };

/** Looks at one file. */
export function inspectCandidate(file: string): Candidate {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return { kind: 'missing', file };
  if (stat.isSymbolicLink()) return { kind: 'link', file };
  if (stat.isDirectory()) return { kind: 'directory', file };
  if (!stat.isFile()) return { kind: 'special', file };
  // Between the look and the open it may have become a link or a pipe.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size, blocks, uid, mode } = fstatSync(fd);
    const start = Buffer.alloc(Math.min(START_BYTES, Math.max(size, 0)));
    const read = readSync(fd, start, 0, start.length, 0);
    return {
      kind: 'file',
      file,
      sizeBytes: size,
      allocatedBytes: blocks * 512,
      uid,
      mode: mode & 0o7777,
      start: readCowStart(start.subarray(0, read)),
      binding: readBinding(sidecarFile(file)),
      tries: readTries(triesFile(file)),
    };
  } finally {
    closeSync(fd);
  }
}

/**
 * The number in a file of tries; 0 where there is none. What can't be understood counts as many: a COW that boots fail with
 * must not get away because its counter was damaged too.
 */
export function readTries(file: string): number {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    if (errnoOf(error) === 'ELOOP') return UNREADABLE_TRIES;
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) return UNREADABLE_TRIES;
    const bytes = Buffer.alloc(16);
    const text = bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0)).trim();
    // A crash may leave it empty: the boot that was counted had hardly begun.
    if (text === '') return 0;
    return /^\d{1,9}$/.test(text) ? Number(text) : UNREADABLE_TRIES;
  } finally {
    closeSync(fd);
  }
}

const UNREADABLE_TRIES = 999;

/** How many of a file's bytes have no blocks yet, up to whole chunks: what would be taken from the disk while in use. */
export function missingBytes({ sizeBytes, allocatedBytes }: { sizeBytes: number; allocatedBytes: number }): number {
  const missing = sizeBytes - allocatedBytes;
  return missing > CHUNK_BYTES ? missing : 0;
}
