import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  judgePending,
  type PendingCarry,
  readPendingCarry,
  removePendingCarry,
  writePendingCarry,
} from '../../../src/lifecycle/pending-carry.ts';

const FROM = '1'.repeat(64);
const TO = '2'.repeat(64);
const PENDING: PendingCarry = {
  device: 'LABEL=KEEP',
  path: '/persist.img',
  from: FROM,
  to: TO,
  bootId: 'this-boot',
  date: '2026-11-21T10:00:00.000Z',
  conflicts: '20261121T100000Z',
  state: 'open',
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-pending-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a note comes back as it was written, and is gone when it is taken away', () => {
  expect(readPendingCarry(directory)).toBeUndefined();
  writePendingCarry(directory, PENDING);
  expect(readPendingCarry(directory)).toEqual(PENDING);
  removePendingCarry(directory);
  expect(readPendingCarry(directory)).toBeUndefined();
  removePendingCarry(directory);
});

test.each([
  ['cut short', '{"format":1,'],
  ['of another format', JSON.stringify({ ...PENDING, format: 2 })],
  ['with a base that is none', JSON.stringify({ format: 1, ...PENDING, to: '../../etc/passwd' })],
  ['with a place for losers outside of the set', JSON.stringify({ format: 1, ...PENDING, conflicts: '../..' })],
  ['far too large', JSON.stringify({ format: 1, ...PENDING, problem: 'x'.repeat(100_000) })],
  ['no object', 'null'],
])('a note that is %s is no note', (_, text) => {
  writeFileSync(join(directory, 'pending-overlay.json'), text);
  expect(readPendingCarry(directory)).toBeUndefined();
});

test.each([
  ['at-shutdown', { active: TO, bootId: 'this-boot' }, 'open'],
  ['unfinished', { active: TO, bootId: 'another' }, 'open'],
  ['failed', { active: TO, bootId: 'another' }, 'failed'],
  ['stale', { active: FROM, bootId: 'this-boot' }, 'open'],
  ['stale', { active: undefined, bootId: 'this-boot' }, 'failed'],
] as const)('it is judged %s by what is active and which boot this is', (standing, now, state) => {
  expect(judgePending({ ...PENDING, state }, now)).toBe(standing);
});
