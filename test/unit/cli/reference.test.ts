// The generated reference pages are up to date, and every command has what a person looks for.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { completionScript } from '../../../src/cli/completion.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { referencePages } from '../../../src/cli/reference.ts';

test.each(Object.entries(referencePages()))('docs/reference/%s is what `npm run docs` writes', (name, text) => {
  expect(readFileSync(new URL(`../../../docs/reference/${name}`, import.meta.url), 'utf8')).toBe(text);
});

const program = buildProgram([], () => {});

test.each(program.commands.map((command) => [command.name(), command] as const))(
  '%s has a description and can be completed',
  (name, command) => {
    expect(command.description()).toMatch(/^\w.{15,}/);
    expect(completionScript(program, 'bash')).toContain(`    ${name}) words='`);
  },
);

test('every command that writes has --dry-run, and all that don’t print a file have --json', () => {
  const flags = (name: string) =>
    program.commands.find((command) => command.name() === name)?.options.map(({ long }) => long) ?? [];
  for (const name of ['install', 'upgrade', 'run-stage', 'cloud-init', 'init', 'mount', 'grubenv'])
    expect(flags(name)).toContain('--dry-run');
  for (const command of program.commands) {
    if (!['completion', 'schema'].includes(command.name()))
      expect(flags(command.name()), command.name()).toContain('--json');
  }
});

test('there is no completion for a shell that is not known', () => {
  expect(() => completionScript(program, 'tcsh')).toThrow('there is no completion for tcsh');
});
