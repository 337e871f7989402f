// The pages for clusters: every command on them can be typed, every Plan and GitRepo is what the commands write, and the stage
// files have no problem.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { buildProgram, runCli } from '../../../src/cli/program.ts';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { examiner } from '../../../src/cloudconfig/examiner.ts';
import { checkPlan } from '../../../src/kubernetes/plan-check.ts';
import { type ReadObject, readObjects } from '../../../src/kubernetes/plan-yaml.ts';
import { definitionOf, gitRepoSchema } from './definition.ts';

const DOCS = join(import.meta.dirname, '../../../docs');
const PAGES = ['guides/kubernetes.md', 'reference/kubernetes-plan.md'];
const directory = mkdtempSync(join(tmpdir(), 'holdfast-pages-'));
afterAll(() => rmSync(directory, { recursive: true }));

const page = (name: string) => readFileSync(join(DOCS, name), 'utf8');

function blocks(name: string, language: string): string[] {
  const fence = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g');
  return [...page(name).matchAll(fence)].map(([, text = '']) => text);
}

/** The words of each holdfast command, without what the shell does with its output. */
function commands(name: string): string[][] {
  return blocks(name, 'sh')
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.startsWith('holdfast '))
    .map((line) => (line.split(' | ')[0] ?? '').split(/\s+/).slice(1));
}

const all = PAGES.flatMap((name) => commands(name).map((words): [string, string[]] => [words.join(' '), words]));

test('there are commands, plans and stage files on the pages', () => {
  expect(all.length).toBeGreaterThan(8);
  expect(PAGES.flatMap((name) => blocks(name, 'yaml')).length).toBeGreaterThan(4);
});

test.each(all)('holdfast %s has flags and arguments that there are', (_, words) => {
  let command: Command = buildProgram([], () => {});
  let rest = words;
  for (;;) {
    const below = command.commands.find((each) => each.name() === rest[0]);
    if (below === undefined) break;
    command = below;
    rest = rest.slice(1);
  }
  expect(command.commands).toEqual([]);
  const { operands, unknown } = command.parseOptions([...rest]);
  expect(unknown).toEqual([]);
  const needed = command.registeredArguments.filter(({ required }) => required).length;
  expect(operands.length).toBeGreaterThanOrEqual(needed);
});

test.each([...PAGES, 'fleet.md'])('the links of %s lead somewhere', (name) => {
  const links = [...page(name).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => link);
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((link) => !existsSync(join(DOCS, name, '..', link)))).toEqual([]);
});

let written = 0;

/** What a command of the pages writes. */
async function write(words: readonly string[]): Promise<ReadObject[]> {
  const at = words.indexOf('-o');
  const kept = words.filter((word, index) => word !== '--overwrite' && (at < 0 || (index !== at && index !== at + 1)));
  written += 1;
  const file = join(directory, `${written}.yaml`);
  expect(await runCli([...kept, '-o', file])).toBe(0);
  return readObjects(readFileSync(file, 'utf8'), file);
}

function kindOf({ value }: ReadObject): unknown {
  return typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
}

const writing = all.filter(([, [group, name]]) => group === 'kubernetes' && name !== 'validate');

test.each(writing)('holdfast %s writes what fits the definitions', async (_, words) => {
  const objects = await write(words);
  expect(objects.length).toBeGreaterThan(0);
  for (const object of objects) {
    if (kindOf(object) === 'Plan') expect(definitionOf('0.20')(object.value)).toEqual([]);
    if (kindOf(object) === 'GitRepo') expect(gitRepoSchema()(object.value)).toEqual([]);
  }
});

describe('the YAML on the pages', () => {
  const yaml = PAGES.flatMap((name) =>
    blocks(name, 'yaml').map((text): [string, string] => [`${name}: ${text.split('\n')[0]}`, text]),
  );

  test.each(yaml)('%s', async (_, text) => {
    const objects = readObjects(text, 'page');
    expect(objects).toHaveLength(1);
    const [object] = objects;
    if (object === undefined) return;
    const kind = kindOf(object);
    if (kind === undefined) {
      expect(parseCloudConfig(text, 'page.yaml', examiner).problems).toEqual([]);
      return;
    }
    // It is, word for word, what one of the commands writes.
    const made: unknown[] = [];
    const own = /^# holdfast (.*)/.exec(text)?.[1]?.split(' ');
    for (const words of own === undefined ? writing.map(([, each]) => each) : [own]) {
      made.push(...(await write(words)).map(({ value }) => value));
    }
    expect(made).toContainEqual(object.value);
    if (kind === 'Plan') expect(checkPlan(object)?.problems).toEqual([]);
  });
});
