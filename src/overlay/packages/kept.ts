// Where the file of a package is at hand: in the overlay's own archive, which apt's hook fills while the overlay runs, or in
// what the package managers keep of their downloads. Found by name; the digest in a name is checked, and what a file
// installs is checked before it does (see apt.ts).

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../system/errors.ts';
import type { Root } from '../../system/root.ts';
import { type PackageFileName, parseFileName } from './archive-names.ts';
import { fileDigest } from './file-digest.ts';
import type { DatabaseName, KeptPackage, PackageStep } from './model.ts';
import { compareVersions } from './versions.ts';

export { archiveOf } from './archive-names.ts';

/** What managers keep their downloads in, in a tree. */
const CACHES: Readonly<Record<DatabaseName, readonly string[]>> = {
  dpkg: ['/var/cache/apt/archives'],
  rpm: ['/var/cache/dnf', '/var/cache/libdnf5', '/var/cache/zypp/packages'],
  apk: ['/etc/apk/cache', '/var/cache/apk'],
};
/** Directories of repositories, and what they have inside. */
const CACHE_DEPTH = 5;
const MAX_FILES = 100_000;

/**
 * The files of packages to install; a step whose file isn't found is left out. Files whose content isn't what their name
 * says are left out, too. The version of the step is taken, else the newest that isn't older.
 * @param archives of the overlay: the first one that has a version counts.
 * @param view its managers' own downloads are looked through next.
 */
export function findKept(
  steps: readonly PackageStep[],
  database: DatabaseName,
  archives: readonly string[],
  view: Root,
): { files: KeptPackage[]; warnings: string[] } {
  const warnings: string[] = [];
  const wanted = new Map(steps.map((step) => [identity(database, step), step]));
  const candidates = new Map<PackageStep, Candidate[]>();
  for (const directory of [...archives, ...CACHES[database].map((path) => view.resolve(path))]) {
    for (const path of filesBelow(directory)) {
      const file = parseFileName(path.slice(path.lastIndexOf('/') + 1));
      const step = file && wanted.get(identity(database, file));
      if (file === undefined || step === undefined) continue;
      const version = versionOf(database, file, step);
      if (compareVersions(database, version, step.wanted ?? '') < 0) continue;
      candidates.set(step, [...(candidates.get(step) ?? []), { path, version, sha256: file.sha256 }]);
    }
  }
  const files: KeptPackage[] = [];
  for (const [step, all] of candidates) {
    const exact = (one: Candidate) => (one.version === step.wanted ? 0 : 1);
    // Stable: of equal ones the first place counts.
    all.sort((a, b) => exact(a) - exact(b) || compareVersions(database, b.version, a.version));
    for (const { path, version, sha256 } of all) {
      if (sha256 !== undefined && fileDigest(path, 'sha256') !== sha256) {
        warnings.push(`${path} is damaged and isn't used`);
        continue;
      }
      files.push({ key: step.key, version, path, sizeBytes: lstatSync(path).size });
      break;
    }
  }
  return { files: files.sort((a, b) => (a.key < b.key ? -1 : 1)), warnings };
}

interface Candidate {
  path: string;
  version: string;
  sha256: string | undefined;
}

/** Names of apk files lack the architecture. */
function identity(
  database: DatabaseName,
  { name, architecture }: Pick<PackageFileName, 'name' | 'architecture'>,
): string {
  return database === 'apk' ? name : `${name} ${architecture}`;
}

/** rpm's own file names lack the epoch: it is taken to be the same. */
function versionOf(database: DatabaseName, file: PackageFileName, { wanted = '' }: PackageStep): string {
  const epoch = /^\d+:/.exec(wanted)?.[0] ?? '';
  const isWithoutEpoch = database === 'rpm' && file.sha256 === undefined;
  return isWithoutEpoch ? `${epoch}${file.version}` : file.version;
}

/** Regular files below a directory, in the order of their names; links are not followed. */
export function filesBelow(directory: string): string[] {
  const files: string[] = [];
  const visit = (at: string, depth: number) => {
    for (const entry of entriesOf(at)) {
      if (files.length >= MAX_FILES) return;
      const path = join(at, entry.name);
      if (entry.isDirectory() && depth > 0) visit(path, depth - 1);
      else if (entry.isFile()) files.push(path);
    }
  };
  visit(directory, CACHE_DEPTH);
  return files;
}

function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
