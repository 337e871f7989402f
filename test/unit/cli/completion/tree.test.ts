// The command line as data for the completion scripts: nothing of it is missing, and values are what they should be.

import { expect, test } from 'vitest';
import { fullName, shownTree } from '../../../../src/cli/command-tree.ts';
import { machineWords } from '../../../../src/cli/completion/machine-words.ts';
import { completionFiles, completionScript } from '../../../../src/cli/completion/script.ts';
import { allNodes, type CompletionNode, completionTree } from '../../../../src/cli/completion/tree.ts';
import { TOPICS } from '../../../../src/cli/completion/values.ts';
import { buildProgram } from '../../../../src/cli/program.ts';

const program = buildProgram([], () => {});
const tree = completionTree(program);
const nodes = allNodes(tree);
const nodeAt = (path: string): CompletionNode => {
  const node = nodes.find((each) => each.path === path);
  if (node === undefined) throw new Error(`no command ${path}`);
  return node;
};
const optionOf = (path: string, long: string) => nodeAt(path).options.find((option) => option.long === long);

test('every command that help shows is in it, and help itself', () => {
  const names = shownTree(program).map((command) => fullName(command).replace(/^\S+ ?/, ''));
  expect(nodes.map(({ path }) => path)).toEqual([...names, 'help']);
});

test('commands that machines run are not offered', () => {
  expect(nodes.map(({ path }) => path)).not.toContain('overlay attach');
  expect(nodes.map(({ path }) => path)).not.toContain('complete');
});

test.each([
  ['boot', '--once', { from: 'words', words: ['active', 'passive', 'recovery'] }],
  ['install', '--firmware', { from: 'words', words: ['efi', 'bios'] }],
  ['upgrade', '--strict', { from: 'words', words: ['true', 'false'] }],
  ['upgrade', '--system', { from: 'images' }],
  ['upgrade', '--config-dir', { from: 'directories' }],
  ['upgrade', '--policy', { from: 'files' }],
  ['overlay create', '--size', { from: 'nothing' }],
  ['upgrade', '--force', undefined],
  // Elsewhere it is a flag.
  ['run-stage', '--strict', undefined],
])('%s %s takes %j', (path, long, value) => {
  const option = optionOf(path, long);
  expect(option).toBeDefined();
  expect(option?.value).toEqual(value);
});

test('hidden spellings are not offered', () => {
  expect(optionOf('install', '--system.uri')).toBeUndefined();
});

test.each([
  ['grubenv', ['get', 'set', 'unset']],
  ['image', ['inspect', 'diff', 'index']],
  ['completion', ['bash', 'zsh', 'fish']],
])('the first word of %s is one of a few', (path, words) => {
  expect(nodeAt(path).arguments[0]).toEqual({ from: 'words', words });
});

test.each([
  ['pkg remove', 'packages'],
  ['file remove', 'kept-files'],
])('what %s takes is asked of the machine', (path, topic) => {
  expect(nodeAt(path).rest).toEqual({ from: 'machine', topic });
});

test('a command to keep is no command of ours', () => {
  expect(nodeAt('run').rest).toEqual({ from: 'files' });
});

test.each(TOPICS)('words for %s are had without an error on any machine', async (topic) => {
  for (const word of await machineWords(topic)) expect(word).not.toMatch(/[\n\t]/);
});

test('for anything else there are none', async () => {
  expect(await machineWords('toString')).toEqual([]);
});

test('what may follow any number of times is apart', () => {
  expect(nodeAt('image').rest).toEqual({ from: 'images' });
  expect(nodeAt('upgrade').rest).toBeUndefined();
});

test('there is no completion for a shell that is not known', () => {
  expect(() => completionScript(program, 'tcsh')).toThrow('there is no completion for tcsh');
});

test('images have each script where its shell looks', () => {
  const files = completionFiles(program);
  expect(Object.keys(files)).toEqual([
    '/usr/share/bash-completion/completions/holdfast',
    '/usr/share/zsh/site-functions/_holdfast',
    '/usr/share/fish/vendor_completions.d/holdfast.fish',
  ]);
  expect(files['/usr/share/zsh/site-functions/_holdfast']).toMatch(/^#compdef holdfast\n/);
});
