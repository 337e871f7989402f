// What is kept of a stage: everything that a person needs to mend it, in a size that /run can afford, and never a lie when
// the file is damaged.

import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runStage } from '../../../src/stages/run.ts';
import {
  brokenOffRecord,
  finishedRecord,
  readRecord,
  readRecords,
  runningRecord,
  type StageRecord,
  writeRecord,
} from '../../../src/stages/stagerecord.ts';
import { silent } from '../../../src/system/events.ts';
import { Root } from '../../../src/system/root.ts';

const START = '2026-01-02T03:04:05.000Z';
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-record-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const recordOf = async (text: string) =>
  finishedRecord(
    'boot',
    START,
    await runStage({
      stage: 'boot',
      root: new Root(directory),
      sources: [],
      documents: [{ name: '/oem/a.yaml', text }],
      events: silent,
    }),
  );

test('a failed step has its place, its name and why, and comes back from the file as it was', async () => {
  const record = await recordOf(`stages:
  boot.before:
    - name: Off
      if_files: { all: [/no/such/file] }
      commands: ["true"]
  boot:
    - name: Wrong
      sysctl: { "../../etc/passwd": "1" }
`);
  expect(record).toMatchObject({
    stage: 'boot',
    outcome: 'failed',
    startedAt: START,
    counts: { ok: 0, skipped: 1, failed: 1, errors: 0, warnings: 0 },
    failures: [{ file: '/oem/a.yaml', line: 7, column: 7, subStage: 'boot', name: 'Wrong' }],
    furtherFailures: 0,
  });
  expect(record.failures[0]?.message).toMatch(/^sysctl: /);
  writeRecord(record, directory);
  expect(readRecord('boot', directory)).toEqual(record);
});

test('a file that can’t be used is a failure with the place of its error', async () => {
  const record = await recordOf('stages: {boot: [{commands: [}\n');
  expect(record.counts).toEqual({ ok: 0, skipped: 0, failed: 0, errors: 1, warnings: 0 });
  expect(record.failures).toMatchObject([{ file: '/oem/a.yaml', line: 1 }]);
});

test('what a step prints and says is cut, and of a thousand failures the first twenty are kept', () => {
  const step = {
    subStage: 'boot',
    file: '/oem/a.yaml',
    line: 1,
    column: 1,
    name: 'n'.repeat(1 << 17),
    outcome: 'failed' as const,
    keys: [
      {
        key: 'commands' as const,
        outcome: 'failed' as const,
        error: 'e'.repeat(1 << 17),
        outputTail: 'o'.repeat(1 << 17),
      },
    ],
    definition: `sha256:${'0'.repeat(64)}`,
    changedFiles: [],
    durationMs: 1,
  };
  const record = finishedRecord('boot', START, {
    stage: 'boot',
    outcome: 'failed',
    steps: Array.from({ length: 1000 }, () => step),
    problems: [],
    durationMs: 1,
  });
  writeRecord(record, directory);
  expect([record.failures.length, record.furtherFailures, record.counts.failed]).toEqual([20, 980, 1000]);
  expect(statSync(join(directory, 'boot.json')).size).toBeLessThan(150_000);
});

test('only root may read a record, and nothing is left beside it', () => {
  writeRecord(runningRecord('fs', START, 42), directory);
  writeRecord(brokenOffRecord('fs', START, 'interrupted'), directory);
  expect(readdirSync(directory)).toEqual(['fs.json']);
  expect(statSync(join(directory, 'fs.json')).mode & 0o777).toBe(0o600);
  expect(readRecord('fs', directory)).toMatchObject({ outcome: 'failed', failures: [{ message: 'interrupted' }] });
});

test('records come in the order of a boot, other files are passed over', () => {
  for (const stage of ['network', 'rootfs', 'boot'] as const) writeRecord(runningRecord(stage, START, 1), directory);
  writeFileSync(join(directory, 'boot.json.77.tmp'), '{');
  writeFileSync(join(directory, 'mine.json'), '{}');
  expect(readRecords(directory).map(({ stage }) => stage)).toEqual(['rootfs', 'boot', 'network']);
});

test('without a directory nothing has run', () => {
  expect(readRecords(join(directory, 'none'))).toEqual([]);
});

test('whatever is in the file, reading gives a record or nothing', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc
          .record({ outcome: fc.constant('failed'), failures: fc.array(fc.jsonValue()), counts: fc.jsonValue() })
          .map((value) => JSON.stringify(value)),
      ),
      (text) => {
        writeFileSync(join(directory, 'boot.json'), text);
        const record: StageRecord | undefined = readRecord('boot', directory);
        if (record === undefined) return;
        expect(record.stage).toBe('boot');
        for (const { message } of record.failures) expect(typeof message).toBe('string');
      },
    ),
  );
});
