// What a file system is read from: a device or an image, by place and length. Media come from anyone, so every number
// found on one is checked against what was really read.

import { closeSync, openSync, readSync } from 'node:fs';

/** Reads exactly `length` bytes at a place. @throws MediumError when they aren't there. */
export type ReadBytes = (offset: number, length: number) => Buffer;

/** A file system that is only read. */
export interface Volume {
  label: string;
  /**
   * The bytes of a file; undefined when there is none of that name.
   * @param path absolute, with `/`.
   * @throws MediumError when the medium contradicts itself.
   */
  read: (path: string) => Buffer | undefined;
}

/** What is wrong with a medium. */
export class MediumError extends Error {}

/** More than this is no user data. */
export const MAX_FILE_BYTES = 16 << 20;

/** Opens a device or image; the reader works until `close`. */
export function openSource(path: string): { read: ReadBytes; close: () => void } {
  const fd = openSync(path, 'r');
  const read = (offset: number, length: number) => {
    if (length < 0 || length > MAX_FILE_BYTES) throw new MediumError(`a part of ${length} bytes can't be right`);
    const bytes = Buffer.alloc(length);
    let at = 0;
    while (at < length) {
      const count = readSync(fd, bytes, at, length - at, offset + at);
      if (count === 0) throw new MediumError(`it ends before byte ${offset + length}`);
      at += count;
    }
    return bytes;
  };
  return { read, close: () => closeSync(fd) };
}

/** The parts of a path. */
export function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}
