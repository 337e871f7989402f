// Stage files as people have them, each run in a root of its own: what the originals did with them, or, where that was
// a defect, what the specification of this project says instead. Takes about a minute.

import { readdirSync, readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { expect, it } from 'vitest';
import { runCase, stageCase } from './stage-case.ts';

const corpus = new URL('../../fixtures/corpus/', import.meta.url);
const names = readdirSync(corpus).sort();

it.each(names)('%s', async (name) => {
  const directory = new URL(`${name}/`, corpus);
  const given = stageCase.parse(load(readFileSync(new URL('expected.yaml', directory), 'utf8')));
  await runCase(given, new URL('root', directory).pathname);
});

it('is large enough to stand for what is out there', () => {
  expect(names.length).toBeGreaterThanOrEqual(60);
});
