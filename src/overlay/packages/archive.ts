// Puts package files into an overlay's archive: as a whole or not at all, and never so many that the disk which the COW
// lives on is full.

import { copyFileSync, linkSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fsyncPath } from '../../system/durable.ts';
import { errnoOf } from '../../system/errors.ts';
import { freeBytes } from '../../system/filesystems.ts';
import { archivedName, type PackageFileName } from './archive-names.ts';
import { fileDigest } from './file-digest.ts';

/** Left for the COW itself, which grows on the same disk. */
const RESERVE_BYTES = 256 << 20;

export interface ArchiveOptions {
  /** Free bytes of the archive's disk; default: it is asked. */
  free?: (() => number) | undefined;
}

/**
 * Keeps one file. One that is there already isn't copied again; one of the same file system is only linked.
 * @param options.link the file is nobody's who could still write into it.
 * @returns its name in the archive, or undefined when the disk is almost full.
 */
export function archiveFile(
  path: string,
  directory: string,
  identity: PackageFileName,
  { free = () => freeBytes(directory), link = false }: ArchiveOptions & { link?: boolean } = {},
): string | undefined {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const name = archivedName(identity, fileDigest(path, 'sha256'), extname(path).slice(1));
  const target = join(directory, name);
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return name;
  if (link && linkIfPossible(path, target)) {
    fsyncPath(directory);
    return name;
  }
  if (free() < lstatSync(path).size + RESERVE_BYTES) return undefined;
  const temporary = join(directory, `.${name.slice(-100)}.${process.pid}.tmp`);
  try {
    copyFileSync(path, temporary);
    fsyncPath(temporary);
    renameSync(temporary, target);
    fsyncPath(directory);
  } finally {
    rmSync(temporary, { force: true });
  }
  return name;
}

function linkIfPossible(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}
