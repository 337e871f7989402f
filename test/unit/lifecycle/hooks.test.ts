// What a person is told about a hook that failed, and about what is odd in its files.

import { expect, test } from 'vitest';
import { describeProblem, hookError } from '../../../src/lifecycle/hooks.ts';
import type { StageResult } from '../../../src/stages/result.ts';

const location = { file: '/oem/a.yaml', line: 3, column: 1, lineText: 'stages:' };

const failed: StageResult = {
  stage: 'after-upgrade-chroot',
  outcome: 'failed',
  problems: [],
  durationMs: 1,
  steps: [
    {
      subStage: 'after-upgrade-chroot',
      file: '/oem/a.yaml',
      line: 5,
      column: 7,
      name: 'mine',
      definition: `sha256:${'0'.repeat(64)}`,
      outcome: 'failed',
      keys: [
        { key: 'files', outcome: 'ok' },
        { key: 'commands', outcome: 'failed', error: 'apt-get install nothing: status 100', outputTail: 'E: no' },
      ],
      changedFiles: [],
      durationMs: 1,
    },
  ],
};

test('a warning begins with where and what, then shows the line', () => {
  expect(describeProblem({ location, message: 'the key "stages" is given twice' })).toBe(
    '/oem/a.yaml:3:1: the key "stages" is given twice\n  stages:\n  ^',
  );
});

test('a failed step is named with its file, line, key and last words, and has the status of its hook', () => {
  expect(hookError('after-upgrade-chroot', failed)).toMatchObject({
    code: 'HF-HOOK',
    exitStatus: 39,
    message:
      'hook after-upgrade-chroot: step "mine" at /oem/a.yaml:5 failed in commands: apt-get install nothing: status 100',
    outputTail: 'E: no',
  });
});

test('a file that can not be read is named with its place', () => {
  const problem = { severity: 'error' as const, message: 'a list is not closed', location };
  expect(hookError('before-upgrade', { ...failed, steps: [], problems: [problem] })).toMatchObject({
    exitStatus: 36,
    message: 'hook before-upgrade: a list is not closed',
    location,
  });
});
