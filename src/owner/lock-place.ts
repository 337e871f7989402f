// The lock of installed packages where it is kept: in a new system while that is made, and beside the owner's stage file
// from the switch on. A lock that can't be read is none, and that is said.

import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readTextWithin } from '../system/boundedtext.ts';
import { writeFileDurably } from '../system/durable.ts';
import { errnoOf, messageOf } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import { LOCK_FILE, MAX_LOCK_BYTES, type PackageLock, parseLock, renderLock, SLOT_LOCK } from './lock.ts';

export interface ReadLock {
  lock: PackageLock | undefined;
  /** Why it can't be used, or what of it. */
  problem?: string;
}

/** Of the system that was switched to last. */
export function readLock(oemDirectory: string): ReadLock {
  return readLockFile(join(oemDirectory, LOCK_FILE));
}

/** Of the system that a tree is. */
export function readSlotLock(root: Root): ReadLock {
  return readLockFile(root.resolve(SLOT_LOCK));
}

function readLockFile(path: string): ReadLock {
  let text: string;
  try {
    text = readTextWithin(path, MAX_LOCK_BYTES);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return { lock: undefined };
    return { lock: undefined, problem: `${path} can't be read: ${messageOf(error)}` };
  }
  const parsed = parseLock(text);
  if (parsed === undefined) return { lock: undefined, problem: `${path} is no lock of packages; it is passed over` };
  const { lock, dropped } = parsed;
  return { lock, ...(dropped > 0 && { problem: `${path}: ${dropped} entries can't be used and are passed over` }) };
}

export function writeSlotLock(root: Root, lock: PackageLock): void {
  root.writeFile(SLOT_LOCK, renderLock(lock), { mode: 0o644 });
}

export function writeLock(oemDirectory: string, lock: PackageLock): void {
  const path = join(oemDirectory, LOCK_FILE);
  mkdirSync(dirname(path), { recursive: true });
  writeFileDurably(path, renderLock(lock), { mode: 0o644 });
}
