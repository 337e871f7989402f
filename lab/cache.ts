// Where the lab keeps what is expensive to make: `.cache/` in the checkout, or HOLDFAST_CACHE. Everything in it is named
// after a hash of what it was made from and appears under its name complete or not at all, so an interrupted run can
// never leave something half-made that a later one trusts.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeTree } from './work-tree.ts';

/** The checkout's directory. */
export const PROJECT_DIRECTORY = dirname(dirname(fileURLToPath(import.meta.url)));

/** The cache's directory, absolute; it is made if missing. */
export function cacheDirectory(): string {
  const directory = resolve(process.env['HOLDFAST_CACHE'] || join(PROJECT_DIRECTORY, '.cache'));
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Where `npm start` leaves its machine for `npm run vm`: the disk image and the serial logs. */
export function demoMachineDirectory(): string {
  return join(cacheDirectory(), 'demo-machine');
}

/** The disk image in {@link demoMachineDirectory}. */
export function demoMachineDisk(): string {
  return join(demoMachineDirectory(), 'disk.img');
}

/** A short name for what something was made from: 16 hexadecimal digits over the parts in order. */
export function keyOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/** A key over the names and contents of files and of everything below directories; what doesn't exist counts as such. */
export function keyOfFiles(paths: readonly string[]): string {
  const parts: (string | Uint8Array)[] = [];
  for (const path of [...paths].sort()) {
    const stats = statSync(path, { throwIfNoEntry: false });
    parts.push(relative(PROJECT_DIRECTORY, path));
    if (stats === undefined) parts.push('absent');
    else if (!stats.isDirectory()) parts.push(readFileSync(path));
    else parts.push(keyOfFiles(readdirSync(path).map((name) => join(path, name))));
  }
  return keyOf(...parts);
}

/**
 * Returns the cached file or directory `name`, making it first when it isn't there.
 * @param name a name with the key in it, such as `base-0123456789abcdef.tar`.
 * @param make makes it at the path that it is given, which does not exist yet and lies in the same filesystem.
 */
export async function cached(
  name: string,
  make: (path: string) => Promise<void>,
): Promise<{ path: string; made: boolean }> {
  const path = join(cacheDirectory(), name);
  if (existsSync(path)) return { path, made: false };
  const temporary = `${path}.${process.pid}.tmp`;
  mkdirSync(dirname(path), { recursive: true });
  await removeTree(temporary);
  try {
    await make(temporary);
    renameSync(temporary, path);
  } finally {
    await removeTree(temporary);
  }
  return { path, made: true };
}

/** Removes all but the `keep` newest entries of a directory of the cache whose names match; other versions' leftovers. */
export async function pruneCache(directory: string, pattern: RegExp, keep: number): Promise<void> {
  if (!existsSync(directory)) return;
  const entries = readdirSync(directory)
    .filter((name) => pattern.test(name))
    .map((name) => ({ path: join(directory, name), time: statSync(join(directory, name)).mtimeMs }))
    .sort((a, b) => b.time - a.time);
  for (const { path } of entries.slice(keep)) await removeTree(path);
}
