// Makes COW files: allocated to the last byte, since a disk that runs full below a sparse COW destroys it, of a size that
// no kernel stumbles over, and readable by root alone, since it holds password files in clear.

import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import { freeBytes } from '../system/filesystems.ts';
import { run } from '../system/process.ts';
import { ByteFile, breathe, STEP_BYTES, type Work } from './byte-file.ts';
import { goodBytes } from './sizes.ts';

/**
 * Makes a blank COW; the kernel writes the header when it is first used. It is on the disk when this returns.
 * @param sizeBytes rounded up to a good size.
 * @returns its size.
 * @throws HoldfastError HF-NO-SPACE when the disk has no room for all of it; nothing is left then.
 */
export async function createBlankCow(path: string, sizeBytes: number, work: Work = {}): Promise<number> {
  const size = goodBytes(sizeBytes);
  requireRoom(path, size);
  const file = new ByteFile(path, 'create');
  try {
    await allocate(file, 0, size, work);
    file.sync();
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    file.close();
  }
  return size;
}

/**
 * Makes a COW longer, and the new part allocated; it may be in use meanwhile, but nobody else may make it longer.
 * @param visibleBytes how much of it a loop device shows already: that part may hold data, whatever happens here.
 * @returns its new size.
 */
export async function extendCow(path: string, sizeBytes: number, work: Work = {}, visibleBytes = 0): Promise<number> {
  const size = goodBytes(sizeBytes);
  const file = new ByteFile(path, 'write');
  try {
    const before = file.sizeBytes;
    if (size <= before) return before;
    if (visibleBytes > before) {
      throw new HoldfastError('HF-STATE', `${path} is shorter than the device that shows it: it was cut while in use`, {
        hint: 'reboot without it, then holdfast overlay check',
      });
    }
    requireRoom(path, size - before);
    try {
      await allocate(file, before, size, work);
    } catch (error) {
      truncate(path, before);
      throw error;
    }
    file.sync();
    return size;
  } finally {
    file.close();
  }
}

/** Gives all holes of a file their blocks; its content stays. */
export async function fillHoles(path: string): Promise<void> {
  const { size } = statOf(path);
  const result = await run(['fallocate', '--length', String(size), path]);
  if (result.status === 0) return;
  throw new HoldfastError('HF-NO-SPACE', `the holes of ${path} could not be filled: ${result.stderr.trim()}`, {
    hint: 'copy it with cp --sparse=never to a disk that has room for all of it',
  });
}

/** Cuts a file; for sizes that are bad by one chunk that nothing is in. */
export function truncate(path: string, sizeBytes: number): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    ftruncateSync(fd, sizeBytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Bytes without blocks are asked of fallocate(1); a file system that can't is written with zeros. */
async function allocate(file: ByteFile, from: number, to: number, work: Work): Promise<void> {
  const argv: [string, ...string[]] = ['fallocate', '--offset', String(from), '--length', String(to - from), file.path];
  const result = await run(argv, { signal: work.signal });
  if (result.status === 0) return;
  if (/no space left/i.test(result.stderr)) {
    throw new HoldfastError('HF-NO-SPACE', `there is no room for ${file.path}: ${to - from} bytes are needed`);
  }
  const zeros = Buffer.alloc(STEP_BYTES);
  for (let at = from; at < to; at += zeros.length) {
    file.write(zeros.subarray(0, Math.min(zeros.length, to - at)), at);
    await breathe(work, at - from, to - from);
  }
}

function requireRoom(path: string, needed: number): void {
  const free = freeBytes(dirname(path));
  if (free >= needed) return;
  const mib = (bytes: number) => `${Math.floor(bytes / (1 << 20))} MiB`;
  throw new HoldfastError('HF-NO-SPACE', `there is no room for ${path}: ${mib(needed)} are needed, ${mib(free)} free`, {
    hint: 'give a smaller --size, or make room on that disk; nothing was changed',
  });
}

function statOf(path: string): { size: number } {
  const fd = openSync(path, 'r');
  try {
    return fstatSync(fd);
  } finally {
    closeSync(fd);
  }
}
