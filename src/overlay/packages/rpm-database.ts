// What rpm prints about packages, parsed.

import type { InstalledPackage, PackagedEntry } from './model.ts';

/** Lines of name, `epoch:version-release` and architecture. Of packages that are there more than once the last counts. */
export function parseRpmList(text: string, automatic: ReadonlySet<string>): InstalledPackage[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', version = '', architecture = ''] = line.split('\t');
    // Keys of repositories are kept as packages without an architecture.
    if (!/^[\w]/.test(name) || name === 'gpg-pubkey' || version === '' || architecture === '(none)') return [];
    return [{ name, architecture, version: version.replace(/^0:/, ''), automatic: automatic.has(name), held: false }];
  });
}

/** For {@link parseRpmFiles}: the digest's algorithm, and a line for each file. */
export const RPM_FILES =
  '@%{FILEDIGESTALGO}\\n[%{FILEMODES}\\t%{FILEFLAGS}\\t%{FILEDIGESTS}\\t%{FILESTATES}\\t%{FILENAMES}\\n]';

const CONFIG = 1 << 0;
const GHOST = 1 << 6;
const NORMAL = '0';
/** OpenPGP's numbers (RFC 4880, 9.4), which rpm uses. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  '1': 'md5',
  '2': 'sha1',
  '8': 'sha256',
  '9': 'sha384',
  '10': 'sha512',
};

/** What a query with {@link RPM_FILES} gives; files that the package only claims or that weren't installed are left out. */
export function parseRpmFiles(text: string): PackagedEntry[] {
  let algorithm: string | undefined = 'md5';
  return text.split('\n').flatMap((line) => {
    if (line.startsWith('@')) {
      // Without the tag it is md5.
      algorithm = line === '@(none)' ? 'md5' : ALGORITHMS[line.slice(1)];
      return [];
    }
    const [, , flags, hex = '', state, path] = /^(\d+)\t(\d+)\t([0-9a-f]*)\t(\d+)\t(\/.*)$/.exec(line) ?? [];
    if (path === undefined || state !== NORMAL || (Number(flags) & GHOST) !== 0) return [];
    const digest = hex === '' || algorithm === undefined ? undefined : { algorithm, hex };
    return [{ path, isConfig: (Number(flags) & CONFIG) !== 0, ...(digest && { digest }) }];
  });
}
