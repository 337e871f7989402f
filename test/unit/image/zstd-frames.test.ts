// Finding the ends of zstd frames in a stream that is cut anywhere, and unpacking many frames with every runtime.

import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decompress, through } from '../../../src/image/streamstage.ts';
import { FrameSplitter, frameContentBytes } from '../../../src/image/zstd-frames.ts';

const zstd = (content: Buffer, ...options: string[]) =>
  execFileSync('zstd', ['-q', '-c', ...options], { input: content });
const skippable = (bytes: number) => {
  const frame = Buffer.alloc(8 + bytes, 0xab);
  frame.writeUInt32LE(0x184d2a53, 0);
  frame.writeUInt32LE(bytes, 4);
  return frame;
};

const CONTENTS = [
  Buffer.from('hello'),
  Buffer.alloc(0),
  Buffer.alloc(300_000, 'runs of text '),
  Buffer.alloc(1_000_000),
  Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * i * 31) >>> 3)),
];
/** Several ways to pack: with and without checksum, content size and its own window. */
const FRAMES = CONTENTS.flatMap((content) => [
  { content, packed: zstd(content) },
  { content, packed: zstd(content, '--no-check', '-19') },
  { content, packed: zstd(content, '--no-content-size', '--fast') },
]);

function split(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const splitter = new FrameSplitter();
  const frames: Buffer[] = [];
  let parts: Buffer[] = [];
  const places = [...new Set([0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length])].sort(
    (a, b) => a - b,
  );
  for (const [index, at] of places.entries()) {
    for (const { bytes, ends } of splitter.push(stream.subarray(at, places[index + 1] ?? at))) {
      parts.push(Buffer.from(bytes));
      if (ends) {
        frames.push(Buffer.concat(parts));
        parts = [];
      }
    }
  }
  expect(splitter.isBetweenFrames).toBe(true);
  expect(parts).toEqual([]);
  return frames;
}

async function unpack(stream: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  const source = (async function* () {
    for (let at = 0; at < stream.length; at += 50_000) yield stream.subarray(at, at + 50_000);
  })();
  for await (const part of through(source, decompress('zstd'))) parts.push(part);
  return Buffer.concat(parts);
}

test('frames are found wherever the stream is cut, and those without content are left out', () => {
  const stream = Buffer.concat(FRAMES.flatMap(({ packed }, index) => [packed, skippable(index % 3)]));
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 12 }), (cuts) => {
      const frames = split(stream, cuts);
      expect(frames.map((frame) => frame.equals(FRAMES[frames.indexOf(frame)]?.packed ?? Buffer.alloc(0)))).toEqual(
        FRAMES.map(() => true),
      );
    }),
    { numRuns: 50 },
  );
});

test('a frame tells how much it holds, if it does', () => {
  const large = Buffer.alloc(70_000, 'x');
  // From a pipe zstd(1) knows the size only when it is told.
  expect(frameContentBytes(zstd(Buffer.alloc(300, 'y'), '--stream-size=300'))).toBe(300);
  expect(frameContentBytes(zstd(Buffer.from('hi'), '--stream-size=2'))).toBe(2);
  expect(frameContentBytes(zstd(large, `--stream-size=${large.length}`).subarray(0, 18))).toBe(large.length);
  expect(frameContentBytes(zstd(large, '--no-content-size'))).toBeUndefined();
  expect(frameContentBytes(Buffer.from('not zstd'))).toBeUndefined();
});

describe('streams', () => {
  test('many frames are one content', async () => {
    const stream = Buffer.concat([skippable(7), ...FRAMES.map(({ packed }) => packed), skippable(100)]);
    expect((await unpack(stream)).equals(Buffer.concat(FRAMES.map(({ content }) => content)))).toBe(true);
  });

  test.each([
    [
      'is cut inside a frame',
      Buffer.concat([zstd(Buffer.alloc(5000, 'a')), zstd(Buffer.alloc(5000, 'b')).subarray(0, 20)]),
    ],
    ['goes on with something else', Buffer.concat([zstd(Buffer.from('a')), Buffer.from('something else')])],
    ['is no zstd at all', Buffer.from('something else')],
  ])('one that %s is refused', async (_, stream) => {
    await expect(unpack(stream)).rejects.toThrow();
  });
});
