// apk's list of installed packages with their files (apk-package(5)): one text, paragraphs of `X:value` lines.

import type { Root } from '../../system/root.ts';
import type { InstalledPackage, PackagedEntry } from './model.ts';

const LISTS = ['/lib/apk/db/installed', '/usr/lib/apk/db/installed'];

function listText(root: Root): string {
  return LISTS.map((path) => root.readTextIfThere(path)).find((text) => text !== undefined) ?? '';
}

/** The packages that the owner asked for, by name; what else there is came with them. */
export function readApkWorld(root: Root): Set<string> {
  const words = (root.readTextIfThere('/etc/apk/world') ?? '').split(/\s+/);
  return new Set(words.map((word) => word.replace(/[@<>=~].*$/, '')).filter((name) => name !== ''));
}

export function apkPackages(root: Root, world: ReadonlySet<string>): InstalledPackage[] {
  return parseApkList(listText(root), world);
}

export function parseApkList(text: string, world: ReadonlySet<string>): InstalledPackage[] {
  return text.split(/\n\n+/).flatMap((paragraph) => {
    const field = (letter: string) => new RegExp(`^${letter}:(.+)$`, 'm').exec(paragraph)?.[1];
    const [name, version, architecture] = [field('P'), field('V'), field('A')];
    // A name that starts with anything else could be taken for an option.
    if (name === undefined || version === undefined || !/^\w/.test(name)) return [];
    return [{ name, version, architecture: architecture ?? 'noarch', automatic: !world.has(name), held: false }];
  });
}

/** The files of some packages, by name. */
export function apkFiles(root: Root, names: ReadonlySet<string>): Map<string, PackagedEntry[]> {
  return parseApkFiles(listText(root), names);
}

/** `F:` a directory, `R:` a file in it, `Z:` its digest (Q1: sha1 in base64), of links that of the target. */
export function parseApkFiles(text: string, names: ReadonlySet<string>): Map<string, PackagedEntry[]> {
  const files = new Map<string, PackagedEntry[]>();
  for (const paragraph of text.split(/\n\n+/)) {
    const name = /^P:(.+)$/m.exec(paragraph)?.[1];
    if (name === undefined || !names.has(name)) continue;
    const entries: PackagedEntry[] = [];
    let directory = '';
    for (const line of paragraph.split('\n')) {
      const value = line.slice(2);
      if (line.startsWith('F:')) {
        directory = value === '' ? '' : `/${value}`;
        if (directory !== '') entries.push({ path: directory, isConfig: false });
      } else if (line.startsWith('R:')) {
        // apk itself takes everything below /etc for configuration.
        entries.push({
          path: `${directory}/${value}`,
          isConfig: directory === '/etc' || directory.startsWith('/etc/'),
        });
      } else if (line.startsWith('Z:Q1')) {
        const last = entries.at(-1);
        if (last !== undefined)
          last.digest = { algorithm: 'sha1', hex: Buffer.from(value.slice(2), 'base64').toString('hex') };
      }
    }
    files.set(name, entries);
  }
  return files;
}
