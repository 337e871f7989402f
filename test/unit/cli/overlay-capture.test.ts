// `overlay capture` asked for what it can't do: it says so before it looks at anything.

import { expect, test, vi } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import type { Reporter } from '../../../src/cli/reporter.ts';
import { messageOf } from '../../../src/system/errors.ts';
import { PLAIN } from '../../../src/system/paint.ts';

test.each([
  ['a stage that none can be called', ['--stage', 'after upgrade'], '"after upgrade" can’t be the name of a stage'],
  [
    'a system without an overlay',
    [],
    'this system doesn’t run on an overlay, so nothing says what was changed by hand',
  ],
])('%s', async (_, args, message) => {
  vi.spyOn(process, 'getuid').mockReturnValue(0);
  const said: unknown[] = [];
  const reporter: Reporter = {
    events: () => {},
    result: (...result) => said.push(result),
    error: (error) => {
      said.push(messageOf(error));
      return 1;
    },
    paint: PLAIN,
  };
  await runCli(['overlay', 'capture', ...args], () => reporter);
  expect(said).toEqual([message]);
});
