// The generated reference pages are up to date, and every command has what a person looks for.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fullName } from '../../../src/cli/command-tree.ts';
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
    expect(completionScript(program, 'zsh')).toContain(`    ${name}) _arguments `);
    expect(completionScript(program, 'fish')).toContain(` -a ${name} -d '`);
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
    if (!['completion', 'schema', 'render'].includes(name)) expect(flags(name), name).toContain('--json');
  }
});

test('there is no completion for a shell that is not known', () => {
  expect(() => completionScript(program, 'tcsh')).toThrow('there is no completion for tcsh');
});

const bash = (line: string) => {
  const words = line.split(' ');
  const script = `${completionScript(program, 'bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}
_holdfast
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
};

test.each([
  ['holdfast pl', ['plan']],
  ['holdfast plan netw', ['network']],
  ['holdfast plan --ev', ['--evaluate-if']],
  ['holdfast overlay li', ['list']],
  ['holdfast completion ', ['bash', 'zsh', 'fish']],
  ['holdfast validate package.j', ['package.json']],
])('bash completes "%s"', (line, words) => {
  expect(bash(line)).toEqual(words);
});
