// Keeps the files of packages that are being installed on a running overlay, so that an upgrade can install them into the new
// base without a network. Called by apt's hook: it must be quick, and what goes wrong is told and no more.

import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { HoldfastError } from '../../system/errors.ts';
import { run } from '../../system/process.ts';
import { Root } from '../../system/root.ts';
import { type ArchiveOptions, archiveFile } from './archive.ts';
import { archivedName, type PackageFileName, parseFileName } from './archive-names.ts';
import { PLAIN, readPackages } from './lists.ts';
import { packageKey } from './model.ts';

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
  options: ArchiveOptions & { installed?: ReadonlySet<string> } = {},
): Promise<KeepResult> {
  const warnings: string[] = [];
  const kept: string[] = [];
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const path of new Set(paths)) {
    const stats = isAbsolute(path) ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
    if (!stats?.isFile() || !path.endsWith('.deb')) continue;
    const identity = await readIdentity(path);
    if (identity === undefined) {
      warnings.push(`${path} is not kept: it can’t be read as a package`);
      continue;
    }
    const name = archiveFile(path, directory, identity, { free: options.free });
    if (name === undefined) warnings.push(`${path} is not kept: the overlay’s disk is almost full`);
    else kept.push(name);
  }
  const installed = options.installed ?? (await installedPackages());
  const removed = installed === undefined ? [] : prune(directory, new Set(kept), installed);
  return { kept, removed, warnings };
}

async function readIdentity(path: string): Promise<PackageFileName | undefined> {
  const fields = await run(['dpkg-deb', '--field', path, 'Package', 'Version', 'Architecture'], { env: PLAIN });
  const field = (name: string) => new RegExp(`^${name}: (\\S+)$`, 'm').exec(fields.stdout)?.[1];
  const [name, version, architecture] = [field('Package'), field('Version'), field('Architecture')];
  if (fields.status !== 0 || name === undefined || version === undefined || architecture === undefined)
    return undefined;
  const identity = { name, version, architecture };
  // A name that isn't read back as the same would never be found.
  const read = parseFileName(archivedName(identity, '0'.repeat(64), 'deb'));
  return read?.name === name && read.version === version ? identity : undefined;
}

/** Undefined where it can't be said now: apt may be there to mend what is half installed. */
async function installedPackages(): Promise<Set<string> | undefined> {
  const root = new Root('/');
  try {
    const list = await readPackages({ root, run });
    return list && new Set([...list.packages].map(([key, { version }]) => `${key} ${version}`));
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-STATE') return undefined;
    throw error;
  }
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
