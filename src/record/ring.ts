// The file that holds the record: preallocated and written in place, round and round, so that it never grows and needs no
// room on a full disk. A line that a power cut tore is passed over; the newest whole line says where the next one goes.

import { closeSync, fstatSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsyncPath } from '../system/durable.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { encodeFrame, type Frame, MAX_JSON_BYTES, scanFrames } from './frame.ts';

export const RING_BYTES = 4 << 20;
/** A file that is smaller is none of ours any more. */
const LEAST_BYTES = 64 << 10;
/** A file that is larger is none either; it is not read to its end. */
export const MOST_RING_BYTES = 4 * RING_BYTES;

export interface RingContent {
  /** Oldest first. */
  lines: readonly Frame[];
  /** How many lines were whole once and are not any more. */
  damaged: number;
}

/** What the file holds; nothing where there is none. */
export function readRing(file: string): RingContent {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { lines: [], damaged: 0 };
    throw error;
  }
  try {
    const bytes = readWhole(fd);
    const { frames, damaged } = scanFrames(bytes);
    const lines = inOrder(frames);
    const next = lines.at(-1)?.end ?? 0;
    // Where the next lines go stands what a power cut tore, among lines that were to be overwritten: nothing is lost there.
    const isTorn = (at: number) => (at - next + bytes.length) % bytes.length <= MAX_JSON_BYTES;
    return { lines, damaged: damaged.filter((at) => !isTorn(at)).length };
  } finally {
    closeSync(fd);
  }
}

/**
 * Appends lines of JSON over the oldest ones; they are on the disk when it returns.
 * @throws HoldfastError HF-NO-SPACE when there is no file yet and no room for it, HF-IO.
 */
export function appendToRing(file: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  const fd = openRing(file);
  try {
    const size = fstatSync(fd).size;
    const newest = inOrder(scanFrames(readWhole(fd)).frames).at(-1);
    let sequence = newest?.sequence ?? -1;
    let at = newest?.end ?? 0;
    for (const line of lines) {
      sequence += 1;
      const bytes = encodeFrame(sequence, line);
      if (at + bytes.length > size) at = 0;
      writeAt(fd, bytes, at);
      at += bytes.length;
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function openRing(file: string): number {
  try {
    const fd = openSync(file, 'r+');
    const { size } = fstatSync(fd);
    if (size >= LEAST_BYTES && size <= MOST_RING_BYTES) return fd;
    closeSync(fd);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  createRing(file);
  return openSync(file, 'r+');
}

/** Makes the file, written to its end: space that is only promised may be missing when a disk is full. */
export function createRing(file: string, content?: Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.new`;
  rmSync(temporary, { force: true });
  try {
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      writeAt(fd, content ?? new Uint8Array(RING_BYTES), 0);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
    fsyncPath(dirname(file));
  } catch (error) {
    rmSync(temporary, { force: true });
    if (errnoOf(error) !== 'ENOSPC') throw error;
    throw new HoldfastError(
      'HF-NO-SPACE',
      `there is no room for the record of this machine (${RING_BYTES >> 20} MiB)`,
      {
        cause: error,
      },
    );
  }
}

/** A file of another length than ours is read all the same, up to a limit. */
function readWhole(fd: number): Buffer {
  const length = Math.min(fstatSync(fd).size, MOST_RING_BYTES);
  const buffer = Buffer.alloc(length);
  let at = 0;
  while (at < length) {
    const count = readSync(fd, buffer, at, length - at, at);
    if (count === 0) break;
    at += count;
  }
  return buffer;
}

function writeAt(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}

/** The same number twice can't come from us; then the later place counts. */
function inOrder(frames: readonly Frame[]): Frame[] {
  return [...new Map(frames.map((frame) => [frame.sequence, frame])).values()].sort((a, b) => a.sequence - b.sequence);
}
