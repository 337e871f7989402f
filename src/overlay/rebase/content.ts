// What files hold: their digests, and copies of them that keep holes as holes. A running system changes while it is read, so a
// file is opened without following links anywhere, and read to its end, however long it was said to be.

import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, type Stats, writeSync } from 'node:fs';
import type { TreePath } from '../../image/targettree.ts';
import { errnoOf, HoldfastError, messageOf } from '../../system/errors.ts';
import { run } from '../../system/process.ts';
import type { TreeHandles } from './tree-handles.ts';
import type { TreeObject } from './tree-object.ts';
import { show } from './walk.ts';

const BUFFER_BYTES = 1 << 20;
const BLOCK = 4096;
/** So much is read between two looks at whether the program was interrupted. */
const PAUSE_BYTES = 16 << 20;
/** Larger files may be nothing but holes (`lastlog`), so only what is stored in them is read. */
const LARGE_BYTES = 2 ** 30;
const ZEROES = Buffer.alloc(BLOCK);

interface Range {
  from: number;
  to: number;
}

/**
 * The digest of a file, the same for the same content wherever its holes are: sha256 of the content; of files above 1 GiB,
 * of the blocks that aren't zero and where they are.
 * @returns undefined when there is no file any more.
 * @throws HoldfastError HF-IO, HF-INTERRUPTED.
 */
export async function digestOf(tree: TreeHandles, path: TreePath, signal?: AbortSignal): Promise<string | undefined> {
  const hash = createHash('sha256');
  const size = await readFile(tree, path, { signal }, (bytes, offset, { isLarge }) => {
    if (isLarge) hashBlocks(hash, bytes, offset);
    else hash.update(bytes);
  });
  if (size === undefined) return undefined;
  return size > LARGE_BYTES
    ? `blocks-sha256:${hash.update(String(size)).digest('hex')}`
    : `sha256:${hash.digest('hex')}`;
}

/** All of a small file; undefined when it is no file or larger. */
export async function contentOf(tree: TreeHandles, path: TreePath, maxBytes: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let total = 0;
  const size = await readFile(tree, path, {}, (bytes) => {
    total += bytes.length;
    if (total <= maxBytes) parts.push(Buffer.from(bytes));
  });
  return size !== undefined && total <= maxBytes ? Buffer.concat(parts) : undefined;
}

export interface ReadOptions {
  /** What was decided about: a file with another owner or mode is another one, which others may not be allowed to read. */
  expected?: Pick<TreeObject, 'uid' | 'gid' | 'mode'> | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Copies a file into one that was made just now.
 * @returns how many bytes were written; undefined when there is no such file any more.
 * @throws HoldfastError HF-NO-SPACE, HF-IO, HF-INTERRUPTED.
 */
export async function copyContent(
  tree: TreeHandles,
  path: TreePath,
  to: number,
  options: ReadOptions & { keepHoles: boolean },
): Promise<number | undefined> {
  let written = 0;
  const size = await readFile(tree, path, options, (bytes, offset) => {
    for (const { from: start, to: end } of options.keepHoles ? storedBlocks(bytes) : [{ from: 0, to: bytes.length }]) {
      writeAll(to, bytes.subarray(start, end), offset + start);
      written += end - start;
    }
  });
  if (size === undefined) return undefined;
  ftruncateSync(to, size);
  return written;
}

/** Hands out a file piece by piece; a piece is valid until the next one. Returns its size. */
async function readFile(
  tree: TreeHandles,
  path: TreePath,
  { signal, expected }: ReadOptions,
  use: (bytes: Buffer, offset: number, file: { isLarge: boolean }) => void,
): Promise<number | undefined> {
  const fd = openFile(tree, path);
  if (fd === undefined) return undefined;
  try {
    const stats = fstatSync(fd);
    if (expected !== undefined && !isExpected(stats, expected)) return undefined;
    const isLarge = stats.size > LARGE_BYTES;
    const isSparse = stats.blocks * 512 < stats.size;
    const ranges =
      isLarge && isSparse ? await storedRanges(fd, stats.size) : [{ from: 0, to: Number.MAX_SAFE_INTEGER }];
    const buffer = Buffer.allocUnsafe(Math.min(BUFFER_BYTES, Math.max(BLOCK, stats.size + 1)));
    let sincePause = 0;
    let end = 0;
    for (const { from, to } of ranges) {
      for (let offset = from; offset < to; ) {
        const count = readSync(fd, buffer, 0, Math.min(buffer.length, to - offset), offset);
        if (count === 0) break;
        use(buffer.subarray(0, count), offset, { isLarge });
        offset += count;
        end = offset;
        sincePause += count;
        if (sincePause < PAUSE_BYTES) continue;
        sincePause = 0;
        await new Promise((done) => setImmediate(done));
        if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while files were read');
      }
    }
    return isLarge ? Math.max(end, stats.size) : end;
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new HoldfastError('HF-IO', `${show(path)} could not be read or copied: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    closeSync(fd);
  }
}

function isExpected(stats: Stats, { uid, gid, mode }: Pick<TreeObject, 'uid' | 'gid' | 'mode'>): boolean {
  return stats.uid === uid && stats.gid === gid && (stats.mode & 0o7777) === mode;
}

function openFile(tree: TreeHandles, path: TreePath): number | undefined {
  try {
    const fd = openSync(tree.at(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    return undefined;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(errnoOf(error) ?? '')) return undefined;
    throw new HoldfastError('HF-IO', `${show(path)} could not be opened: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Where a file has blocks, by filefrag(8); all of it where that can't say. */
async function storedRanges(fd: number, size: number): Promise<Range[]> {
  const all = [{ from: 0, to: size }];
  const result = await run(['filefrag', '-s', '-e', '-b1', `/proc/${process.pid}/fd/${fd}`]).catch(() => undefined);
  if (result?.status !== 0) return all;
  return parseRanges(result.stdout, size) ?? all;
}

/** Reads `filefrag -e -b1`: lines of `number: first.. last: …`. Undefined when it isn't that. */
export function parseRanges(text: string, size: number): Range[] | undefined {
  if (!text.includes('logical_offset')) return undefined;
  const ranges: Range[] = [];
  for (const line of text.split('\n')) {
    const [, first, last] = /^\s*\d+:\s*(\d+)\.\.\s*(\d+):/.exec(line) ?? [];
    if (first === undefined || last === undefined) continue;
    const before = ranges.at(-1);
    // Whole blocks of ours: those of the file system may be smaller.
    const from = Math.max(Number(first) - (Number(first) % BLOCK), before?.to ?? 0);
    const to = Math.min(Math.ceil((Number(last) + 1) / BLOCK) * BLOCK, size);
    if (!Number.isSafeInteger(to) || Number(last) < (before?.from ?? 0)) return undefined;
    if (from < to) ranges.push({ from, to });
  }
  return ranges;
}

/** The parts of a piece that aren't zero, by blocks. */
function storedBlocks(bytes: Buffer): Range[] {
  const ranges: Range[] = [];
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const to = Math.min(at + BLOCK, bytes.length);
    if (isZero(bytes.subarray(at, to))) continue;
    const last = ranges.at(-1);
    if (last?.to === at) last.to = to;
    else ranges.push({ from: at, to });
  }
  return ranges;
}

function hashBlocks(hash: Hash, bytes: Buffer, offset: number): void {
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const block = bytes.subarray(at, at + BLOCK);
    if (!isZero(block)) hash.update(`${offset + at}:`).update(block);
  }
}

function isZero(block: Buffer): boolean {
  return block.equals(block.length === BLOCK ? ZEROES : ZEROES.subarray(0, block.length));
}

function writeAll(fd: number, bytes: Buffer, offset: number): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOSPC' && errno !== 'EDQUOT') throw error;
    throw new HoldfastError('HF-NO-SPACE', 'no space is left in the new view', { cause: error });
  }
}
