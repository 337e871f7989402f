// Times to the nanosecond: what is read out of decimal numbers, and what of files.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { canKeep, exactTimeOf, isSameTime, readTime, setExactTime, setTime } from '../../../src/image/exact-time.ts';

test.each([
  ['1500000000', undefined],
  ['1500000000.', undefined],
  ['1500000000.000000000', undefined],
  ['1500000000.5', { seconds: 1_500_000_000, nanoseconds: 500_000_000 }],
  ['1500000000.123456789', { seconds: 1_500_000_000, nanoseconds: 123_456_789 }],
  ['1500000000.000000001', { seconds: 1_500_000_000, nanoseconds: 1 }],
  ['1500000000.1234567899', { seconds: 1_500_000_000, nanoseconds: 123_456_789 }],
  ['-1.25', { seconds: -2, nanoseconds: 750_000_000 }],
  ['-1', undefined],
  ['', undefined],
])('%j is %j', (text, time) => {
  expect(exactTimeOf(text)).toEqual(time);
});

test('it is the number that was written, for every number', () => {
  const second = fc.integer({ min: -(2 ** 33), max: 2 ** 33 });
  fc.assert(
    fc.property(second, fc.integer({ min: 0, max: 999_999_999 }), (whole, nanoseconds) => {
      const text = `${whole}.${String(nanoseconds).padStart(9, '0')}`;
      const written = BigInt(whole) * 1_000_000_000n + BigInt(whole < 0 ? -nanoseconds : nanoseconds);
      const exact = exactTimeOf(text);
      const said =
        exact === undefined
          ? BigInt(whole) * 1_000_000_000n
          : BigInt(exact.seconds) * 1_000_000_000n + BigInt(exact.nanoseconds);
      expect(said).toBe(written);
    }),
  );
});

test('times are the same when both parts are', () => {
  const exactMtime = { seconds: 1, nanoseconds: 2 };
  expect(isSameTime({ mtime: 1 }, { mtime: 1, exactMtime: undefined })).toBe(true);
  expect(isSameTime({ mtime: 1, exactMtime }, { mtime: 1, exactMtime: { ...exactMtime } })).toBe(true);
  expect(isSameTime({ mtime: 1, exactMtime }, { mtime: 1 })).toBe(false);
  expect(isSameTime({ mtime: 1, exactMtime }, { mtime: 1, exactMtime: { seconds: 1, nanoseconds: 3 } })).toBe(false);
});

describe('of a file', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-time-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test.each([
    ['1500000000', { mtime: 1_500_000_000 }],
    ['1500000000.5', { mtime: 1_500_000_000.5, exactMtime: { seconds: 1_500_000_000, nanoseconds: 500_000_000 } }],
    [
      '1500000000.123456789',
      { mtime: 1_500_000_000.123456, exactMtime: { seconds: 1_500_000_000, nanoseconds: 123_456_789 } },
    ],
    ['-0.5', { mtime: -0.5, exactMtime: { seconds: -1, nanoseconds: 500_000_000 } }],
  ])('%s is read as it is', (time, read) => {
    execFileSync('touch', ['-d', `@${time}`, `${directory}/file`]);
    expect(readTime(`${directory}/file`)).toEqual(read);
  });

  test('what is not there has none; of a link it is the link’s own', () => {
    expect(readTime(`${directory}/missing`)).toBeUndefined();
    writeFileSync(`${directory}/file`, '');
    symlinkSync('file', `${directory}/link`);
    setTime(`${directory}/link`, { mtime: 1_500_000_000.5 });
    expect(readTime(`${directory}/link`)?.mtime).toBe(1_500_000_000.5);
    expect(readTime(`${directory}/file`)?.mtime).toBeGreaterThan(1_600_000_000);
  });

  test('Node sets what a double keeps, and says that it can do no more', () => {
    writeFileSync(`${directory}/file`, '');
    const time = { mtime: 1_500_000_000.123457, exactMtime: { seconds: 1_500_000_000, nanoseconds: 123_456_789 } };
    expect(setExactTime(`${directory}/file`, time)).toBe(false);
    setTime(`${directory}/file`, time);
    expect(readTime(`${directory}/file`)).toMatchObject({
      exactMtime: { seconds: 1_500_000_000, nanoseconds: 123_456_000 },
    });
    expect(canKeep(time)).toBe(false);
    expect(canKeep({ mtime: 1.5, exactMtime: { seconds: 1, nanoseconds: 500_000_000 } })).toBe(true);
  });
});
