// Which kept files an installation without a repository is offered: all of the lock whose content is right. What is taken
// of them is the package manager's business.

import type { PackageCache } from './cache.ts';
import type { KeptFile } from './installer.ts';
import type { PackageLock } from './lock.ts';
import { bareName } from './request.ts';

/**
 * @returns no files when one of the packages that are asked for isn't among them.
 */
export function keptFilesFor(
  names: readonly string[],
  { database, packages }: PackageLock,
  cache: PackageCache,
): { files: KeptFile[]; problems: string[] } {
  const wanted = new Set(names.map(bareName));
  const files: KeptFile[] = [];
  const problems: string[] = [];
  for (const locked of packages) {
    const found = cache.find(locked, database);
    if (found === undefined) continue;
    if ('problem' in found) problems.push(found.problem);
    else files.push({ locked, path: found.path });
  }
  const there = new Set(files.map(({ locked }) => locked.name));
  return { files: [...wanted].every((name) => there.has(name)) ? files : [], problems };
}
