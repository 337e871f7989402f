// What is written in which round, as a pure function of the seed: the guest carries it out, and whoever looks at a disk
// that was cut off after a round knows which files it must have.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chunkData } from './chunks.ts';

/** A file of a round and its new content. */
export interface FileState {
  name: string;
  data: Buffer | 'gone';
}

const NEW_FILES = 3;
/** Files that are replaced in turn. */
const REPLACED = 5;
/** Files of a round are deleted so many rounds later. */
const KEPT_ROUNDS = 9;

/** What a round does, in this order. */
export function roundOf(round: number, seed: number): FileState[] {
  const files: FileState[] = [];
  for (let n = 0; n < NEW_FILES; n++) files.push({ name: `${round}-${n}`, data: dataOf(round, n, seed) });
  files.push({ name: `replaced-${round % REPLACED}`, data: dataOf(round, NEW_FILES, seed) });
  if (round > KEPT_ROUNDS) {
    for (let n = 0; n < NEW_FILES; n++) files.push({ name: `${round - KEPT_ROUNDS}-${n}`, data: 'gone' });
  }
  return files;
}

function dataOf(round: number, n: number, seed: number): Buffer {
  const size = (Math.imul(round * 7919 + n * 104729 + seed, 2654435761) >>> 0) % 180_000;
  return Buffer.concat([Buffer.from(`${round} ${n}\n`), Buffer.alloc(size, chunkData(seed + round, n))]);
}

/**
 * What the files may be after a cut: everything up to round `synced` has reached the disk, the next round may have come
 * to any point.
 * @returns by name, each content that is right.
 */
export function possibleFiles(synced: number, seed: number): Map<string, FileState['data'][]> {
  const possible = new Map<string, FileState['data'][]>();
  for (let round = 1; round <= synced; round++) {
    for (const { name, data } of roundOf(round, seed)) possible.set(name, [data]);
  }
  for (const { name, data } of roundOf(synced + 1, seed)) {
    possible.set(name, [...(possible.get(name) ?? ['gone']), data]);
  }
  return possible;
}

/** What is wrong with the files of a directory that was cut off: missing ones, wrong contents, names that nobody wrote. */
export function wrongFiles(directory: string, synced: number, seed: number): string[] {
  const possible = possibleFiles(synced, seed);
  const wrong: string[] = [];
  for (const [name, contents] of possible) {
    const path = join(directory, name);
    const found = existsSync(path) ? readFileSync(path) : 'gone';
    if (contents.some((data) => isSame(data, found))) continue;
    wrong.push(`${name}: ${found === 'gone' ? 'is not there' : `${found.length} bytes that nobody wrote`}`);
  }
  const names = existsSync(directory) ? readdirSync(directory) : [];
  return [
    ...wrong,
    ...names.filter((name) => !possible.has(name.replace(/\.new$/, ''))).map((name) => `${name}: whose?`),
  ];
}

function isSame(a: FileState['data'], b: FileState['data']): boolean {
  return a === 'gone' || b === 'gone' ? a === b : a.equals(b);
}
