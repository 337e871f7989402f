// Keeps the files of packages that are being installed on a running overlay, so that an upgrade can install them into the new
// base without a network. Called by apt's hook: it must be quick, must not fill the disk that the COW lives on, and what
// goes wrong is told and no more.

import { copyFileSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fsyncPath } from '../../system/durable.ts';
import { freeBytes } from '../../system/filesystems.ts';
import { run } from '../../system/process.ts';
import { Root } from '../../system/root.ts';
import { archivedName, parseFileName } from './kept.ts';
import { PLAIN, readPackages } from './lists.ts';
import { packageKey } from './model.ts';
import { fileDigest } from './owned.ts';

/** Left for the COW itself, which grows on the same disk. */
const RESERVE_BYTES = 256 << 20;

export interface KeepResult {
  kept: readonly string[];
  /** Files of packages that the system hasn't got any more. */
  removed: readonly string[];
  warnings: readonly string[];
}

/**
 * @param paths files of packages; others are passed over.
 * @param directory the archive; made when it isn't there.
 * @param options.installed `key version` of what the system has; files of anything else go. Default: dpkg is asked.
 */
export async function keepPackages(
  paths: readonly string[],
  directory: string,
  options: { installed?: ReadonlySet<string>; free?: () => number } = {},
): Promise<KeepResult> {
  const warnings: string[] = [];
  const kept: string[] = [];
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const free = options.free ?? (() => freeBytes(directory));
  for (const path of new Set(paths)) {
    const stats = isAbsolute(path) ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
    if (!stats?.isFile() || !path.endsWith('.deb')) continue;
    if (free() < stats.size + RESERVE_BYTES) {
      warnings.push(`${path} is not kept: the overlay’s disk is almost full`);
      continue;
    }
    const name = await archiveName(path);
    if (name === undefined) warnings.push(`${path} is not kept: it can’t be read as a package`);
    else {
      if (lstatSync(join(directory, name), { throwIfNoEntry: false }) === undefined) copyDurably(path, directory, name);
      kept.push(name);
    }
  }
  const installed = options.installed ?? (await installedPackages());
  const removed = installed === undefined ? [] : prune(directory, new Set(kept), installed);
  return { kept, removed, warnings };
}

async function archiveName(path: string): Promise<string | undefined> {
  const fields = await run(['dpkg-deb', '--field', path, 'Package', 'Version', 'Architecture'], { env: PLAIN });
  const field = (name: string) => new RegExp(`^${name}: (\\S+)$`, 'm').exec(fields.stdout)?.[1];
  const [name, version, architecture] = [field('Package'), field('Version'), field('Architecture')];
  const sha256 = fileDigest(path, 'sha256');
  if (fields.status !== 0 || name === undefined || version === undefined || sha256 === undefined) return undefined;
  const file = archivedName({ name, version, architecture: architecture ?? 'all' }, sha256, 'deb');
  // A name that isn't read back as the same would never be found.
  return parseFileName(file)?.name === name ? file : undefined;
}

function copyDurably(path: string, directory: string, name: string): void {
  const temporary = join(directory, `.${name.slice(0, 200)}.${process.pid}.tmp`);
  try {
    copyFileSync(path, temporary);
    fsyncPath(temporary);
    renameSync(temporary, join(directory, name));
    fsyncPath(directory);
  } finally {
    rmSync(temporary, { force: true });
  }
}

async function installedPackages(): Promise<Set<string> | undefined> {
  const root = new Root('/');
  const list = await readPackages({ root, run });
  return list && new Set([...list.packages].map(([key, { version }]) => `${key} ${version}`));
}

/** Takes away what is neither installed nor just coming, and what a power cut left. */
function prune(directory: string, coming: ReadonlySet<string>, installed: ReadonlySet<string>): string[] {
  const removed: string[] = [];
  for (const name of readdirSync(directory).sort()) {
    const file = parseFileName(name);
    const isWanted = coming.has(name) || (file !== undefined && installed.has(`${packageKey(file)} ${file.version}`));
    if (isWanted || (file === undefined && !name.endsWith('.tmp'))) continue;
    rmSync(join(directory, name), { force: true });
    removed.push(name);
  }
  return removed;
}
