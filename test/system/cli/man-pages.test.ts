// Every manual page through mandoc, which is the strictest reader of them: no warning, and the words come out.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { manPages } from '../../../src/cli/man-page.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { run, runChecked } from '../../../src/system/process.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-man-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const pages = manPages(buildProgram([], () => {}));
for (const [name, text] of Object.entries(pages)) writeFileSync(join(directory, name), text);

test('mandoc has nothing to say about them', async () => {
  const files = Object.keys(pages).map((name) => join(directory, name));
  const { stdout } = await run(['mandoc', '-T', 'lint', '-W', 'warning', ...files]);
  // A page without a date is the same tomorrow.
  expect(stdout.split('\n').filter((line) => line !== '' && !line.includes('missing date'))).toEqual([]);
});

test('a page is read as it is meant', async () => {
  const text = await runChecked(['mandoc', '-T', 'ascii', '-O', 'width=78', join(directory, 'holdfast-grubenv.8')]);
  // Bold letters are printed twice, with a backspace between.
  const plain = text.split('\b').reduce((before, after) => before.slice(0, -1) + after);
  expect(plain).toContain('holdfast grubenv [option ...] get|set|unset [names ...]');
  expect(plain).toMatch(/--file file\n\s+the environment block \(default: \/oem\/grubenv\)/);
  expect(plain).toContain('SEE ALSO\n       holdfast(8)');
});
