// Each failure at once, where it happens in a run: the default reporter tells of them at the very end, which a run that is
// stopped never reaches.

import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

interface Failure {
  message: string;
  diff?: string | undefined;
  stacks?: readonly { file: string; line: number; column: number }[] | undefined;
}

/** Of a failure's stack: where the test is, and what it called. */
const SHOWN_FRAMES = 6;

export default class FailuresReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result();
    if (state === 'failed') tell(`${test.module.relativeModuleId} > ${test.fullName}`, errors);
  }

  /** What failed in the hooks of a group. */
  onTestSuiteResult(suite: TestSuite): void {
    if (suite.errors().length > 0) tell(`${suite.module.relativeModuleId} > ${suite.fullName}`, suite.errors());
  }

  /** What failed while a file was loaded, and in its hooks. */
  onTestModuleEnd(module: TestModule): void {
    if (module.errors().length > 0) tell(module.relativeModuleId, module.errors());
  }
}

function tell(where: string, failures: readonly Failure[]): void {
  const texts = failures.map(({ message, diff, stacks = [] }) =>
    [
      message,
      ...(diff === undefined ? [] : [diff]),
      ...stacks.slice(0, SHOWN_FRAMES).map(({ file, line, column }) => `    at ${file}:${line}:${column}`),
    ].join('\n'),
  );
  console.error(`\nFAILED ${new Date().toISOString().slice(11, 19)} ${where}\n${texts.join('\n')}\n`);
}
