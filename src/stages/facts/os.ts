// The operating system in the root, from os-release and, where a distribution keeps its exact release elsewhere, from
// that file.

import type { Root } from '../../system/root.ts';
import { readFact, type Section, withoutEmpty } from './section.ts';

/** The file with the exact release, for the distributions where the originals look into one. */
const RELEASE_FILES: Readonly<Record<string, string>> = {
  debian: '/etc/debian_version',
  centos: '/etc/centos-release',
  rhel: '/etc/redhat-release',
  almalinux: '/etc/almalinux-release',
  rocky: '/etc/rocky-release',
};

export function gatherOs(root: Root, osRelease: ReadonlyMap<string, string>): Section {
  return withoutEmpty({
    name: osRelease.get('PRETTY_NAME') ?? '',
    vendor: osRelease.get('ID') ?? '',
    version: osVersion(root, osRelease),
    release: exactRelease(root, osRelease),
    architecture: userlandArchitecture(root),
  });
}

/** VERSION_ID, but on AlmaLinux and Rocky the major number of their release file (sysinfo 1.1). */
export function osVersion(root: Root, osRelease: ReadonlyMap<string, string>): string {
  const version = osRelease.get('VERSION_ID') ?? '';
  if (!['almalinux', 'rocky'].includes(osRelease.get('ID') ?? '')) return version;
  return exactRelease(root, osRelease).match(/^\d+/)?.[0] ?? version.match(/^\d+/)?.[0] ?? version;
}

function exactRelease(root: Root, osRelease: ReadonlyMap<string, string>): string {
  const id = osRelease.get('ID') ?? '';
  const name = osRelease.get('PRETTY_NAME') ?? '';
  if (id === 'ubuntu') return versionIn(name);
  const file = RELEASE_FILES[id];
  if (file === undefined) return '';
  const text = readFact(root, file);
  if (id === 'debian') return text;
  return versionIn(text) || (id === 'rhel' ? versionIn(name) : '');
}

/** The first number with dots that follows a blank or a bracket: "Rocky Linux release 9.4 (Blue Onyx)" → 9.4. */
function versionIn(text: string): string {
  return text.match(/[( ]([\d.]+)/)?.[1] ?? '';
}

/** By the program loader: that of the userland, which may differ from the kernel's. */
function userlandArchitecture(root: Root): string {
  if (root.exists('/lib64/ld-linux-x86-64.so.2')) return 'amd64';
  return root.exists('/lib/ld-linux.so.2') ? 'i386' : '';
}

/** Parses os-release(5): shell-like assignments, quotes removed. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = line.trim().match(/^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/);
    if (match === null) continue;
    const [, name = '', raw = ''] = match;
    const quoted = raw.match(/^(["'])(.*)\1$/);
    result.set(name, (quoted?.[2] ?? raw).replace(/\\(.)/g, '$1'));
  }
  return result;
}
