import { readFileSync, statSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkSpool } from '../../../src/image/chunk-spool.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { temporaryDirectory } from './fixture.ts';

const chunkOf = (bytes: Buffer) => ({ digest: digestOf(bytes), sizeBytes: bytes.length });
const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));

test('chunks come out as they went in, also after it was closed', () => {
  fc.assert(
    fc.property(fc.array(anyBytes, { maxLength: 8 }), (chunks) => {
      const path = `${temporaryDirectory()}/fetch/chunks`;
      const first = ChunkSpool.open(path);
      for (const bytes of chunks) first.add(digestOf(bytes), bytes);
      for (const bytes of chunks) expect(first.get(chunkOf(bytes))).toEqual(bytes);
      first.close();
      expect(ChunkSpool.look(path)).toEqual(new Set(chunks.map(digestOf)));
      const again = ChunkSpool.open(path);
      for (const bytes of chunks) expect(again.get(chunkOf(bytes))).toEqual(bytes);
      again.close();
    }),
    { numRuns: 50 },
  );
});

test('whatever a power cut left, only whole chunks count, and more can be added', () => {
  const chunks = ['one', 'two'.repeat(50), 'three'].map((text) => Buffer.from(text));
  const directory = temporaryDirectory();
  const whole = ChunkSpool.open(`${directory}/whole`);
  for (const bytes of chunks) whole.add(digestOf(bytes), bytes);
  whole.close();
  const bytes = readFileSync(`${directory}/whole`);
  const ends = [36 + 3, 36 + 3 + 36 + 150];
  fc.assert(
    fc.property(fc.nat({ max: bytes.length }), fc.constantFrom('cut', 'zeros', 'flip'), (at, how) => {
      const torn = Buffer.from(bytes);
      if (how === 'zeros') torn.fill(0, at);
      if (how === 'flip' && at < torn.length) torn[at] = (torn[at] ?? 0) ^ 1;
      const path = `${directory}/torn`;
      writeFileSync(path, how === 'cut' ? torn.subarray(0, at) : torn);
      // Zeros may be what was there.
      const sound =
        torn.equals(bytes) && how !== 'cut'
          ? 3
          : ends.filter((end) => end <= at).length + (at === bytes.length ? 1 : 0);
      const spool = ChunkSpool.open(path);
      expect(chunks.map((chunk) => spool.has(digestOf(chunk)))).toEqual([0, 1, 2].map((number) => number < sound));
      const more = Buffer.from('four');
      spool.add(digestOf(more), more);
      spool.close();
      const again = ChunkSpool.open(path);
      expect(again.get(chunkOf(more))).toEqual(more);
      again.close();
    }),
    { numRuns: 200 },
  );
});

test('none is no error, and nothing is made by looking', () => {
  const path = `${temporaryDirectory()}/chunks`;
  expect(ChunkSpool.look(path)).toEqual(new Set());
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
});

test('what is not there, or has another size, is not given', () => {
  const spool = ChunkSpool.open(`${temporaryDirectory()}/chunks`);
  const bytes = Buffer.from('one');
  spool.add(digestOf(bytes), bytes);
  expect(() => spool.get({ ...chunkOf(bytes), sizeBytes: 4 })).toThrow('a part of the image is missing');
  expect(() => spool.get(chunkOf(Buffer.from('two')))).toThrow('a part of the image is missing');
  spool.close();
});

test('room is asked for with what must stay free', () => {
  const spool = ChunkSpool.open(`${temporaryDirectory()}/chunks`);
  expect(() => spool.requireRoom(1000, 1, 0)).not.toThrow();
  expect(() => spool.requireRoom(2 ** 60, 1, 0)).toThrow('there is not enough room');
  expect(() => spool.requireRoom(0, 0, 2 ** 60)).toThrow('there is not enough room');
  spool.close();
});
