// A finished medium gets its name: all of it is on the disk before, and the name holds either the old file or the whole new
// one. Beside it lies its checksum, as sha256sum(1) writes and checks it.

import { createHash } from 'node:crypto';
import { createReadStream, existsSync, lstatSync, mkdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fsyncPath, writeFileDurably } from '../system/durable.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import type { ApplyContext, UndoStack } from '../system/plan.ts';

export interface Published {
  /** Absolute. */
  file: string;
  sizeBytes: number;
  sha256: string;
}

/** Beside a medium. */
export function checksumFile(output: string): string {
  return `${output}.sha256`;
}

/**
 * Looks at the place of a medium before anything is done for it.
 * @param options.directoryMayLack `makeOutputDirectory` will make it.
 * @returns the absolute path.
 * @throws HoldfastError HF-TARGET without its directory, or when something is there and `force` isn't set.
 */
export function inspectOutput(
  output: string,
  { force, directoryMayLack = false }: { force: boolean; directoryMayLack?: boolean },
): string {
  const file = resolve(output);
  const parent = directoryMayLack ? nearestThere(dirname(file)) : dirname(file);
  if (!statSync(parent, { throwIfNoEntry: false })?.isDirectory()) {
    throw new HoldfastError('HF-TARGET', `${parent} is not a directory`, {
      hint: directoryMayLack ? 'name another place with --output' : 'make it first',
    });
  }
  const there = lstatSync(file, { throwIfNoEntry: false });
  if (there === undefined) return file;
  if (!there.isFile()) throw new HoldfastError('HF-TARGET', `${file} is there already and is no file`);
  // Elemental has a number for this (OutFileExists).
  if (!force) {
    throw new HoldfastError('HF-TARGET', `${file} is there already`, {
      exitStatus: 25,
      hint: 'name another file with --name or --output, or overwrite it with --force',
    });
  }
  return file;
}

/**
 * Makes the directory that a medium goes to, and those above it, so that a power cut doesn't take their names. They go again
 * when the command fails.
 * @throws HoldfastError HF-TARGET when that can't be done.
 */
export function makeOutputDirectory(undo: UndoStack, directory: string): void {
  const first = made(directory);
  if (first === undefined) return;
  const fresh: string[] = [];
  for (let each = directory; each.length >= first.length; each = dirname(each)) fresh.push(each);
  undo.onFailure(`remove ${first}`, () => {
    try {
      for (const each of fresh) rmdirSync(each);
    } catch (error) {
      // Somebody else has put something there meanwhile.
      if (!['ENOTEMPTY', 'ENOENT'].includes(errnoOf(error) ?? '')) throw error;
    }
  });
  for (const each of fresh) fsyncPath(dirname(each));
}

/** Returns the highest of the directories that had to be made. */
function made(directory: string): string | undefined {
  try {
    return mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new HoldfastError('HF-TARGET', `can't make ${directory}: ${messageOf(error)}`);
  }
}

/** A path, or the first above it that there is. */
function nearestThere(path: string): string {
  return existsSync(path) ? path : nearestThere(dirname(path));
}

/** The name that a medium has while it is made: on the same file system, and removed unless the medium gets its own. */
export function temporaryOutput(undo: UndoStack, output: string): string {
  const file = join(dirname(output), `.${basename(output)}.${process.pid}.part`);
  rmSync(file, { force: true });
  undo.always(`remove ${file}`, () => rmSync(file, { force: true }));
  return file;
}

/** Gives the finished file its name, and writes its checksum beside it. */
export async function publishFile(
  { signal }: Pick<ApplyContext, 'signal'>,
  temporary: string,
  output: string,
): Promise<Published> {
  const sha256 = await sha256Of(temporary, signal);
  fsyncPath(temporary);
  const { size } = statSync(temporary);
  // An old checksum beside the new file would be wrong for a moment; none is better.
  rmSync(checksumFile(output), { force: true });
  renameSync(temporary, output);
  fsyncPath(dirname(output));
  writeFileDurably(checksumFile(output), `${sha256}  ${basename(output)}\n`);
  return { file: output, sizeBytes: size, sha256 };
}

/** In hexadecimal digits. */
export async function sha256Of(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash, { ...(signal && { signal }) });
  return hash.digest('hex');
}
