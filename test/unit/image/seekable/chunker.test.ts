// Cuts that depend on the content alone. The last test freezes them: published indexes hold chunks that were cut so.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../../src/image/digest.ts';
import { Chunker, chunksOf, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES } from '../../../../src/image/seekable/chunker.ts';
import { noise } from './members.ts';

function cut(content: Buffer, pieceBytes: number): Buffer[] {
  const chunker = new Chunker();
  const chunks: Buffer[] = [];
  for (let at = 0; at < content.length; at += pieceBytes) {
    for (const chunk of chunker.push(content.subarray(at, at + pieceBytes))) chunks.push(Buffer.from(chunk));
  }
  for (const chunk of chunker.finish()) chunks.push(Buffer.from(chunk));
  return chunks;
}

const digests = (content: Buffer) => cut(content, 1 << 20).map((chunk) => digestOf(chunk));

describe('chunks', () => {
  test('are the content, within their sizes, however it arrives', () => {
    fc.assert(
      fc.property(
        fc.nat(9),
        fc.integer({ min: 0, max: 2_000_000 }),
        fc.integer({ min: 1000, max: 300_000 }),
        (seed, length, pieceBytes) => {
          const content = noise(seed, length);
          const chunks = cut(content, pieceBytes);
          expect(Buffer.concat(chunks).equals(content)).toBe(true);
          for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(MAX_CHUNK_BYTES);
          for (const chunk of chunks.slice(0, -1)) expect(chunk.length).toBeGreaterThanOrEqual(MIN_CHUNK_BYTES);
          expect(chunks.map((chunk) => digestOf(chunk))).toEqual(digests(content));
        },
      ),
      { numRuns: 25 },
    );
  });

  test('are around 128 KiB', () => {
    const count = cut(noise(3, 20_000_000), 1 << 20).length;
    expect(20_000_000 / count).toBeGreaterThan(90_000);
    expect(20_000_000 / count).toBeLessThan(200_000);
  });

  test('behind an insertion are the same', () => {
    const before = noise(5, 4_000_000);
    const after = Buffer.concat([before.subarray(0, 1_500_000), Buffer.from('inserted'), before.subarray(1_500_000)]);
    const known = new Set(digests(before));
    const changed = digests(after).filter((digest) => !known.has(digest));
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.length).toBeLessThanOrEqual(3);
  });

  test('of zeros are as large as can be', () => {
    expect(cut(Buffer.alloc(MAX_CHUNK_BYTES * 2 + 5), 70_000).map(({ length }) => length)).toEqual([
      MAX_CHUNK_BYTES,
      MAX_CHUNK_BYTES,
      5,
    ]);
  });

  test('of this content will always be these', async () => {
    const content = noise(6, 1_000_000);
    const chunks = [];
    for await (const chunk of chunksOf(
      (async function* () {
        yield content;
      })(),
    ))
      chunks.push(chunk);
    expect(chunks.map(({ sizeBytes, digest }) => `${sizeBytes} ${digest.slice(7, 19)}`)).toMatchInlineSnapshot(`
      [
        "133405 641ec3dae09a",
        "131889 8032b10be33c",
        "140512 c3465af77f71",
        "39323 0205693de868",
        "151548 dae469500461",
        "36961 aa9520adb5d0",
        "161828 d193b4c75e09",
        "131411 1ef18aa2b9f3",
        "73123 d5e9f55c0150",
      ]
    `);
  });
});
