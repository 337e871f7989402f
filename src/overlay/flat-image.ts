// An old view as a plain image file: a copy of the base (a clone where the file system can) with the changed chunks of a
// COW written in. The same bytes as the view that the kernel shows, and as its snapshot-merge leaves behind; needs no
// device-mapper, so it works in containers, in recovery, and on another machine.

import { chmodSync, rmSync, statSync } from 'node:fs';
import { cloneSlotFile } from '../slots/slot-file.ts';
import { HoldfastError } from '../system/errors.ts';
import { breathe, STEP_BYTES, type Work, withFile } from './byte-file.ts';
import { type CowContent, readCowFrom } from './cow-read.ts';
import { sizeOfBase } from './fingerprint.ts';

export interface FlatImageRequest extends Work {
  base: string;
  cow: string;
  /** Replaced if it is there; removed when this fails. */
  to: string;
  /** Write what is right in a damaged COW. */
  salvage?: boolean;
}

/**
 * Writes a view as a flat image, and puts it on the disk.
 * @returns the size of the image and what was changed in it.
 * @throws HoldfastError HF-STATE when the COW can't be read, HF-NO-SPACE, HF-INTERRUPTED.
 */
export async function writeFlatImage({
  base,
  cow,
  to,
  salvage = false,
  ...work
}: FlatImageRequest): Promise<{ sizeBytes: number; changedBytes: number; dropped: number }> {
  const sizeBytes = sizeOfBase(base);
  requireOther(to, [base, cow]);
  return await withFile(cow, 'read', async (source) => {
    const content = requireContent(readCowFrom(source, { baseBytes: sizeBytes, salvage }), cow);
    try {
      await cloneSlotFile(base, to);
      // What the COW keeps from other eyes must not become readable here.
      chmodSync(to, 0o600);
      await withFile(to, 'write', async (target) => {
        const total = content.count * content.chunkBytes;
        let done = 0;
        let breathed = 0;
        for (const { from, at, bytes } of transfers(content, sizeBytes)) {
          const buffer = Buffer.allocUnsafe(bytes);
          source.read(buffer, from);
          target.write(buffer, at);
          done += bytes;
          if (done - breathed < STEP_BYTES) continue;
          breathed = done;
          await breathe(work, done, total);
        }
        target.sync();
      });
    } catch (error) {
      rmSync(to, { force: true });
      throw error;
    }
    return { sizeBytes, changedBytes: content.count * content.chunkBytes, dropped: content.dropped };
  });
}

/** The target is removed before it is written: it must be none of the sources, whatever names they have. */
function requireOther(to: string, sources: readonly string[]): void {
  const target = statSync(to, { throwIfNoEntry: false });
  if (target === undefined) return;
  for (const source of sources) {
    const { dev, ino } = statSync(source);
    if (dev === target.dev && ino === target.ino) {
      throw new HoldfastError('HF-USAGE', `${to} is the same file as ${source}`, { hint: 'name a new file' });
    }
  }
}

/** The content of a COW that was read, or the error that it can't be. */
export function requireContent(content: CowContent | { problem: { message: string } }, file: string): CowContent {
  if (!('problem' in content)) return content;
  throw new HoldfastError('HF-STATE', `${file} can’t be read as a COW: ${content.problem.message}`, {
    hint: `holdfast overlay check ${file} says more`,
  });
}

/** What to copy from where in the COW to where in the base: neighbours at once, the base's short last chunk cut. */
function* transfers(
  { count, oldChunks, newChunks, chunkBytes }: CowContent,
  baseBytes: number,
): Generator<{ from: number; at: number; bytes: number }> {
  const most = STEP_BYTES / chunkBytes;
  for (let index = 0; index < count; ) {
    const oldChunk = oldChunks[index] ?? 0;
    const newChunk = newChunks[index] ?? 0;
    let length = 1;
    while (
      index + length < count &&
      length < most &&
      oldChunks[index + length] === oldChunk + length &&
      newChunks[index + length] === newChunk + length
    ) {
      length += 1;
    }
    const at = oldChunk * chunkBytes;
    yield { from: newChunk * chunkBytes, at, bytes: Math.min(length * chunkBytes, baseBytes - at) };
    index += length;
  }
}
