// The difference between a base and a changed copy of it as a COW: how an overlay is made for a base that isn't running,
// and how one is compacted. Only what really differs is stored, so a block that was changed and changed back costs nothing.

import { rmSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { type ByteFile, breathe, STEP_BYTES, type Work, withFile } from './byte-file.ts';
import { createBlankCow } from './cow-create.ts';
import { CHUNK_BYTES } from './cow-geometry.ts';
import { writeCow } from './cow-write.ts';
import { findUnshared, type Range } from './extents.ts';
import { sizeOfBase } from './fingerprint.ts';

export interface DifferenceRequest extends Work {
  base: string;
  /** Of the same size; nobody writes to it meanwhile. */
  modified: string;
}

/**
 * The chunks of `modified` that aren't as in `base`, in order.
 * @throws HoldfastError HF-STATE when the sizes differ.
 */
export async function changedChunks({ base, modified, ...work }: DifferenceRequest): Promise<number[]> {
  const sizeBytes = sizeOfBase(base);
  if (sizeOfBase(modified) !== sizeBytes) {
    throw new HoldfastError('HF-STATE', `${modified} is not as large as ${base}, so it is no changed copy of it`);
  }
  const ranges = (await findUnshared(base, modified)) ?? [{ from: 0, to: sizeBytes }];
  const changed: number[] = [];
  await withFile(base, 'read', (a) =>
    withFile(modified, 'read', async (b) => {
      for await (const range of stepsOf(ranges, sizeBytes, work)) compareRange(a, b, range, changed);
    }),
  );
  return changed;
}

/**
 * Writes the difference as a COW: allocated, of a good size, mode 0600, on the disk when this returns.
 * @param request.to must not be there; it is removed when this fails.
 * @param request.sizeFor the COW's size in bytes for so many changed bytes; rounded up to a good size. It may refuse.
 * @throws HoldfastError HF-NO-SPACE when the disk or the COW has no room for it.
 */
export async function createCowFromDifference(
  request: DifferenceRequest & { to: string; sizeFor: (changedBytes: number) => number },
): Promise<{ chunks: number; changedBytes: number; sizeBytes: number }> {
  const { modified, to, ...work } = request;
  const changed = await changedChunks(request);
  const changedBytes = changed.length * CHUNK_BYTES;
  const sizeBytes = await createBlankCow(to, request.sizeFor(changedBytes), work);
  try {
    await withFile(to, 'write', (cow) =>
      withFile(modified, 'read', (source) =>
        writeCow(cow, changed, (buffer, first) => void source.readSome(buffer, first * CHUNK_BYTES), work),
      ),
    );
  } catch (error) {
    rmSync(to, { force: true });
    throw error;
  }
  return { chunks: changed.length, changedBytes, sizeBytes };
}

/** Ranges in pieces, whole chunks each, with a breath after each piece. */
async function* stepsOf(ranges: readonly Range[], sizeBytes: number, work: Work): AsyncGenerator<Range> {
  const total = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
  let done = 0;
  let finished = 0;
  for (const range of ranges) {
    // Two ranges may meet in one chunk: it is compared once.
    let at = Math.max(finished, Math.floor(range.from / CHUNK_BYTES) * CHUNK_BYTES);
    const end = Math.min(sizeBytes, Math.ceil(range.to / CHUNK_BYTES) * CHUNK_BYTES);
    while (at < end) {
      const to = Math.min(end, at + STEP_BYTES);
      yield { from: at, to };
      done += to - at;
      at = to;
      await breathe(work, Math.min(done, total), total);
    }
    finished = Math.max(finished, end);
  }
}

function compareRange(a: ByteFile, b: ByteFile, { from, to }: Range, changed: number[]): void {
  const [left, right] = [Buffer.allocUnsafe(to - from), Buffer.allocUnsafe(to - from)];
  a.read(left, from);
  b.read(right, from);
  if (left.equals(right)) return;
  for (let at = 0; at < left.length; at += CHUNK_BYTES) {
    const end = Math.min(left.length, at + CHUNK_BYTES);
    if (left.compare(right, at, end, at, end) !== 0) changed.push((from + at) / CHUNK_BYTES);
  }
}
