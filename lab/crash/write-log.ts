// What a disk was told to do, in order, as QEMU's blklogwrites writes it down (the format of the kernel's dm-log-writes):
// a superblock, then for each request a sector that describes it, followed by its data.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { HoldfastError } from '../../src/system/errors.ts';

const SECTOR = 512;
const MAGIC = 0x6a736677736872n;
const FLUSH = 1n;
const DISCARD = 4n;
const CHUNK = 4 << 20;

/** One request; offsets and sizes in bytes. */
export interface LogEntry {
  kind: 'write' | 'zero' | 'flush';
  /** On the disk. */
  offset: number;
  size: number;
  /** Where its data is in the log. */
  dataAt: number;
}

/**
 * Reads a log's requests, without their data. Writes of nothing but zeros come out as such.
 * @param endBytes the size that the log had at the end of what is of interest; default: all of it.
 * @throws HoldfastError HF-IO when it is no such log.
 */
export function readLog(file: string, endBytes = Number.POSITIVE_INFINITY): LogEntry[] {
  const fd = openSync(file, 'r');
  try {
    const end = Math.min(endBytes, fstatSync(fd).size);
    const head = Buffer.alloc(32);
    readSync(fd, head, 0, 32, 0);
    if (head.readBigUInt64LE(0) !== MAGIC || head.readUInt32LE(24) !== SECTOR) {
      throw new HoldfastError('HF-IO', `${file} is no log of a disk's writes`);
    }
    const entries: LogEntry[] = [];
    for (let at = SECTOR; at + SECTOR <= end; ) {
      readSync(fd, head, 0, 32, at);
      const offset = Number(head.readBigUInt64LE(0)) * SECTOR;
      const size = Number(head.readBigUInt64LE(8)) * SECTOR;
      const flags = head.readBigUInt64LE(16);
      const dataAt = at + SECTOR;
      const isDiscard = (flags & DISCARD) !== 0n;
      // Nothing follows the last request but the rest of the file, which is empty.
      if (offset === 0 && size === 0 && flags === 0n) break;
      at = dataAt + (isDiscard ? 0 : size);
      if (at > end) break;
      if (size > 0) {
        const zero = isDiscard || isZero(fd, dataAt, size);
        entries.push({ kind: zero ? 'zero' : 'write', offset, size, dataAt });
      }
      if ((flags & FLUSH) !== 0n) entries.push({ kind: 'flush', offset: 0, size: 0, dataAt });
    }
    return entries;
  } finally {
    closeSync(fd);
  }
}

function isZero(fd: number, at: number, size: number): boolean {
  const chunk = Buffer.alloc(Math.min(size, CHUNK));
  const zeros = Buffer.alloc(chunk.length);
  for (let done = 0; done < size; done += chunk.length) {
    const length = Math.min(chunk.length, size - done);
    readSync(fd, chunk, 0, length, at + done);
    if (chunk.compare(zeros, 0, length, 0, length) !== 0) return false;
  }
  return true;
}
