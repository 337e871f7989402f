// Names of package files: those of the overlay's archive, which say everything and the content's digest, and those that
// package managers give their downloads.

import { packagesDirectory } from '../names.ts';

/** The archive of a COW: one for each base, since each has packages of its own. */
export const archiveOf = packagesDirectory;

/** What a file's name says. */
export interface PackageFileName {
  name: string;
  /** Without the epoch in names of rpm files. */
  version: string;
  /** Empty in names of apk files. */
  architecture: string;
  sha256?: string;
}

/** The name in the archive: as apt's, with the digest. */
export function archivedName(
  { name, version, architecture }: PackageFileName,
  sha256: string,
  extension: string,
): string {
  return `${encode(name)}_${encode(version)}_${architecture}_${sha256}.${extension}`;
}

/** Takes a file's name apart; undefined when no package is called that. */
export function parseFileName(file: string): PackageFileName | undefined {
  const [, kept, keptVersion = '', keptArchitecture = '', sha256 = ''] =
    /^([^_/.][^_/]*)_([^_/]+)_([^/]+)_([0-9a-f]{64})\.(?:deb|rpm|apk)$/.exec(file) ?? [];
  if (kept !== undefined) {
    return { name: decode(kept), version: decode(keptVersion), architecture: keptArchitecture, sha256 };
  }
  const [, deb, debVersion = '', debArchitecture = ''] = /^([^_/.][^_/]*)_([^_/]+)_([a-z0-9-]+)\.deb$/.exec(file) ?? [];
  if (deb !== undefined) return { name: deb, version: decode(debVersion), architecture: debArchitecture };
  const [, rpm, rpmVersion = '', rpmArchitecture = ''] =
    /^([^/.].*)-([^-]+-[^-]+)\.([a-z0-9_]+)\.rpm$/.exec(file) ?? [];
  if (rpm !== undefined) return { name: rpm, version: rpmVersion, architecture: rpmArchitecture };
  const [, apk, apkVersion = ''] = /^([^/.].*)-(\d[^-]*-r\d+)(?:\.[0-9a-f]{8})?\.apk$/.exec(file) ?? [];
  return apk === undefined ? undefined : { name: apk, version: apkVersion, architecture: '' };
}

/** As apt: what can't be in a file's name, and the separator. */
function encode(text: string): string {
  return text.replace(/[:%_/]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function decode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
