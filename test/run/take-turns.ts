// Before a file of test/system is even loaded: it waits for its turn on this machine, unless it can run beside others. After
// it, nothing of its process may be left where the next one looks.

import { readdirSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { afterAll, expect } from 'vitest';
import { thisMachine } from '../../lab/turn.ts';
import { runsBesideOthers } from './beside-others.ts';
import { pidInName } from './work-names.ts';

const SYSTEM_TESTS = resolve(import.meta.dirname, '../system');
const { testPath } = expect.getState();
if (testPath === undefined) throw new Error('the test runner does not say which file this is');

if (!runsBesideOthers(relative(SYSTEM_TESTS, testPath))) {
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let turn: Promise<void> = Promise.resolve();
  await new Promise<void>((begin, refuse) => {
    turn = thisMachine.take(() => {
      begin();
      return ended;
    });
    turn.catch(refuse);
  });
  afterAll(async () => {
    end();
    await turn;
  });
}

afterAll(() => {
  expect(leftByThisProcess(), 'left in /run/holdfast').toEqual([]);
});

function leftByThisProcess(): string[] {
  try {
    return readdirSync('/run/holdfast').filter((name) => pidInName(name) === process.pid);
  } catch {
    return [];
  }
}
