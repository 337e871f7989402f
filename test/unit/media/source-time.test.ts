import { lstatSync, lutimesSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clampTimes, newestFileSeconds, reproducibleEnvironment, sourceTime } from '../../../src/media/source-time.ts';

const created = '2024-05-06T07:08:09.123Z';
const createdSeconds = 1714979289;

test.each([
  ['SOURCE_DATE_EPOCH before all', { SOURCE_DATE_EPOCH: '1700000000' }, created, 1_700_000_000, 'SOURCE_DATE_EPOCH'],
  ['an empty one is none', { SOURCE_DATE_EPOCH: '' }, created, createdSeconds, 'the image’s own date'],
  ['the date that the image’s builder wrote down', {}, created, createdSeconds, 'the image’s own date'],
  ['not 1970, which builders write for none', {}, '1970-01-01T00:00:00Z', 1_600_000_000, 'the image’s newest file'],
  ['not what is no date', {}, 'yesterday', 1_600_000_000, 'the image’s newest file'],
  ['the newest file without any', {}, undefined, 1_600_000_000, 'the image’s newest file'],
])('%s', (_, environment, date, seconds, basis) => {
  expect(sourceTime({ environment, created: date, newestFile: () => 1_600_000_000.5 })).toEqual({ seconds, basis });
});

test.each(['soon', '-1', '17e8', '1', '99999999999'])('SOURCE_DATE_EPOCH=%s is refused', (text) => {
  const options = { environment: { SOURCE_DATE_EPOCH: text }, created, newestFile: () => 0 };
  expect(() => sourceTime(options)).toThrow(expect.objectContaining({ code: 'HF-USAGE' }));
});

test('files that FAT can’t date are as old as it can say', () => {
  expect(sourceTime({ environment: {}, created: undefined, newestFile: () => 0 }).seconds).toBe(315532800);
});

test('tools get the time, and neither language nor time zone of the builder', () => {
  const environment = reproducibleEnvironment(5, { LANG: 'de_DE', TZ: 'Asia/Tokyo', PATH: '/bin' });
  expect(environment).toMatchObject({ SOURCE_DATE_EPOCH: '5', TZ: 'UTC0', LC_ALL: 'C', PATH: '/bin' });
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-time-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('what is newer is set back, links and directories too, and what is older stays', () => {
  mkdirSync(join(directory, 'sub'));
  writeFileSync(join(directory, 'sub/old'), '');
  writeFileSync(join(directory, 'sub/new'), '');
  symlinkSync('new', join(directory, 'sub/link'));
  lutimesSync(join(directory, 'sub/old'), 1000, 1000);
  expect(newestFileSeconds(directory)).toBeGreaterThan(2000);
  // new, link, sub and the directory itself.
  expect(clampTimes(directory, 2000)).toBe(4);
  const seconds = (path: string) => lstatSync(join(directory, path)).mtimeMs / 1000;
  expect(['', 'sub', 'sub/link', 'sub/new', 'sub/old'].map(seconds)).toEqual([2000, 2000, 2000, 2000, 1000]);
  expect(newestFileSeconds(directory)).toBe(2000);
  expect(clampTimes(directory, 2000)).toBe(0);
});
