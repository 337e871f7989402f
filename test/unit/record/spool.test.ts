// What waits in /run: entries one by one, repetitions counted, never more than there is room for; written to the record once,
// and what changed meanwhile stays.

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lastActionOf } from '../../../src/lifecycle/last-action.ts';
import { newEntryId, type RecordEntry } from '../../../src/record/entry.ts';
import { noteEvent } from '../../../src/record/note-event.ts';
import { RECORD_FILE, readRecord, writeRecord } from '../../../src/record/record.ts';
import { readSpool, spoolEntry } from '../../../src/record/spool.ts';

let directory: string;
let state: string;
beforeEach(() => {
  const base = mkdtempSync(join(tmpdir(), 'holdfast-spool-'));
  directory = join(base, 'run');
  state = join(base, 'state');
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

const stage = (changes: Partial<RecordEntry> = {}): RecordEntry => ({
  id: newEntryId(),
  kind: 'stage',
  name: 'reconcile',
  startedAt: '2026-01-02T03:04:05.000Z',
  bootId: '0123abcd',
  uptimeSeconds: 10,
  outcome: 'ok',
  steps: [{ file: '/oem/a.yaml', line: 3, outcome: 'ok', definition: 'sha256:1', durationMs: 4 }],
  ...changes,
});
const spool = (entry: RecordEntry, counted = false) => spoolEntry(entry, { directory, counted });
const write = (entries: readonly RecordEntry[] = []) => writeRecord(state, entries, { spoolDirectory: directory });
const read = (isAtWork = () => true) => readRecord({ stateDirectory: state, spoolDirectory: directory, isAtWork });

test('entries come in the order in which they began, whatever the clock said early in the boot', () => {
  spool(stage({ name: 'boot', uptimeSeconds: 9, startedAt: '2026-01-02T00:00:00Z' }));
  spool(stage({ name: 'rootfs', uptimeSeconds: 2, startedAt: '2031-01-01T00:00:00Z' }));
  expect(readSpool(directory).entries.map(({ name }) => name)).toEqual(['rootfs', 'boot']);
});

test('the same again is counted: one entry, with the times of the first and the last', () => {
  const first = spool(stage(), true);
  const again = spool(stage({ startedAt: '2026-01-02T04:04:05.000Z', endedAt: '2026-01-02T04:04:06.000Z' }), true);
  expect([first.isNew, again.isNew]).toEqual([true, false]);
  expect(readSpool(directory).entries).toMatchObject([
    { id: first.entry.id, times: 2, startedAt: '2026-01-02T03:04:05.000Z', endedAt: '2026-01-02T04:04:06.000Z' },
  ]);
});

test.each<[string, Partial<RecordEntry>]>([
  ['another outcome', { outcome: 'failed' }],
  ['another step', { steps: [{ file: '/oem/a.yaml', line: 9, outcome: 'ok', definition: 'sha256:2' }] }],
  ['another boot', { bootId: 'ffffffff' }],
  ['another message', { message: 'no more' }],
])('%s is told on its own', (_, changes) => {
  spool(stage(), true);
  expect(spool(stage(changes), true).isNew).toBe(true);
  expect(readSpool(directory).entries).toHaveLength(2);
});

test('what was written goes on being counted, under the same id', () => {
  const { id } = spool(stage(), true).entry;
  expect(write()).toBe(1);
  expect(readSpool(directory).entries).toEqual([]);
  expect(spool(stage(), true).entry).toMatchObject({ id, times: 2 });
  expect(read().entries).toMatchObject([{ id, times: 2 }]);
  write();
  expect(read().entries).toMatchObject([{ id, times: 2 }]);
});

const REFUSED = { code: 'HF-HOOK', message: 'E: Unable to locate package vimm', exitStatus: 39 };
const action = (name: string, hour: number, changes: Partial<RecordEntry> = {}): RecordEntry => {
  const at = `2026-01-02T${hour}:00:00.000Z`;
  const moment = { startedAt: at, endedAt: at, uptimeSeconds: 3600 * hour };
  return stage({ kind: 'action', name, ...moment, steps: [], ...changes });
};
const refusal = (name: string, hour: number) => action(name, hour, { outcome: 'refused', error: REFUSED });
const last = () => lastActionOf(read().entries);

test('a refusal after something else went well is told anew, although it is the same as one before', () => {
  const { entry } = spool(refusal('apply', 10), true);
  write([entry]);
  write([action('upgrade', 11, { outcome: 'running' })]);
  expect(last()).toMatchObject({ outcome: 'refused' });
  write([action('upgrade', 11)]);
  expect(last()).toMatchObject({ action: 'upgrade', outcome: 'ok' });
  const again = spool(refusal('apply', 12), true);
  expect(again.isNew).toBe(true);
  expect(last()).toMatchObject({ id: again.entry.id, outcome: 'refused', date: '2026-01-02T12:00:00.000Z' });
  expect(read().entries.map(({ outcome }) => outcome)).toEqual(['refused', 'running', 'ok', 'refused']);
});

test('also when what went well could not be written, and waits', () => {
  spool(refusal('apply', 10), true);
  spool(action('apply', 11));
  expect(spool(refusal('apply', 12), true).isNew).toBe(true);
});

test('two refusals in turns are counted, and the one that came last is the last', () => {
  for (const hour of [10, 12, 14]) {
    for (const [name, at] of [
      ['apply', hour],
      ['upgrade', hour + 1],
    ] as const) {
      const { entry, isNew } = spool(refusal(name, at), true);
      expect(isNew).toBe(hour === 10);
      if (isNew) write([entry]);
    }
  }
  spool(refusal('apply', 16), true);
  const counted = [
    { name: 'upgrade', times: 3 },
    { name: 'apply', times: 4 },
  ];
  expect(read().entries).toMatchObject(counted);
  expect(last()).toMatchObject({ action: 'apply', date: '2026-01-02T16:00:00.000Z' });
  write();
  expect(read().entries).toMatchObject(counted);
});

test('too many: those that went well go first, and how many went is recorded', () => {
  const trouble = spool(stage({ outcome: 'failed', uptimeSeconds: 0 })).entry;
  for (let count = 0; count < 300; count += 1) spool(stage({ uptimeSeconds: 1 + count }));
  const { entries, lost } = readSpool(directory);
  expect(entries.length).toBeLessThanOrEqual(256);
  expect(entries[0]).toEqual(trouble);
  expect(lost).toBe(301 - entries.length);
  write();
  expect(read().entries.find(({ kind }) => kind === 'record')?.message).toContain(`${lost} entries`);
  expect(readdirSync(directory)).toEqual(['last']);
});

test('files that are none of ours are passed over', () => {
  spool(stage());
  writeFileSync(join(directory, 'garbage.json'), '{{{');
  writeFileSync(join(directory, 'lost'), 'many');
  expect(readSpool(directory)).toMatchObject({ entries: [{ name: 'reconcile' }], lost: 0 });
});

test('later lines of an entry take the place of earlier ones; what never ended was interrupted', () => {
  const action = stage({ kind: 'action', name: 'upgrade', outcome: 'running' });
  write([action]);
  expect(read(() => true).entries).toMatchObject([{ outcome: 'running' }]);
  expect(read(() => false).entries).toMatchObject([{ outcome: 'interrupted' }]);
  write([{ ...action, outcome: 'ok' }]);
  expect(read(() => false).entries).toMatchObject([{ id: action.id, outcome: 'ok' }]);
});

test('what waits is read with what is written; without a state partition it is all there is', () => {
  write([stage({ name: 'boot' })]);
  spool(stage({ name: 'network', bootId: 'ffffffff' }));
  expect(read().entries.map(({ name }) => name)).toEqual(['boot', 'network']);
  expect(readRecord({ stateDirectory: undefined, spoolDirectory: directory }).entries.map(({ name }) => name)).toEqual([
    'network',
  ]);
});

test('a record that can’t be read is a problem, not an end', () => {
  spool(stage());
  expect(readRecord({ stateDirectory: '/dev/null', spoolDirectory: directory })).toMatchObject({
    entries: [{ name: 'reconcile' }],
    problems: [expect.stringMatching(/^the record can't be read: /)],
  });
});

test('what can’t be written goes on waiting', () => {
  spool(stage());
  expect(() => writeRecord('/dev/null', [], { spoolDirectory: directory })).toThrow();
  expect(readSpool(directory).entries).toHaveLength(1);
  expect(existsSync(join(state, RECORD_FILE))).toBe(false);
});

test('one event, noted with who asked for it', () => {
  const entry = noteEvent(
    { kind: 'owner', name: 'pkg add vim', outcome: 'ok', command: 'holdfast pkg add vim --token=abcdefgh' },
    { spoolDirectory: directory },
  );
  expect(readSpool(directory).entries).toEqual([entry]);
  expect(entry.by).toMatchObject({ pid: process.pid, command: 'holdfast pkg add vim --token=***' });
});
