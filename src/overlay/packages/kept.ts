// Where the file of a package is at hand: in the overlay's own archive, which apt's hook fills while the overlay runs, or in
// what the package managers keep of their downloads. Found by name; the digest in a name is checked, and what a file
// installs is checked before it does (see apply.ts).

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../system/errors.ts';
import type { Root } from '../../system/root.ts';
import { packagesDirectory } from '../names.ts';
import type { DatabaseName, KeptPackage, PackageStep } from './model.ts';
import { fileDigest } from './owned.ts';

/** The archive of a COW: one for each base, since each has packages of its own. */
export const archiveOf = packagesDirectory;

/** What managers keep their downloads in, in a tree. */
const CACHES: Readonly<Record<DatabaseName, readonly string[]>> = {
  dpkg: ['/var/cache/apt/archives'],
  rpm: ['/var/cache/dnf', '/var/cache/libdnf5', '/var/cache/zypp/packages'],
  apk: ['/etc/apk/cache', '/var/cache/apk'],
};
/** Directories of repositories, and what they have inside. */
const CACHE_DEPTH = 5;
const MAX_FILES = 100_000;

/** A name that a package's file goes by, with the digest of its content if the name has one. */
export interface PackageFileName {
  /** Without version epochs where the name has none. */
  name: string;
  version: string;
  architecture: string;
  sha256?: string;
}

/** The name in the archive: apt's own with the digest. */
export function archivedName(
  { name, version, architecture }: PackageFileName,
  sha256: string,
  extension: string,
): string {
  return `${name}_${encodeVersion(version)}_${architecture}_${sha256}.${extension}`;
}

/** Takes a file's name apart; undefined when no package is called that. */
export function parseFileName(file: string): PackageFileName | undefined {
  const [, name, version = '', architecture = '', sha256] =
    /^([^_/]+)_([^_/]+)_([a-z0-9_-]+?)(?:_([0-9a-f]{64}))?\.(?:deb|rpm|apk)$/.exec(file) ?? [];
  if (name !== undefined) {
    return { name, version: decodeVersion(version), architecture, ...(sha256 !== undefined && { sha256 }) };
  }
  const [, rpm, rpmVersion = '', rpmArchitecture = ''] = /^(.+)-([^-]+-[^-]+)\.([a-z0-9_]+)\.rpm$/.exec(file) ?? [];
  if (rpm !== undefined) return { name: rpm, version: rpmVersion, architecture: rpmArchitecture };
  const [, apk, apkVersion = ''] = /^(.+)-(\d[^-]*-r\d+)(?:\.[0-9a-f]{8})?\.apk$/.exec(file) ?? [];
  return apk === undefined ? undefined : { name: apk, version: apkVersion, architecture: '' };
}

/** As apt: what can't be in a file's name, and the separator. */
function encodeVersion(version: string): string {
  return version.replace(/[:%_/]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function decodeVersion(text: string): string {
  return text.replace(/%([0-9a-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/**
 * The files of packages to install; a step whose file isn't found is left out. Files whose content isn't what their name
 * says are left out, too.
 * @param archive of the overlay.
 * @param view its managers' own downloads are looked through next.
 */
export function findKept(
  steps: readonly PackageStep[],
  database: DatabaseName,
  archive: string | undefined,
  view: Root,
): { files: KeptPackage[]; warnings: string[] } {
  const warnings: string[] = [];
  const found = new Map<string, KeptPackage>();
  const wanted = new Map(
    steps.map((step) => [identity(database, step.name, step.wanted ?? '', step.architecture), step]),
  );
  const directories = [
    ...(archive === undefined ? [] : [archive]),
    ...CACHES[database].map((path) => view.resolve(path)),
  ];
  for (const directory of directories) {
    for (const path of filesBelow(directory)) {
      const file = parseFileName(path.slice(path.lastIndexOf('/') + 1));
      const step = file && wanted.get(identity(database, file.name, file.version, file.architecture));
      if (file === undefined || step === undefined || found.has(step.key)) continue;
      if (file.sha256 !== undefined && fileDigest(path, 'sha256') !== file.sha256) {
        warnings.push(`${path} is damaged and isn't used`);
        continue;
      }
      found.set(step.key, { key: step.key, version: step.wanted ?? '', path, sizeBytes: lstatSync(path).size });
    }
  }
  return { files: [...found.values()].sort((a, b) => (a.key < b.key ? -1 : 1)), warnings };
}

/** Names of rpm files lack the epoch, those of apk files the architecture. */
function identity(database: DatabaseName, name: string, version: string, architecture: string): string {
  if (database === 'rpm') return `${name} ${version.replace(/^\d+:/, '')} ${architecture}`;
  return database === 'apk' ? `${name} ${version}` : `${name} ${version} ${architecture}`;
}

/** Regular files below a directory, in the order of their names; links are not followed. */
function filesBelow(directory: string): string[] {
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
