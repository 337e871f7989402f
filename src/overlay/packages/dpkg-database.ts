// What dpkg's programs print about packages, parsed: lists, the files of a package, digests, and apt's own notes.

import type { PackagedEntry } from './model.ts';

export interface DpkgEntry {
  name: string;
  architecture: string;
  version: string;
  held: boolean;
  /** dpkg(1), package states. */
  state: 'installed' | 'config-files' | 'half';
}

/** Lines of name, architecture, version and the abbreviated status (dpkg-query(1): desired, state, error). */
export function parseDpkgList(text: string): DpkgEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', architecture = '', version = '', status = ''] = line.split('\t');
    if (!/^[a-z0-9][a-z0-9+.-]*$/.test(name) || version === '') return [];
    const letter = status[1] ?? 'n';
    if (letter === 'n') return [];
    // "W" and "t": everything is there, and triggers have still to run.
    const state = letter === 'c' ? 'config-files' : ['i', 'W', 't'].includes(letter) ? 'installed' : 'half';
    return [{ name, architecture, version, held: status.startsWith('h'), state }];
  });
}

export function isHalfInstalled({ state }: DpkgEntry): boolean {
  return state === 'half';
}

/** apt's notes: packages that came as a dependency, by key; those for any architecture also by name alone. */
export function parseExtendedStates(text: string): Set<string> {
  const automatic = new Set<string>();
  for (const paragraph of text.split(/\n\s*\n/)) {
    const field = (name: string) => new RegExp(`^${name}:[ \\t]*(\\S+)`, 'm').exec(paragraph)?.[1];
    const name = field('Package');
    if (name === undefined || field('Auto-Installed') !== '1') continue;
    automatic.add(name);
    automatic.add(`${name}:${field('Architecture') ?? ''}`);
  }
  return automatic;
}

/**
 * `dpkg-query --listfiles` of one package, with the names that its files really have where they are diverted.
 * Names that are no UTF-8 come out as names that nothing has.
 */
export function parseDpkgFiles(text: string): string[] {
  const paths: string[] = [];
  for (const line of text.split('\n')) {
    const moved = /^(?:locally diverted|diverted by \S+) to: (\/.*)$/.exec(line)?.[1];
    if (moved !== undefined) paths.splice(-1, 1, moved);
    // The root directory is "/."; "package diverts others to:" says nothing of this package's files.
    else if (/^\/[^.]|^\/\.[^/]/.test(line)) paths.push(line);
  }
  return paths;
}

/** The md5sums file of a package: `DIGEST  path` without a leading slash. */
export function parseMd5sums(text: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, digest, path] = /^([0-9a-f]{32}) [ *](.+)$/.exec(line) ?? [];
    if (digest !== undefined && path !== undefined) sums.set(`/${path.replace(/^(?:\.?\/)+/, '')}`, digest);
  }
  return sums;
}

/** The field Conffiles: ` /path DIGEST [flag]`. What has no digest yet (newconffile) has none here. */
export function parseConffiles(text: string): Map<string, string | undefined> {
  const files = new Map<string, string | undefined>();
  for (const line of text.split('\n')) {
    const [, path, digest] = /^ (\/.*?) ([0-9a-f]{32}|newconffile)(?: obsolete| remove-on-upgrade)*$/.exec(line) ?? [];
    if (path !== undefined) files.set(path, digest === 'newconffile' ? undefined : digest);
  }
  return files;
}

/** A package's files, put together. */
export function dpkgEntries(
  paths: readonly string[],
  sums: ReadonlyMap<string, string>,
  conffiles: ReadonlyMap<string, string | undefined>,
): PackagedEntry[] {
  return paths.map((path) => {
    const isConfig = conffiles.has(path);
    const digest = isConfig ? conffiles.get(path) : sums.get(path);
    return { path, isConfig, ...(digest !== undefined && { digest: { algorithm: 'md5', hex: digest } }) };
  });
}
