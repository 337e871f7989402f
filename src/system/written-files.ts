// Which files of a root are as a stage last wrote them: digests by path, kept in the root itself. On a root whose writes
// survive reboots the output of a stage stays when its step is gone; by this list it isn't taken for the owner's edit.

import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { errnoOf } from './errors.ts';
import type { Root } from './root.ts';

/** Lines of `DIGEST MODE:UID:GID "PATH"`, the path as JSON; of removed paths and links without mode and owner: `-`. */
export const WRITTEN_FILES = '/var/lib/holdfast/written-by-stages';

/** Of a path that a stage removed. */
export const REMOVED = 'removed';
const MAX_BYTES = 16 << 20;
const MAX_ENTRIES = 100_000;

export interface WrittenFile {
  /** sha256 of a file's content or of a link's target, or {@link REMOVED}. */
  digest: string;
  /** `MODE:UID:GID`, the mode in octal; `-` where it doesn't count. */
  attributes: string;
}

/** By absolute path without links in it. */
export type WrittenFiles = ReadonlyMap<string, WrittenFile>;

/** The list of a root; lines that can't be read are passed over, since the owner may have written there. */
export function readWrittenFiles(root: Root): Map<string, WrittenFile> {
  const stats = root.stat(WRITTEN_FILES);
  if (!stats?.isFile() || stats.size > MAX_BYTES) return new Map();
  return parseWrittenFiles(root.readText(WRITTEN_FILES));
}

export function parseWrittenFiles(text: string): Map<string, WrittenFile> {
  const files = new Map<string, WrittenFile>();
  for (const line of text.split('\n')) {
    const [, digest, attributes = '', quoted] = /^([0-9a-f]{64}|removed) (\S+) (".*")$/.exec(line) ?? [];
    if (digest === undefined || quoted === undefined || files.size >= MAX_ENTRIES) continue;
    try {
      const path: unknown = JSON.parse(quoted);
      if (typeof path === 'string' && path.startsWith('/')) files.set(path, { digest, attributes });
    } catch {
      // A line that was cut off.
    }
  }
  return files;
}

export function renderWrittenFiles(files: WrittenFiles): string {
  const lines = [...files].map(([path, { digest, attributes }]) => `${digest} ${attributes} ${JSON.stringify(path)}\n`);
  return lines.sort().join('');
}

/**
 * What a path holds, as in the list; undefined for what has no place in it (directories, devices, pipes).
 * @param path inside the root, without links in the directories above it.
 */
export function describePath(root: Root, path: string): WrittenFile | undefined {
  const at = root.resolve(path, { followLast: false });
  const stats = lstatSync(at, { throwIfNoEntry: false });
  if (stats === undefined) return { digest: REMOVED, attributes: '-' };
  if (stats.isSymbolicLink()) {
    return { digest: createHash('sha256').update(readlinkSync(at, 'buffer')).digest('hex'), attributes: '-' };
  }
  const digest = stats.isFile() ? digestOfFile(at) : undefined;
  return digest === undefined ? undefined : { digest, attributes: attributesOf(stats) };
}

/** As in the list. */
export function attributesOf({ mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'>): string {
  return `${(mode & 0o7777).toString(8)}:${uid}:${gid}`;
}

function digestOfFile(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    // It was replaced in between.
    if (errnoOf(error) === 'ELOOP' || errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    const hash = createHash('sha256');
    const buffer = Buffer.alloc(1 << 16);
    for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer))
      hash.update(buffer.subarray(0, count));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}
