// `commands`: each line through `sh -c`, output line by line, a failure with its last words and without an end for the
// rest.

import { expect, it } from 'vitest';
import { commandEnvironment, SYSTEM_PATH } from '../../../../src/stages/shell.ts';
import { Root } from '../../../../src/system/root.ts';
import { failuresOf, runSteps } from '../temporary-root.ts';

const host = new Root('/');

async function output(steps: string) {
  const lines: string[] = [];
  const result = await runSteps(host, steps, (event) => {
    if (event.type === 'output') lines.push(event.text);
  });
  return { lines, failures: failuresOf(result), tail: result.steps[0]?.keys[0]?.outputTail };
}

it.each([
  ['[echo a, echo b]', ['a', 'b'], []],
  ['["exit 3", "echo b"]', ['b'], ['commands: exit 3 failed with status 3']],
  ['["false\\necho c"]', ['c'], []],
  ['["echo c\\nfalse"]', ['c'], ['commands: echo c … failed with status 1']],
  ['["kill -9 $$"]', [], ['commands: kill -9 $$ was ended by SIGKILL']],
  ['["cat"]', [], []],
  ['["printf %s unfinished"]', ['unfinished'], []],
  ['["echo {{ .Values.nothing }}"]', ['<no value>'], []],
  ['[""]', [], []],
])('%s', async (commands, lines, failures) => {
  const result = await output(`- commands: ${commands.replace('<', '')}`);
  // The shell takes "<no value>" for a redirection, as it does with the originals.
  if (commands.includes('nothing')) expect(result.failures[0]).toMatch(/^commands: echo <no value> failed/);
  else expect([result.lines, result.failures]).toEqual([lines, failures]);
});

it('both streams are kept in order, the last 20 lines with the failure', async () => {
  const { tail, lines } = await output('- commands: ["seq 1 30; echo err >&2; echo end; exit 4"]');
  expect(lines).toHaveLength(32);
  expect(tail?.split('\n')).toEqual(lines.slice(-20));
  expect(tail?.endsWith('30\nerr\nend')).toBe(true);
});

it('a text whose template is broken is run as it stands', async () => {
  const { lines, failures } = await output('- commands: ["echo {{ json . }}", "echo next"]');
  expect(lines).toEqual(['{{ json . }}', 'next']);
  expect(failures).toEqual([]);
});

it('several failures of one step are all told', async () => {
  const { failures, tail } = await output('- commands: ["echo x; exit 1", "echo y; exit 2"]');
  expect(failures).toEqual(['commands: echo x; exit 1 failed with status 1; echo y; exit 2 failed with status 2']);
  expect(tail).toBe('x\ny');
});

it('a password is left out before a long command is cut', async () => {
  const long = `: ${'x'.repeat(70)}; echo root:Hunter22x | cat chpasswd`;
  const { failures } = await output(`- commands: ["${long}"]`);
  expect(failures).toEqual([
    expect.stringMatching(/^commands: : x+; echo root:\*\*\* \| cat c.* failed with status 1$/),
  ]);
});

it("commands in a mounted system don't see the caller's environment", () => {
  expect(commandEnvironment(new Root('/target'), { EXTRA: '1' })).toEqual({
    PATH: SYSTEM_PATH,
    HOME: '/root',
    EXTRA: '1',
  });
});

it('commands on the running system do, and have a PATH in any case', () => {
  expect(commandEnvironment(host, { EXTRA: '1' })).toEqual({ PATH: SYSTEM_PATH, ...process.env, EXTRA: '1' });
});

it('a line that only bash understands says so, whether it fails or goes on with the wrong answer', async () => {
  const result = await runSteps(host, "- commands: ['[[ -d / ]]', '[[ -d / ]] || echo no']");
  expect(failuresOf(result)).toEqual([
    'commands: [[ -d / ]] failed with status 127 (this looks like bash, and it is run by sh)',
  ]);
  expect(result.problems.map(({ message }) => message)).toEqual([
    'commands: [[ -d / ]] || echo no: this looks like bash, and it is run by sh',
  ]);
});
