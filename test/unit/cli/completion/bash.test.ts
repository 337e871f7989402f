// The completion script in a real bash, which is asked as readline asks it: with the line, the cursor and the words.

import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { completionScript } from '../../../../src/cli/completion/script.ts';
import { buildProgram } from '../../../../src/cli/program.ts';

const script = completionScript(
  buildProgram([], () => {}),
  'bash',
);

/** What bash would put in the place of the last part of a line. */
function complete(line: string, setUp = ''): string[] {
  const text = `${script}
${setUp}
COMP_LINE=$1 COMP_POINT=\${#1} COMP_WORDS=(holdfast) COMP_CWORD=0
_holdfast
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['--norc', '-c', text, 'bash', line], { encoding: 'utf8' });
  return output.split('\n').filter((word) => word !== '');
}

test.each([
  ['holdfast pl', ['plan']],
  ['holdfast plan netw', ['network']],
  ['holdfast plan --ev', ['--evaluate-if']],
  ['holdfast overlay li', ['list']],
  ['holdfast overlay create --si', ['--size']],
  ['holdfast completion ', ['bash', 'zsh', 'fish']],
  ['holdfast validate package.j', ['package.json']],
  ['holdfast boot --once ', ['active', 'passive', 'recovery']],
  // Only what comes after "=" is in its place.
  ['holdfast boot --once=p', ['passive']],
  // The value of an option is no argument.
  ['holdfast install --part-table gpt --firm', ['--firmware']],
  ['holdfast plan --root /tmp netw', ['network']],
  ['holdfast image ', ['inspect', 'diff', 'index']],
  ['holdfast image diff dock', ['docker:']],
  // Bash replaces what is behind the colon.
  ['holdfast upgrade oci-layout:package.j', ['package.json']],
  ['holdfast upgrade oci-layout:doc', ['docs/']],
  ['holdfast upgrade docker:', []],
  ['holdfast overlay create --size ', []],
  ['holdfast pull --config-dir lab/boot', ['lab/bootstrap']],
  ['holdfast help overlay exp', ['export']],
  ['holdfast man over', ['overlay']],
  ['holdfast nonsense --x', []],
])('%j', (line, words) => {
  expect(complete(line)).toEqual(words);
});

test('every option of every command is offered', () => {
  expect(complete('holdfast grubenv --')).toEqual(['--file', '--dry-run', '--json', '--quiet', '--debug', '--help']);
});

test('what only the machine knows is asked of the program that is being typed', () => {
  const machine = 'holdfast() { [ "$*" = "complete features" ] && printf "vagrant\\nverbose\\n"; }';
  expect(complete('holdfast feature enable va', machine)).toEqual(['vagrant']);
});

test('a program that fails offers nothing and prints nothing', () => {
  expect(complete('holdfast feature enable ', 'holdfast() { echo broken >&2; return 1; }')).toEqual([]);
});

test('the script is right for bash, and names no command twice', () => {
  execFileSync('bash', ['-n'], { input: script });
  const names = complete('holdfast ');
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain('help');
});
