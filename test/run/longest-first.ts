// The order of the test files: the suites one after the other, and in each the longest first. What begins last should be
// short, or one processor waits for it.

import { relative, resolve } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { runsBesideOthers } from './beside-others.ts';
import { orderOfStart } from './order.ts';
import { secondsOf } from './seconds.ts';

const TESTS = resolve(import.meta.dirname, '..');

export default class LongestFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const groups = new Map<number, { specification: TestSpecification; seconds: number; alone: boolean }[]>();
    for (const specification of await super.sort(specifications)) {
      const file = relative(TESTS, specification.moduleId);
      const group = specification.project.config.sequence.groupOrder;
      const timed = { specification, seconds: secondsOf(file), alone: isAlone(file) };
      groups.set(group, [...(groups.get(group) ?? []), timed]);
    }
    return [...groups.entries()]
      .sort(([a], [b]) => a - b)
      .flatMap(([, files]) => orderOfStart(files, workersOf(files)).map(({ specification }) => specification));
  }
}

function isAlone(file: string): boolean {
  return file.startsWith('system/') && !runsBesideOthers(file.slice('system/'.length));
}

function workersOf(files: readonly { specification: TestSpecification }[]): number {
  const workers = files[0]?.specification.project.config.maxWorkers;
  return typeof workers === 'number' ? workers : 1;
}
