// What report and promote refuse before they look at anything.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { promoteCommand } from '../../../src/cli/promote.ts';
import { reportCommand } from '../../../src/cli/report.ts';
import { silent } from '../../../src/system/events.ts';
import { PLAIN } from '../../../src/system/paint.ts';
import { UndoStack } from '../../../src/system/plan.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-promote-'));
afterAll(() => rmSync(directory, { recursive: true }));
const context = {
  reporter: { events: silent, result: () => {}, error: () => 1, paint: PLAIN },
  signal: new AbortController().signal,
  commandLine: 'holdfast',
  undo: new UndoStack(),
};

test('a report never overwrites a file', async () => {
  const output = join(directory, 'there.tar.gz');
  writeFileSync(output, 'mine');
  await expect(reportCommand(context, [], { output })).rejects.toMatchObject({
    code: 'HF-USAGE',
    message: `${output} can't be written: it is there already`,
    hint: expect.stringContaining('--output'),
  });
  expect(readFileSync(output, 'utf8')).toBe('mine');
});

test('a report goes to no directory that is not there', async () => {
  await expect(reportCommand(context, [], { output: join(directory, 'no/such') })).rejects.toMatchObject({
    message: expect.stringContaining('its directory is not there'),
  });
});

test('promote leaves a directory with something in it alone', async () => {
  await expect(promoteCommand(context, [directory], {})).rejects.toMatchObject({
    code: 'HF-USAGE',
    message: `${directory} is not empty`,
  });
});

test('promote builds on the name of an image', async () => {
  await expect(promoteCommand(context, [join(directory, 'new')], { from: 'a b\nRUN c' })).rejects.toMatchObject({
    code: 'HF-USAGE',
    message: '--from "a b\\nRUN c" is no name of an image',
  });
});
