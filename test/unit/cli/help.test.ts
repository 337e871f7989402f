// Help on a terminal of 80 columns, which consoles of servers have.

import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { examplesOf, fullName, shownTree } from '../../../src/cli/command-tree.ts';
import { buildProgram } from '../../../src/cli/program.ts';

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => 80,
  });
  command.outputHelp();
  return text;
}

const program = buildProgram([], () => {});

const withAllBelow = (command: Command): Command[] => [command, ...command.commands.flatMap(withAllBelow)];
const all = withAllBelow(program).map((command) => [fullName(command), command] as const);

test.each(all)('the help of %s has no line that is longer', (_name, command) => {
  expect(
    helpOf(command)
      .split('\n')
      .filter((line) => line.length > 80),
  ).toEqual([]);
});

test.each(shownTree(program).map((command) => [fullName(command), command] as const))(
  'the help of %s has an example of it that can be typed',
  (name, command) => {
    const examples = examplesOf(command) ?? '';
    expect(helpOf(command)).toContain(`\nExamples:\n${examples}`);
    const words = command === program ? 'holdfast ' : name;
    expect(examples.split('\n').some((line) => line.includes(words))).toBe(true);
  },
);

test('the list of commands names what each takes', () => {
  const help = helpOf(buildProgram([], () => {}));
  for (const term of ['run-stage <stage>  ', 'plan <stage> [source...]  ', 'status  ', 'help [command]  ']) {
    expect(help).toContain(`\n  ${term}`);
  }
});
