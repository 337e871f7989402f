// What people read of a stage: exact lines, since they are what a user of a broken machine has.

import { expect, it } from 'vitest';
import { planStage } from '../../../src/stages/plan.ts';
import { renderProblems, renderStagePlan, renderStageResult } from '../../../src/stages/report.ts';
import { runStage } from '../../../src/stages/run.ts';
import { silent } from '../../../src/system/events.ts';
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

it('a result: failed and skipped steps, the problems, a summary', async () => {
  const result = await runStage({ ...request, events: silent });
  expect(renderStageResult({ ...result, durationMs: 12.4 })).toEqual([
    'skipped: /oem/a.yaml:5 "Not here" (boot): if_files: /no/such/file is not there',
    'failed: /oem/a.yaml:8 "Broken" (boot)',
    '  commands: echo one; echo two; exit 3 failed with status 3',
    '    one',
    '    two',
    '  users: the key "users" is not supported yet',
    'warning: the key "stage" is read as "stages"',
    '  /oem/a.yaml:1:1',
    '    stage:',
    '    ^',
    '  hint: write "stages"',
    'stage boot: steps: 1 ok, 1 skipped, 1 failed, 1 warning in files (12 ms)',
  ]);
});

it('a plan', async () => {
  expect(renderStagePlan(await planStage(request)).slice(0, 8)).toEqual([
    '1. boot: /oem/a.yaml:3 "Fine"',
    '   commands: run: true',
    '2. boot: /oem/a.yaml:5 "Not here"',
    '   only with if_files all: /no/such/file',
    '   commands: run: true',
    '3. boot: /oem/a.yaml:8 "Broken"',
    '   commands: run: echo one; echo two; exit 3',
    '   users: not supported yet',
  ]);
});

it('a stage without steps', async () => {
  const empty = { ...request, stage: 'nothing', documents: [] };
  expect(renderStagePlan(await planStage(empty))).toEqual(['stage nothing: there is no step']);
  const result = await runStage({ ...empty, events: silent });
  expect(renderStageResult({ ...result, durationMs: 0 })).toEqual(['stage nothing: no step (0 ms)']);
});

it('a problem without a line', () => {
  const location = { file: '/oem/x.yaml', line: 1, column: 1 };
  expect(renderProblems([{ severity: 'error', message: "the file can't be read: x", location }])).toEqual([
    "error: the file can't be read: x",
    '  /oem/x.yaml:1:1',
  ]);
});
