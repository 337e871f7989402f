// What a directory tree is, entry for entry, for comparing two of them. Names are bytes as latin1.

import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Entry {
  type: string;
  mode: string;
  owner: string;
  mtimeSeconds: number;
  size?: number;
  hash?: string;
  target?: string;
  device?: string;
  /** The first of its names, where a file has several. */
  sameAs?: string;
}

const TYPES = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
  [0o020000, 'character-device'],
  [0o060000, 'block-device'],
  [0o010000, 'fifo'],
]);

export function snapshot(directory: string): Record<string, Entry> {
  const result: Record<string, Entry> = {};
  const names = new Map<number, string>();
  const visit = (path: string) => {
    const at = Buffer.from(path === '.' ? directory : `${directory}/${path}`, 'latin1');
    const stats = lstatSync(at);
    const type = TYPES.get(stats.mode & 0o170000) ?? 'unknown';
    const entry: Entry = {
      type,
      mode: (stats.mode & 0o7777).toString(8),
      owner: `${stats.uid}:${stats.gid}`,
      mtimeSeconds: Math.floor(stats.mtimeMs / 1000),
    };
    if (type === 'file') {
      entry.size = stats.size;
      entry.hash = createHash('sha256').update(readFileSync(at)).digest('hex').slice(0, 16);
    }
    if (type === 'symlink') entry.target = readlinkSync(at, { encoding: 'latin1' });
    if (type.endsWith('device')) entry.device = String(stats.rdev);
    if (type !== 'directory' && stats.nlink > 1) {
      const first = names.get(stats.ino);
      if (first !== undefined) entry.sameAs = first;
      else names.set(stats.ino, path);
    }
    result[path] = entry;
    if (type !== 'directory') return;
    for (const name of readdirSync(at, { encoding: 'latin1' }).sort()) visit(path === '.' ? name : `${path}/${name}`);
  };
  visit('.');
  return result;
}

/** Only the names, with a mark for their type; enough where attributes are not the point. */
export function names(directory: string): string[] {
  const marks: Record<string, string> = { directory: '/', symlink: '@', fifo: '|' };
  return Object.entries(snapshot(directory))
    .filter(([path]) => path !== '.')
    .map(([path, { type }]) => path + (marks[type] ?? ''))
    .sort();
}
