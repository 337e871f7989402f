// `holdfast validate`: what it reads, what it prints, and its exit status.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { validateCommand } from '../../../src/cli/validate.ts';
import { silent } from '../../../src/system/events.ts';
import { PLAIN } from '../../../src/system/paint.ts';
import { UndoStack } from '../../../src/system/plan.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'validate-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const write = (name: string, text: string): string => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
};

async function validate(sources: string[], flags: { strict?: boolean } = {}) {
  let lines: readonly string[] = [];
  let value: Record<string, unknown> = {};
  const reporter = {
    events: silent,
    paint: PLAIN,
    error: () => 255,
    result: (result: Record<string, unknown>, text: readonly string[]) => {
      value = result;
      lines = text.map((line) => line.replaceAll(directory, 'DIR'));
    },
  };
  const { signal } = new AbortController();
  const status = await validateCommand({ reporter, signal, commandLine: '', undo: new UndoStack() }, sources, flags);
  return { status, lines, value };
}

const GOOD = 'stages:\n  boot:\n    - commands: [echo]\n';
const WARNING = 'stages:\n  boots:\n    - commands: [echo]\n';
const ERROR = 'stages:\n  boot:\n    - hostname: [a]\n';

it('a good file', async () => {
  expect(await validate([write('a.yaml', GOOD)])).toMatchObject({
    status: 0,
    lines: ['1 file checked: no errors, no warnings'],
    value: { outcome: 'ok', errors: 0, warnings: 0 },
  });
});

it('a warning is shown and doesn’t fail, unless with --strict', async () => {
  const file = write('a.yaml', WARNING);
  const { status, lines } = await validate([file]);
  expect(status).toBe(0);
  expect(lines).toEqual([
    'warning: nothing runs a stage "boots" by itself',
    '  DIR/a.yaml:2:3',
    '      boots:',
    '      ^',
    '  hint: did you mean "boot"? A stage of your own is run with: holdfast run-stage boots',
    '1 file checked: no errors, 1 warning',
  ]);
  expect((await validate([file], { strict: true })).status).toBe(1);
});

it('an error fails with status 1, and every file is looked at', async () => {
  const { status, lines, value } = await validate([write('a.yaml', ERROR), write('b.yaml', ERROR)]);
  expect(status).toBe(1);
  expect(lines.at(-1)).toBe('2 files checked: 2 errors, no warnings');
  expect(value['files']).toMatchObject([
    { file: join(directory, 'a.yaml'), outcome: 'failed', problems: [{ severity: 'error', stage: 'boot' }] },
    { outcome: 'failed' },
  ]);
});

it('a directory: everything below it that counts, under the name it was given', async () => {
  mkdirSync(join(directory, 'sub'));
  write('sub/b.yml', ERROR);
  write('a.yaml', GOOD);
  write('notes.txt', 'nothing');
  symlinkSync('/nowhere', join(directory, 'dangling.yaml'));
  const { lines } = await validate([`${directory}/`]);
  expect(lines).toContain('  DIR/sub/b.yml:3:17');
  expect(lines.at(-1)).toBe('3 files checked: 2 errors, no warnings');
});

it('a file named twice is told once', async () => {
  const file = write('a.yaml', ERROR);
  expect((await validate([file, file])).lines.at(-1)).toBe('1 file checked: 1 error, no warnings');
});

describe('what can’t be read is an error like others', () => {
  it.each([
    ['no such file', () => join(directory, 'none.yaml'), 'there is no such file or directory'],
    ['no text', () => write('a.yaml', '\u{0}'), 'error: '],
    ['an empty directory', () => directory, 'warning: the directory holds no file whose name ends in .yaml or .yml'],
  ])('%s', async (_what, make, message) => {
    const { lines } = await validate([make()]);
    expect(lines[0]).toContain(message);
  });
});

it('a URL: its answer, or why there is none', async () => {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/a.yaml' ? 200 : 404;
    response.end(WARNING);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const address = server.address();
  const base = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  try {
    expect((await validate([`${base}/a.yaml`])).lines.at(-1)).toBe('1 file checked: no errors, 1 warning');
    const missing = await validate([`${base}/b.yaml`]);
    expect(missing.status).toBe(1);
    expect(missing.lines[0]).toMatch(/^error: .* answered with status 404$/);
  } finally {
    server.close();
  }
});

describe('steps of several files', () => {
  it('an "after" that names nothing is shown with its line', async () => {
    write('a.yaml', 'name: A\nstages:\n  boot:\n    - name: one\n      commands: [echo]\n');
    write('b.yaml', 'stages:\n  boot:\n    - after: [{name: A.one}]\n    - after: [{name: A.two}]\n');
    const { lines } = await validate([directory]);
    expect(lines.slice(0, 3)).toEqual([
      'warning: "after: A.two" names no step that is known here; it is ignored',
      '  DIR/b.yaml:4:7',
      '        - after: [{name: A.two}]',
    ]);
    expect(lines.at(-1)).toBe('2 files checked: no errors, 1 warning');
  });

  it('a circle', async () => {
    const step = (name: string, after: string) => `    - {name: ${name}, after: [{name: ${after}}]}\n`;
    const { lines } = await validate([write('a.yaml', `stages:\n  boot:\n${step('x', 'y')}${step('y', 'x')}`)]);
    expect(lines[0]).toContain('"after" goes in a circle (x → y → x)');
  });

  it('two steps of one name; alternatives by a condition may share it', async () => {
    const same = write('a.yaml', 'stages:\n  boot:\n    - {name: x}\n    - {name: x}\n');
    expect((await validate([same])).lines[0]).toContain('the step in line 3 has the name "x" as well');
    const alternatives = write('b.yaml', 'stages:\n  boot:\n    - {name: x, if: a}\n    - {name: x, if: b}\n');
    expect((await validate([alternatives])).lines).toEqual(['1 file checked: no errors, no warnings']);
  });
});
