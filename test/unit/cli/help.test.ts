// Help on a terminal of 80 columns, which consoles of servers have.

import type { Command } from 'commander';
import { expect, test } from 'vitest';
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

test.each([program, ...program.commands].map((command) => [command.name(), command] as const))(
  'the help of %s has no line that is longer',
  (_name, command) => {
    expect(
      helpOf(command)
        .split('\n')
        .filter((line) => line.length > 80),
    ).toEqual([]);
  },
);

test('the list of commands names what each takes', () => {
  const help = helpOf(buildProgram([], () => {}));
  for (const term of ['run-stage <stage>  ', 'plan <stage> [source...]  ', 'status  ', 'help [command]  ']) {
    expect(help).toContain(`\n  ${term}`);
  }
});
