// The completion scripts in real shells: fish is asked with its own `complete -C`, zsh gets a pseudo terminal of its own
// (zpty) in which the line is typed and Tab is pressed. Two seconds.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { completionFiles } from '../../../src/cli/completion/script.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { runChecked } from '../../../src/system/process.ts';

let directory: string;
const place = (name: string) => join(directory, name);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-completion-'));
  const files = completionFiles(buildProgram([], () => {}));
  for (const [path, text] of Object.entries(files)) writeFileSync(place(path.split('/').at(-1) ?? ''), text);
  writeFileSync(place('fruit.yaml'), '');
  // What the scripts ask for words that only the machine knows.
  mkdirSync(place('bin'));
  writeFileSync(place('bin/holdfast'), '#!/bin/sh\n[ "$*" = "complete features" ] && echo vagrant\n', { mode: 0o755 });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const CASES: [line: string, expected: string][] = [
  ['holdfast overl', 'overlay'],
  ['holdfast overlay exp', 'export'],
  ['holdfast overlay create --si', '--size'],
  ['holdfast boot --once rec', 'recovery'],
  ['holdfast install --part-table gpt --firmw', '--firmware'],
  ['holdfast upgrade oci-lay', 'oci-layout:'],
  ['holdfast plan netw', 'network'],
  ['holdfast grubenv uns', 'unset'],
  ['holdfast validate frui', 'fruit.yaml'],
  ['holdfast help overlay exp', 'export'],
  ['holdfast overlay create --base passive --ena', '--enable'],
];

test.each(CASES)('fish completes %j', async (line, expected) => {
  const words = await fish(line);
  expect(words).toContain(expected);
  expect(words.length).toBeLessThan(4);
});

test('fish offers the commands of a group with what they do, and no files', async () => {
  const lines = (
    await runChecked(
      ['fish', '--no-config', '-c', `source ${place('holdfast.fish')}; complete -C 'holdfast overlay '`],
      {
        cwd: directory,
      },
    )
  ).trim();
  expect(lines).toContain('export\twrite a system with its changes as one image file');
  expect(lines).not.toContain('fruit.yaml');
});

test('fish asks the program for what only the machine knows', async () => {
  expect(await fish('holdfast feature enable va', `set -x PATH ${place('bin')} $PATH;`)).toEqual(['vagrant']);
});

async function fish(line: string, setUp = ''): Promise<string[]> {
  const script = `source ${place('holdfast.fish')}; ${setUp} complete -C ${JSON.stringify(line)}`;
  const output = await runChecked(['fish', '--no-config', '-c', script], { cwd: directory });
  return output
    .split('\n')
    .filter((each) => each !== '')
    .map((each) => each.split('\t')[0] ?? '');
}

test('zsh completes the same lines', async () => {
  const typed = await zsh(CASES.map(([line]) => line));
  for (const [index, [line, expected]] of CASES.entries()) {
    const words = line.split(' ');
    words[words.length - 1] = expected;
    expect(typed[index]).toMatch(new RegExp(`^${words.join(' ').replaceAll(/[.*]/g, '\\$&')}[ =/]?$`));
  }
});

/** Types each line and Tab into a zsh of its own, and returns the lines as they are then. */
async function zsh(lines: readonly string[]): Promise<string[]> {
  writeFileSync(
    place('type.zsh'),
    `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= ; unsetopt zle_bracketed_paste prompt_cr prompt_sp; setopt no_beep; fpath=($PWD \\$fpath)"
zpty -w shell 'autoload -U compinit; compinit -u -D; zstyle ":completion:*" list-prompt ""'
# A widget that says what the line has become; it runs as Tab ends.
zpty -w shell 'show() { zle expand-or-complete; print -r -- ">>>$BUFFER<<<"; zle kill-whole-line; }; zle -N show; bindkey "^I" show'
zpty -w shell 'print ready''now'
zpty -r -m shell answer '*readynow*'
for line in "$@"; do
  zpty -n -w shell "$line"$'\\t'
  zpty -r -m shell answer '*>>>*<<<*'
  answer=\${answer##*>>>}
  print -r -- "\${answer%%<<<*}"
done
`,
  );
  const output = await runChecked(['zsh', '-f', place('type.zsh'), ...lines], {
    cwd: directory,
    timeoutMs: 60_000,
    env: { ...process.env, TERM: 'dumb', HOME: directory },
  });
  return output.trimEnd().split('\n');
}
