// The file of the record: lines over lines, torn, damaged, of another size. What was written whole is read; what was not is
// passed over, and the next line finds its place.

import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeFrame, scanFrames } from '../../../src/record/frame.ts';
import { appendToRing, createRing, RING_BYTES, readRing } from '../../../src/record/ring.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-ring-'));
  file = join(directory, 'holdfast/record');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const linesOf = () => readRing(file).lines.map(({ json }) => json);
/** The smallest file that counts as one, so that tests go round quickly. */
const small = () => createRing(file, new Uint8Array(256 << 10));
const line = (number: number, bytes = 100) => JSON.stringify({ number, text: 'x'.repeat(bytes) });

test('a record that isn’t there is empty, and the first line makes it, in its full size and for root only', () => {
  expect(readRing(file)).toEqual({ lines: [], damaged: 0 });
  appendToRing(file, ['{"a":1}', '{"b":"ä"}']);
  expect(linesOf()).toEqual(['{"a":1}', '{"b":"ä"}']);
  const { size, blocks, mode } = statSync(file);
  expect(size).toBe(RING_BYTES);
  expect(blocks * 512).toBeGreaterThanOrEqual(RING_BYTES);
  expect(mode & 0o777).toBe(0o600);
});

test('it goes round: the oldest lines go, the newest stay, the file keeps its size', () => {
  small();
  const inode = statSync(file).ino;
  for (let batch = 0; batch < 160; batch += 1) {
    appendToRing(
      file,
      Array.from({ length: 25 }, (_, index) => line(batch * 25 + index)),
    );
  }
  const kept = linesOf().map((json) => Number(JSON.parse(json).number));
  expect(kept.at(-1)).toBe(3999);
  expect(kept.length).toBeGreaterThan(1400);
  // Without a gap: a line is lost only because a newer one stands there.
  expect(kept).toEqual(kept.map((_, index) => 4000 - kept.length + index));
  expect(statSync(file)).toMatchObject({ size: 256 << 10, ino: inode });
});

test('a line larger than what is left goes to the beginning', () => {
  small();
  appendToRing(file, [line(0, 60_000), line(1, 60_000), line(2, 60_000), line(3, 60_000), line(4, 60_000)]);
  expect(linesOf().map((json) => JSON.parse(json).number)).toEqual([1, 2, 3, 4]);
  appendToRing(file, [line(5, 10)]);
  expect(linesOf().map((json) => JSON.parse(json).number)).toEqual([2, 3, 4, 5]);
});

describe('a file that isn’t what was written', () => {
  test.each([
    ['empty', new Uint8Array(0)],
    ['shorter than any of ours', new Uint8Array(100)],
  ])('%s: it is made anew', (_, content) => {
    small();
    writeFileSync(file, content);
    expect(linesOf()).toEqual([]);
    appendToRing(file, [line(7)]);
    expect(linesOf()).toEqual([line(7)]);
    expect(statSync(file).size).toBe(RING_BYTES);
  });

  test('cut off in the middle: what is left is read, and it goes on', () => {
    appendToRing(file, [line(0), line(1)]);
    truncateSync(file, 100 << 10);
    appendToRing(file, [line(2)]);
    expect(linesOf()).toEqual([line(0), line(1), line(2)]);
  });

  test('a damaged line in the middle is counted, and the others are read', () => {
    small();
    appendToRing(file, [line(0), line(1), line(2)]);
    const bytes = readFileSync(file);
    const second = readRing(file).lines[1]?.start ?? 0;
    bytes[second + 60] = 0x21;
    writeFileSync(file, bytes);
    expect(readRing(file)).toMatchObject({ damaged: 1, lines: [{ json: line(0) }, { json: line(2) }] });
    appendToRing(file, [line(3)]);
    expect(linesOf()).toEqual([line(0), line(2), line(3)]);
  });

  test('whatever bytes it has, reading it ends and writing to it works', () => {
    const bytes = fc.uint8Array({ maxLength: 3000 });
    const marked = fc
      .tuple(bytes, fc.constantFrom('\nhf1 ', 'hf1 00000000 zzzz ', '\n'), bytes)
      .map(([a, text, b]) => Buffer.concat([a, Buffer.from(text), b]));
    fc.assert(
      fc.property(fc.oneof(bytes, marked), (content) => {
        createRing(file, Buffer.concat([content, Buffer.alloc((256 << 10) - content.length)]));
        appendToRing(file, [line(1)]);
        expect(linesOf().at(-1)).toBe(line(1));
      }),
      { numRuns: 60 },
    );
  });
});

describe('a power cut while a line is written', () => {
  /** The file after a write of which only some sectors came to the disk. */
  const torn = (before: Buffer, after: Buffer, arrived: (sector: number) => boolean): Buffer => {
    const result = Buffer.from(before);
    for (let sector = 0; sector * 512 < after.length; sector += 1) {
      if (arrived(sector)) after.copy(result, sector * 512, sector * 512, sector * 512 + 512);
    }
    return result;
  };

  test('whichever sectors arrive: nothing that was there before the write’s place is lost, nothing half is read, it goes on', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.infiniteStream(fc.boolean()),
        (sizes, last, arrivals) => {
          small();
          for (const [number, bytes] of sizes.entries()) appendToRing(file, [line(number, bytes)]);
          const before = readFileSync(file);
          const old = linesOf();
          appendToRing(file, [line(9999, last)]);
          const after = readFileSync(file);
          const [place] = readRing(file).lines.slice(-1);
          const whole = new Set([...old, line(9999, last)]);
          writeFileSync(
            file,
            torn(before, after, () => arrivals.next().value === true),
          );
          const found = linesOf();
          // Only whole lines, in their order.
          expect(found.every((json) => whole.has(json))).toBe(true);
          // What the write did not touch is there.
          const untouched = scanFrames(before).frames.filter(
            ({ start, end }) => end <= (place?.start ?? 0) || start >= (place?.end ?? 0),
          );
          for (const { json } of untouched) expect(found).toContain(json);
          // It is no damage that anybody has to be told of.
          expect(readRing(file).damaged).toBe(0);
          appendToRing(file, [line(10_000)]);
          expect(linesOf().at(-1)).toBe(line(10_000));
        },
      ),
      { numRuns: 40 },
    );
  });
});

test('a line can’t be forged from inside another one', () => {
  const inner = encodeFrame(5000, '{"forged":true}').toString('latin1');
  appendToRing(file, [JSON.stringify({ outputTail: `\n${inner}\n` })]);
  const bytes = readFileSync(file);
  // Even when the line around it is damaged.
  bytes[20] = 0x30 + ((bytes[20] ?? 0) % 5);
  writeFileSync(file, bytes);
  expect(linesOf().filter((json) => json.includes('forged') && !json.includes('outputTail'))).toEqual([]);
});

test('a line that is too large is a bug of ours, and refused', () => {
  expect(() => encodeFrame(0, 'x'.repeat((64 << 10) + 1))).toThrow(RangeError);
  expect(() => encodeFrame(-1, '{}')).toThrow(RangeError);
});
