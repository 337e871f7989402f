// The generated reference pages are up to date, and every command has what a person looks for.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fullName } from '../../../src/cli/command-tree.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { referencePages } from '../../../src/cli/reference.ts';

test.each(Object.entries(await referencePages()))('docs/reference/%s is what `npm run docs` writes', (name, text) => {
  expect(readFileSync(new URL(`../../../docs/reference/${name}`, import.meta.url), 'utf8')).toBe(text);
});

test.each([
  [2, /`status --check`, `doctor`: something is to be looked at/],
  [3, /`status --check`, `doctor`: something is broken.*`overlay plan`/],
  [95, /`HF-UNSUPPORTED`; `upgrade --rehearse`/],
  [97, /`HF-FAILED-IMAGE`; `upgrade --rehearse`/],
  [1, /`HF-USAGE`; `pkg search`/],
])('the exit codes say what %d answers', async (status, answer) => {
  const page = (await referencePages())['exit-codes.md'] ?? '';
  expect(page.split('\n').find((line) => line.startsWith(`| ${status} |`))).toMatch(answer);
});

const program = buildProgram([], () => {});

test.each(program.commands.map((command) => [command.name(), command] as const))(
  '%s has a description',
  (_name, command) => {
    expect(command.description()).toMatch(/^\w.{15,}/);
  },
);

test('every command that writes has --dry-run, and all that don’t print a file have --json', () => {
  const single = program.commands.flatMap((command) => (command.commands.length > 0 ? command.commands : [command]));
  const flags = (name: string) =>
    single.find((command) => fullName(command) === `holdfast ${name}`)?.options.map(({ long }) => long) ?? [];
  for (const name of ['install', 'upgrade', 'run-stage', 'cloud-init', 'init', 'mount', 'grubenv'])
    expect(flags(name)).toContain('--dry-run');
  for (const command of single) {
    const name = fullName(command).replace('holdfast ', '');
    if (!['completion', 'schema', 'render', 'man', 'complete'].includes(name))
      expect(flags(name), name).toContain('--json');
  }
});
