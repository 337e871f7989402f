// What a disk may hold after a power cut, by the rounds of files that the overlay tests write: everything that was synced, and
// of the round that was cut off any part.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { someChunks } from '../../../lab/overlay/inside/chunks.ts';
import { possibleFiles, roundOf, wrongFiles } from '../../../lab/overlay/inside/rounds.ts';

const SEED = 5;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-rounds-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(from: number, to: number): void {
  for (let round = from; round <= to; round++) {
    for (const { name, data } of roundOf(round, SEED)) {
      if (data === 'gone') rmSync(join(directory, name), { force: true });
      else writeFileSync(join(directory, name), data);
    }
  }
}

test('a directory after whole rounds is right, with the next round begun or not', () => {
  write(1, 12);
  expect(wrongFiles(directory, 12, SEED)).toEqual([]);
  expect(wrongFiles(directory, 11, SEED)).toEqual([]);
});

test('a file that was synced and is missing, torn or another is found', () => {
  write(1, 12);
  const [first, second] = roundOf(12, SEED);
  rmSync(join(directory, first?.name ?? ''));
  writeFileSync(join(directory, second?.name ?? ''), second?.data.slice(0, 7) ?? '');
  expect(wrongFiles(directory, 12, SEED)).toEqual(['12-0: is not there', '12-1: 7 bytes that nobody wrote']);
  expect(wrongFiles(directory, 12, SEED + 1).length).toBeGreaterThan(20);
});

test('a file of a round that can not have begun is found, an unfinished one of the next is not', () => {
  write(1, 12);
  write(14, 14);
  expect(wrongFiles(directory, 12, SEED)).toContain('14-0: whose?');
  rmSync(directory, { recursive: true });
  directory = mkdtempSync(join(tmpdir(), 'holdfast-rounds-'));
  write(1, 12);
  writeFileSync(join(directory, '13-1.new'), 'half');
  expect(wrongFiles(directory, 12, SEED)).toEqual([]);
});

test('a replaced file is the old or the new one, a deleted file there or gone', () => {
  const possible = possibleFiles(10, SEED);
  expect(possible.get('replaced-1')).toHaveLength(2);
  expect(possible.get('1-0')).toEqual(['gone']);
  expect(possible.get('2-0')?.map((data) => data === 'gone')).toEqual([false, true]);
  expect(possible.get('3-0')).toHaveLength(1);
});

test('chunks are chosen once each, and the same ones for the same seed', () => {
  const chunks = someChunks(300, 301, 4);
  expect(new Set(chunks).size).toBe(300);
  expect(Math.max(...chunks)).toBeLessThan(301);
  expect(someChunks(300, 301, 4)).toEqual(chunks);
  expect(someChunks(300, 301, 5)).not.toEqual(chunks);
  expect(() => someChunks(2, 1, 0)).toThrow(RangeError);
});
