// What people read of a stage: exact lines, since they are what a user of a broken machine has.

import { expect, it } from 'vitest';
import { renderProblems, renderStageResult } from '../../../src/stages/report.ts';
import { runStage } from '../../../src/stages/run.ts';
import { silent } from '../../../src/system/events.ts';
import { painter } from '../../../src/system/paint.ts';
import { Root } from '../../../src/system/root.ts';

const TEXT = `stage:
  boot:
    - name: Fine
      commands: ["true"]
    - name: Not here
      if_files: {all: [/no/such/file]}
      commands: ["true"]
    - name: Broken
      commands: ["echo one; echo two; exit 3"]
      users: {}
`;
const request = { stage: 'boot', root: new Root('/'), sources: [], documents: [{ name: '/oem/a.yaml', text: TEXT }] };

it('a result: failed steps, the problems, a summary', async () => {
  const result = await runStage({ ...request, events: silent });
  expect(renderStageResult({ ...result, durationMs: 12.4 })).toEqual([
    'failed: /oem/a.yaml:8 "Broken" (boot)',
    '  commands: echo one; echo two; exit 3 failed with status 3',
    '  | one',
    '  | two',
    'warning: the key "stage" is read as "stages"',
    '  /oem/a.yaml:1:1',
    '    stage:',
    '    ^',
    '  hint: write "stages"',
    'stage boot: steps: 1 ok, 1 skipped, 1 failed, 1 warning in files (12 ms)',
  ]);
});

it('with --debug also the steps that were skipped, with their reason, and what was changed', async () => {
  const result = await runStage({ ...request, events: silent });
  const [fine, ...others] = result.steps;
  const steps = fine === undefined ? others : [{ ...fine, changedFiles: ['/etc/a'] }, ...others];
  expect(renderStageResult({ ...result, steps }, { debug: true }).slice(0, 4)).toEqual([
    'changed: /oem/a.yaml:3 "Fine" (boot)',
    '  /etc/a',
    'skipped: /oem/a.yaml:5 "Not here" (boot)',
    '  if_files: /no/such/file is not there',
  ]);
});

it('colours are for terminals', async () => {
  const result = await runStage({ ...request, events: silent });
  expect(renderStageResult(result).join('')).not.toContain('\x1b');
  expect(renderStageResult(result, { paint: painter(true) })[0]).toBe(
    '\x1b[31mfailed:\x1b[39m /oem/a.yaml:8 "Broken" (boot)',
  );
});

it('a stage without steps', async () => {
  const result = await runStage({ ...request, stage: 'nothing', documents: [], events: silent });
  expect(renderStageResult({ ...result, durationMs: 0 })).toEqual(['stage nothing: no step (0 ms)']);
});

it('a problem without a line', () => {
  const location = { file: '/oem/x.yaml', line: 1, column: 1 };
  expect(renderProblems([{ severity: 'error', message: "the file can't be read: x", location }])).toEqual([
    "error: the file can't be read: x",
    '  /oem/x.yaml',
  ]);
});
