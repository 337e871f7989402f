// The cache of package files on the persistent partition: what was installed for the owner, by name, version and digest, so
// that the next system can have it without a network. A file counts only when its content is what its name says.

import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { archiveFile } from '../overlay/packages/archive.ts';
import { archivedName, parseFileName } from '../overlay/packages/archive-names.ts';
import { fileDigest } from '../overlay/packages/file-digest.ts';
import { errnoOf } from '../system/errors.ts';
import { freeBytes } from '../system/filesystems.ts';
import type { LockDatabase, LockedPackage } from './lock.ts';

/** On the persistent partition; mounted at /usr/local. */
export const CACHE_DIRECTORY = '.holdfast/packages';

/** Left free for whatever else is on the partition. */
const RESERVE_BYTES = 64 << 20;
/** What the archive of an overlay leaves free by itself. */
const ARCHIVE_RESERVE_BYTES = 256 << 20;

const EXTENSIONS: Readonly<Record<LockDatabase, string>> = { dpkg: 'deb', rpm: 'rpm', apk: 'apk' };

export class PackageCache {
  readonly directory: string;

  /** @param persistent where the persistent partition is mounted. */
  constructor(persistent: string) {
    this.directory = join(persistent, CACHE_DIRECTORY);
  }

  /**
   * Keeps a file.
   * @param link it is of the same file system and nobody writes into it.
   * @returns its digest; undefined when the partition is almost full.
   */
  keep(
    path: string,
    identity: Pick<LockedPackage, 'name' | 'version' | 'architecture'>,
    { link }: { link: boolean },
  ): string | undefined {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const free = () => freeBytes(this.directory) - RESERVE_BYTES + ARCHIVE_RESERVE_BYTES;
    const name = archiveFile(path, this.directory, identity, { free, link });
    return name === undefined ? undefined : parseFileName(name)?.sha256;
  }

  /** The file of a package as it was locked; undefined when it isn't there, a reason when it can't be used. */
  find(locked: LockedPackage, database: LockDatabase): { path: string } | { problem: string } | undefined {
    if (locked.sha256 === undefined) return undefined;
    const path = join(this.directory, archivedName(locked, locked.sha256, EXTENSIONS[database]));
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
    if (fileDigest(path, 'sha256') === locked.sha256) return { path };
    return { problem: `${path} is damaged and isn't used` };
  }

  /** Removes files that none of these locks names, and what a power cut left. */
  prune(locked: readonly LockedPackage[]): string[] {
    const wanted = new Set(locked.flatMap(({ sha256 }) => sha256 ?? []));
    const removed: string[] = [];
    for (const name of this.#names()) {
      const digest = parseFileName(name)?.sha256;
      if (digest === undefined ? !name.endsWith('.tmp') : wanted.has(digest)) continue;
      rmSync(join(this.directory, name), { force: true });
      removed.push(name);
    }
    return removed;
  }

  #names(): string[] {
    try {
      return readdirSync(this.directory).sort();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  }
}
