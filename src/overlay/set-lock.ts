// One change of an overlay set at a time. The directory is locked while files are made and renamed in it; a COW alone while
// it grows, which the watch does at any moment. The locks are the kernel's and leave nothing behind.

import { dirname } from 'node:path';
import { lockDirectoryUntilEnd } from '../system/lock.ts';
import type { UndoStack } from '../system/plan.ts';

/** Growing takes seconds, on file systems that can't preallocate minutes. */
const WAIT_SECONDS = 20;

/** @throws HoldfastError HF-LOCKED when another process changes a set in the same directory. */
export async function lockSet(undo: UndoStack, set: string): Promise<void> {
  await lockDirectoryUntilEnd(undo, dirname(set), WAIT_SECONDS);
}

/** @throws HoldfastError HF-LOCKED when another process makes the COW larger or writes it anew. */
export async function lockCow(undo: UndoStack, file: string): Promise<void> {
  await lockDirectoryUntilEnd(undo, file, WAIT_SECONDS);
}
