// The same templates as Go's text/template with sprig, over every action, verb and function: same output, or an error too.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { FIXTURES, render } from './host.ts';

const rows = z.array(z.object({ template: z.string(), output: z.string().optional(), fails: z.boolean().optional() }));
const read = (name: string): unknown => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8'));
const topics = readdirSync(FIXTURES).filter((name) => name.endsWith('.json') && name !== 'data.json');

/** Whole floats without an exponent, which is where the project differs on purpose. */
function withWholeNumbers(text: string): string {
  return text.replace(/-?\d(?:\.\d+)?e\+\d+/g, (digits) =>
    Number.isSafeInteger(Number(digits)) ? String(BigInt(Number(digits))) : digits,
  );
}

it('every topic is there', () => {
  expect(topics.length).toBeGreaterThanOrEqual(10);
});

it.each(topics)('%s', async (topic) => {
  const differences: object[] = [];
  for (const { template, output } of rows.parse(read(topic))) {
    const { text, error } = await render(template, z.record(z.string(), z.unknown()).parse(read('data.json')));
    const same =
      output === undefined
        ? error !== undefined
        : error === undefined && (text === output || text === withWholeNumbers(output));
    if (!same) differences.push({ template, go: output ?? 'an error', ours: error ?? text });
  }
  expect(differences).toEqual([]);
});
