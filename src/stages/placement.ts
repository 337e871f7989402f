// Puts a file or directory into a root with exactly the mode and owner that were asked for, and says whether anything
// changed. A file is replaced as a whole; what can't be renamed over (devices, /proc, bind mounts) is written in place.

import { chmodSync, chownSync, mkdirSync, readFileSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsyncPath, writeFileDurably } from '../system/durable.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import type { Owner } from './accounts/owner.ts';

export interface Placement extends Owner {
  mode: number;
}

/** Who owns what is made and has no owner of its own in a stage file. */
export function processOwner(): Owner {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

/** Where a temporary file beside the target or a rename over it isn't possible although writing is. */
const WRITE_IN_PLACE = new Set(['EBUSY', 'EACCES', 'EPERM', 'ENOENT', 'EXDEV', 'EINVAL', 'ENOTSUP']);

/**
 * Gives a file this content, mode and owner; its directory must exist. Links are followed inside the root. The name is
 * durable after {@link makeNamesDurable}, which a stage calls once at its end for all that its steps have changed.
 * @returns whether anything was changed.
 */
export function placeFile(root: Root, path: string, content: string | Uint8Array, placement: Placement): boolean {
  return writing(path, () => replaceFile(root, path, content, placement));
}

function replaceFile(root: Root, path: string, content: string | Uint8Array, placement: Placement): boolean {
  const target = root.resolve(path);
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  const old = statSync(target, { throwIfNoEntry: false });
  if (old?.isDirectory()) throw new HoldfastError('HF-IO', `${path} is a directory`);
  if (old?.isFile() && isPlaced(old, placement) && old.size === bytes.length && readFileSync(target).equals(bytes)) {
    return false;
  }
  // To open it would be to wait for its other end.
  if (old?.isFIFO()) throw new HoldfastError('HF-IO', `${path} is a pipe`);
  if (old !== undefined && !old.isFile()) {
    writeFileSync(target, bytes);
    return true;
  }
  try {
    writeFileDurably(target, bytes, { ...placement, name: 'later' });
  } catch (error) {
    if (old === undefined || !WRITE_IN_PLACE.has(errnoOf(error) ?? '')) throw error;
    writeFileSync(target, bytes);
    if (!isPlaced(old, placement)) applyPlacement(target, placement);
  }
  return true;
}

/**
 * Makes a directory with this mode and owner, or gives them to the one that is there.
 * @param parents mode and owner of missing parents.
 * @returns the paths inside the root that were created or changed.
 */
export function placeDirectory(root: Root, path: string, placement: Placement, parents: Placement): string[] {
  return writing(path, () => {
    const target = root.resolve(path);
    const old = statSync(target, { throwIfNoEntry: false });
    if (old !== undefined) {
      if (!old.isDirectory()) throw new HoldfastError('HF-IO', `${path} is there and is no directory`);
      if (isPlaced(old, placement)) return [];
      applyPlacement(target, placement);
      return [root.inside(target)];
    }
    const created = [...makeMissing(dirname(target), parents), ...makeMissing(target, placement)];
    return created.map((directory) => root.inside(directory));
  });
}

/** Makes the missing parents of a path; returns those that were created, inside the root. */
export function placeParents(root: Root, path: string, placement: Placement): string[] {
  const made = writing(path, () => makeMissing(dirname(root.resolve(path)), placement));
  return made.map((directory) => root.inside(directory));
}

/**
 * Gives a file of the system's own this text: mode and owner stay, a new one gets 0644 and its parents 0755.
 * @returns the paths inside the root that were created or changed.
 */
export function placeText(root: Root, path: string, text: string): string[] {
  const old = root.stat(path);
  const owner = old === undefined ? processOwner() : { uid: old.uid, gid: old.gid };
  const parents = placeParents(root, path, { ...owner, mode: 0o755 });
  const mode = old === undefined ? 0o644 : old.mode & 0o7777;
  return placeFile(root, path, text, { ...owner, mode }) ? [...parents, path] : parents;
}

/**
 * Does something to a path. What the system says against it is told with the path: its own words name a temporary file,
 * or none at all.
 */
export function writing<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined || error instanceof HoldfastError) throw error;
    const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'HF-NO-SPACE' : 'HF-IO';
    // Node: "ENOSPC: no space left on device, write".
    const reason = messageOf(error).match(/^E[A-Z0-9]+: ([^,]+)/)?.[1] ?? messageOf(error);
    throw new HoldfastError(code, `${path} can't be written: ${reason}`, { cause: error });
  }
}

/** Makes the names of these paths inside the root durable, each directory once. */
export function makeNamesDurable(root: Root, paths: Iterable<string>): void {
  for (const directory of new Set([...paths].map((path) => dirname(root.resolve(path))))) {
    try {
      fsyncPath(directory);
    } catch (error) {
      // A later step may have removed it, and /proc and /sys know no such thing.
      if (!['ENOENT', 'ENOTDIR', 'EINVAL', 'EROFS'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
}

function makeMissing(directory: string, placement: Placement): string[] {
  if (statSync(directory, { throwIfNoEntry: false }) !== undefined) return [];
  const created = makeMissing(dirname(directory), placement);
  mkdirSync(directory);
  // mkdir's mode passes through the umask; what was asked for is what it gets.
  applyPlacement(directory, placement);
  return [...created, directory];
}

function applyPlacement(target: string, { uid, gid, mode }: Placement): void {
  chownSync(target, uid, gid);
  // After chown, which clears the set-id bits.
  chmodSync(target, mode);
}

function isPlaced(stats: Stats, { uid, gid, mode }: Placement): boolean {
  return stats.uid === uid && stats.gid === gid && (stats.mode & 0o7777) === mode;
}
