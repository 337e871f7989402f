// Writes a file's new content over its old one, but only the blocks that differ: in a clone, what isn't written stays
// shared with the original.

import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { SpareBuffer } from './spare-buffer.ts';

const BLOCK_BYTES = 4096;
export const PATCH_BUFFER_BYTES = 1 << 18;

/**
 * Gives a file the content of a stream. Both have all of their bytes stored.
 * @param at what Node's functions take for the file; a link is not followed.
 * @param content each piece is used up before the next one is asked for.
 * @param buffers of {@link PATCH_BUFFER_BYTES}, for what the file has.
 * @returns how many bytes were written.
 */
export async function patchFile(
  at: string | Buffer,
  content: AsyncIterable<Buffer>,
  buffers = new SpareBuffer(PATCH_BUFFER_BYTES),
): Promise<number> {
  const fd = openSync(at, constants.O_RDWR | constants.O_NOFOLLOW);
  const old = buffers.take();
  try {
    const oldBytes = fstatSync(fd).size;
    let offset = 0;
    let written = 0;
    for await (const piece of content) {
      for (let done = 0; done < piece.length; ) {
        // Up to a border of blocks, so that a block is compared as a whole however the stream is cut.
        const room = old.length - (offset % BLOCK_BYTES);
        const part = piece.subarray(done, done + room);
        const there = readSync(fd, old, 0, part.length, offset);
        written += writeDifferent(fd, part, old.subarray(0, there), offset);
        done += part.length;
        offset += part.length;
      }
    }
    if (oldBytes !== offset) ftruncateSync(fd, offset);
    return written;
  } finally {
    buffers.giveBack(old);
    closeSync(fd);
  }
}

/** Writes the blocks of a part that differ from what is there, neighbours in one go. */
function writeDifferent(fd: number, part: Buffer, old: Buffer, offset: number): number {
  let written = 0;
  let from: number | undefined;
  const flush = (to: number) => {
    if (from === undefined) return;
    for (let at = from; at < to; ) at += writeSync(fd, part, at, to - at, offset + at);
    written += to - from;
    from = undefined;
  };
  for (let at = 0; at < part.length; ) {
    const end = Math.min(part.length, at + BLOCK_BYTES - ((offset + at) % BLOCK_BYTES));
    const isSame = end <= old.length && part.compare(old, at, end, at, end) === 0;
    if (isSame) flush(at);
    else from ??= at;
    at = end;
  }
  flush(part.length);
  return written;
}
