// Writes that survive a power cut in order: content first, then the name, then the directory that holds the name.
// A rename alone is durable for Linux only; GRUB never replays a journal, so a set of renames that must be seen by
// GRUB ends with `freezeAndThaw`.

import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { commandFailed, run, runChecked } from './process.ts';

/** Of Linux' own file systems. */
const LONGEST_NAME_BYTES = 255;

export interface WriteFileOptions {
  /** Permission bits, special bits included; default: those of the file that is replaced, else 0644. */
  mode?: number;
  /** Default: those of the file that is replaced, else the process's own. */
  uid?: number;
  gid?: number;
  /** `later`: the caller makes the new name durable with {@link fsyncPath} on its directory; until then a power cut may
   * bring the old file back, whole. Default `now`. */
  name?: 'now' | 'later';
}

/** fsync of a file or directory by name. */
export function fsyncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Replaces `path` as a whole; at any instant the name holds either the old content or all of the new. */
export function writeFileDurably(path: string, content: string | Uint8Array, options: WriteFileOptions = {}): void {
  const temporary = stageFile(path, content, options);
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (options.name !== 'later') fsyncPath(dirname(path));
}

/**
 * Writes what is to replace `path` beside it, for the caller to rename: of several files, all can be written before
 * the first is replaced.
 * @returns the name of the temporary file, whose content, mode and owner are on the disk.
 */
export function stageFile(path: string, content: string | Uint8Array, options: WriteFileOptions = {}): string {
  const old = statSync(path, { throwIfNoEntry: false });
  const temporary = temporaryName(path);
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  // What a process of the same number left, or a link that another user has put there and that must not be followed.
  rmSync(temporary, { force: true });
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    writeAll(fd, bytes);
    const uid = options.uid ?? old?.uid;
    const gid = options.gid ?? old?.gid;
    if (uid !== undefined || gid !== undefined)
      fchownSync(fd, uid ?? process.getuid?.() ?? 0, gid ?? process.getgid?.() ?? 0);
    // After chown, which clears the set-id bits.
    fchmodSync(fd, options.mode ?? (old === undefined ? 0o644 : old.mode & 0o7777));
    fsyncSync(fd);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  return temporary;
}

/** Beside the file; a name that would become too long for a file is cut. */
function temporaryName(path: string): string {
  const end = `.${process.pid}.tmp`;
  let name = basename(path);
  while (Buffer.byteLength(name) + end.length > LONGEST_NAME_BYTES) name = name.slice(0, -1);
  return join(dirname(path), name + end);
}

/** Overwrites a file's first bytes in place, keeping its inode and blocks; what boot loaders read and write. */
export function overwriteInPlace(path: string, content: Uint8Array): void {
  const fd = openSync(path, 'r+');
  try {
    writeAll(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Renames within one directory's filesystem and makes the new name durable for Linux. */
export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  fsyncPath(dirname(to));
}

/** Gives a file a second name and makes that name durable for Linux. */
export function linkDurably(from: string, to: string): void {
  linkSync(from, to);
  fsyncPath(dirname(to));
}

/**
 * Flushes a filesystem and empties its journal, so that GRUB sees what Linux sees (measured: after a plain fsync GRUB
 * reads the old name, or worse). Takes no signal on purpose: between freeze and thaw nothing may interrupt.
 */
export async function freezeAndThaw(mountPoint: string): Promise<void> {
  const frozen = await run(['fsfreeze', '--freeze', mountPoint]);
  await runChecked(['fsfreeze', '--unfreeze', mountPoint]);
  if (frozen.status !== 0) throw commandFailed(frozen);
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
}
