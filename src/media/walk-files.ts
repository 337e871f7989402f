// Everything below a directory, in an order that depends on nothing but the names. Names are bytes, so paths are Buffers.

import { lstatSync, readdirSync, type Stats } from 'node:fs';

export interface WalkedFile {
  /** For Node's functions. */
  path: Buffer;
  /** Inside the directory, without a leading slash: bytes as latin1; empty for the directory itself. */
  name: string;
  stats: Stats;
}

/** Directories before what is in them; links are not followed. */
export function* walkFiles(directory: string, options: { withTop?: boolean } = {}): Generator<WalkedFile> {
  const top = Buffer.from(directory);
  if (options.withTop) yield { path: top, name: '', stats: lstatSync(top) };
  const pending = [''];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    const names = readdirSync(at(top, parent), { encoding: 'latin1' }).sort(byBytes);
    const directories: string[] = [];
    for (const each of names) {
      const name = parent === '' ? each : `${parent}/${each}`;
      const path = at(top, name);
      const stats = lstatSync(path);
      yield { path, name, stats };
      if (stats.isDirectory()) directories.push(name);
    }
    pending.push(...directories.reverse());
  }
}

/** A name of {@link walkFiles} for people. */
export function showFileName(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}

function at(top: Buffer, name: string): Buffer {
  return name === '' ? top : Buffer.concat([top, Buffer.from('/'), Buffer.from(name, 'latin1')]);
}

function byBytes(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
