// What a container's root holds, as one word: the next pod of the same image must come to the same, in a second or two, so
// not all of it is read. What every entry is counts, and the content of those files that tell two builds apart even where
// their builder clamps all times: the names of the system, its packages, its settings and the files that holdfast put there.

import { createHash, type Hash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';

/** Directories whose content belongs to the container's runtime, and what it leaves beside them. */
const NOT_OF_THE_IMAGE = new Set(['dev', 'host', 'mnt', 'proc', 'run', 'sys', 'tmp', '.dockerenv']);

/** Below these, files are read as far as they are no larger than the bound. */
const READ_BELOW = ['etc/', 'system/', 'usr/lib/holdfast/', 'usr/share/holdfast'];
const READ_BYTES = 256 << 10;
const READ_WHOLE = new Set([
  'usr/lib/os-release',
  'var/lib/dpkg/status',
  'lib/apk/db/installed',
  'usr/lib/sysimage/rpm/rpmdb.sqlite',
  'usr/lib/sysimage/rpm/Packages.db',
  'var/lib/rpm/rpmdb.sqlite',
  'var/lib/rpm/Packages',
]);
const MAX_READ_BYTES = 256 << 20;

/**
 * The content of a tree.
 * @param leftOut paths relative to it that are not of it.
 * @returns `tree:` and 64 hexadecimal digits.
 * @throws HoldfastError HF-INTERRUPTED.
 */
export async function identifyTree(
  directory: string,
  { leftOut = [], signal }: { leftOut?: readonly string[]; signal?: AbortSignal } = {},
): Promise<string> {
  const hash = createHash('sha256');
  const { dev } = lstatSync(directory);
  const top = Buffer.from(directory, 'utf8').toString('latin1');
  const skipped = new Set(leftOut);
  let count = 0;
  const visit = async (parent: string): Promise<void> => {
    const names = readdirSync(bytes(parent === '' ? top : `${top}/${parent}`), { encoding: 'latin1' }).sort();
    for (const name of names) {
      const path = parent === '' ? name : `${parent}/${name}`;
      if (skipped.has(Buffer.from(path, 'latin1').toString('utf8'))) continue;
      if (parent === '' && NOT_OF_THE_IMAGE.has(name)) continue;
      const at = bytes(`${top}/${path}`);
      const stats = lstatSync(at);
      addEntry(hash, { path, at, stats });
      count += 1;
      // A walk without pauses would not see that it was interrupted.
      if (count % 2000 === 0) await new Promise((done) => setImmediate(done));
      if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', `interrupted while reading ${directory}`);
      if (stats.isDirectory() && stats.dev === dev) await visit(path);
    }
  };
  await visit('');
  return `tree:${hash.digest('hex')}`;
}

/** One entry; a directory's time is that of its last change, which the runtime's own mount points are. */
function addEntry(hash: Hash, { path, at, stats }: { path: string; at: Buffer; stats: Stats }): void {
  const { mode, uid, gid, size, mtimeMs, rdev } = stats;
  hash.update(`${path}\0${mode.toString(8)} ${uid} ${gid} `, 'latin1');
  if (stats.isFile()) {
    hash.update(`${size} ${Math.floor(mtimeMs / 1000)}`);
    if (isRead(path, size)) hash.update(createHash('sha256').update(readFileSync(at)).digest());
  } else if (stats.isSymbolicLink()) {
    hash.update(readlinkSync(at, { encoding: 'buffer' }));
  } else if (stats.isCharacterDevice() || stats.isBlockDevice()) {
    hash.update(String(rdev));
  }
  hash.update('\n');
}

function isRead(path: string, size: number): boolean {
  if (READ_WHOLE.has(path)) return size <= MAX_READ_BYTES;
  return size <= READ_BYTES && READ_BELOW.some((prefix) => path.startsWith(prefix));
}

/** Names are bytes, in any encoding. */
function bytes(latin1: string): Buffer {
  return Buffer.from(latin1, 'latin1');
}
