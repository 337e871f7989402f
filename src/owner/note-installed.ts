// What came into a new system with an installation: its files are kept, and it is noted in the system itself, with who needed
// it and from which file.

import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseFileName } from '../overlay/packages/archive-names.ts';
import type { InstalledPackage, PackageList } from '../overlay/packages/model.ts';
import type { StepContext } from '../stages/steps/handler.ts';
import { messageOf } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import type { PackageCache } from './cache.ts';
import type { Installer } from './installer.ts';
import { addToLock, type LockedPackage, type PackageLock } from './lock.ts';
import { readSlotLock, writeSlotLock } from './lock-place.ts';
import { bareName } from './request.ts';
import type { WorkPlace } from './work-place.ts';

export interface Installation {
  installer: Installer;
  context: Pick<StepContext, 'warn'>;
  work: WorkPlace;
  cache: PackageCache | undefined;
  /** Of the system before. */
  lock: PackageLock | undefined;
  options: { root: Root; base: string | undefined; now: string };
}

/** Keeps the files of what was installed, and notes it in the new system. */
export async function noteInstalled(
  names: readonly string[],
  before: PackageList | undefined,
  after: PackageList | undefined,
  run: Installation,
): Promise<void> {
  if (after === undefined) return;
  const { installer, cache, context, lock, options } = run;
  const asked = new Set(names.map(bareName));
  const came = [...after.packages].flatMap(([key, one]) =>
    before?.packages.get(key)?.version === one.version ? [] : [one],
  );
  if (came.length === 0) return;
  const downloads = installer.downloads();
  const unkept: string[] = [];
  const entries: LockedPackage[] = [];
  for (const one of came) {
    const path = fileOf(one, downloads, installer) ?? keptPath(one, lock, cache);
    const sha256 = path === undefined ? undefined : keep(path, one, run);
    if (sha256 === undefined) unkept.push(one.name);
    entries.push({
      name: one.name,
      architecture: one.architecture,
      version: one.version,
      ...(sha256 !== undefined && path !== undefined && { sha256, sizeBytes: (await stat(path)).size }),
      asked: asked.has(one.name),
      neededBy: [...names],
      installedAt: options.now,
      ...(options.base !== undefined && { base: options.base }),
    });
  }
  const old = readSlotLock(options.root).lock;
  const known = old?.database === installer.database ? old.packages : [];
  writeSlotLock(options.root, { database: installer.database, packages: addToLock(known, entries) });
  if (unkept.length > 0) {
    context.warn(`not kept for systems without a network: ${unkept.join(', ')}`);
  }
}

/** A full or broken partition costs the next system its files, and not this one its packages. */
function keep(path: string, one: InstalledPackage, { cache, work, context }: Installation): string | undefined {
  try {
    return cache?.keep(path, one, { link: work.isBesideCache });
  } catch (error) {
    context.warn(`the file of ${one.name} could not be kept: ${messageOf(error)}`);
    return undefined;
  }
}

/** A file that was downloaded for a package; rpm's names lack the epoch, apk's the architecture. */
function fileOf(one: InstalledPackage, downloads: readonly string[], { database }: Installer): string | undefined {
  return downloads.find((path) => {
    const file = parseFileName(basename(path));
    if (file?.name !== one.name) return false;
    const version = database === 'rpm' && file.sha256 === undefined ? one.version.replace(/^\d+:/, '') : one.version;
    return file.version === version && (database === 'apk' || file.architecture === one.architecture);
  });
}

function keptPath(
  one: InstalledPackage,
  lock: PackageLock | undefined,
  cache: PackageCache | undefined,
): string | undefined {
  const locked = lock?.packages.find(({ name, version, architecture }) => {
    return name === one.name && version === one.version && architecture === one.architecture;
  });
  const found = locked && lock && cache?.find(locked, lock.database);
  return found !== undefined && 'path' in found ? found.path : undefined;
}
