// `environment`: only the given variables change, and what is written is read back by shells as it was meant.

import { execFileSync } from 'node:child_process';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteValue, setVariables } from '../../../../src/stages/steps/environment.ts';
import { failuresOf, runSteps, temporaryRoot } from '../temporary-root.ts';

describe('the text of the file', () => {
  it.each([
    ['a new file', '', { OVERLAY: 'tmpfs:25%', N: '5' }, 'N=5\nOVERLAY="tmpfs:25%"\n'],
    [
      'a replaced key stays at its place',
      "A=1\n# c\nB='x y'\n",
      { C: 'p$q', A: '02' },
      'A="02"\n# c\nB=\'x y\'\nC="p\\$q"\n',
    ],
    ['the last of two is the one that counts', 'A=1\nA=2\n', { A: '3' }, 'A=1\nA=3\n'],
    ['export stays', '  export A=1\n', { A: 'b c' }, '  export A="b c"\n'],
    ['the form with a colon', 'A: 1\n', { A: '2' }, 'A=2\n'],
    ['a missing end of line', 'A=1', { B: '2' }, 'A=1\nB=2\n'],
    ['lines that are none', 'broken line\n\nA=1\n', { A: '2' }, 'broken line\n\nA=2\n'],
    ['a longer name is another one', 'PATH_X=1\n', { PATH: '2' }, 'PATH_X=1\nPATH=2\n'],
    ['a value over two lines', 'X="a\nA=1\nb"\nA=2\n', { A: '3' }, 'X="a\nA=1\nb"\nA=3\n'],
    ['an open quote', 'X="a\nA=1\n', { A: '3' }, 'X="a\nA=3\n'],
    ['references are not expanded', 'PATH="$HOME/bin:$PATH"\n', { A: '1' }, 'PATH="$HOME/bin:$PATH"\nA=1\n'],
  ])('%s', (_what, before, settings, after) => {
    expect(setVariables(before, new Map(Object.entries(settings)))).toBe(after);
  });

  it.each([
    ['0', '0'],
    ['-3', '-3'],
    ['9223372036854775807', '9223372036854775807'],
    ['9223372036854775808', '"9223372036854775808"'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['007', '"007"'],
    ['+5', '"+5"'],
    ['', '""'],
    ['a!b', '"a!b"'],
    ['a"b\\c$d`e', '"a\\"b\\\\c\\$d\\`e"'],
    ['a\nb\rc', '"a\\nb\\rc"'],
  ])('the value %j is written as %s', (value, text) => {
    expect(quoteValue(value)).toBe(text);
  });
});

it('a shell reads back every value, and setting twice changes nothing', () => {
  const directory = temporaryRoot().directory;
  const value = fc.string({ unit: 'grapheme' }).filter((text) => !/[\n\r\0]/.test(text));
  const key = fc
    .stringMatching(/^[A-Z_][A-Z0-9_]{0,5}$/)
    .filter((name) => !/^(?:_|PATH|PWD|IFS|PS\d|UID|OPT.*|PPID)$/.test(name));
  fc.assert(
    fc.property(
      fc.dictionary(key, value, { minKeys: 1, maxKeys: 4 }),
      fc.string().map((text) => text.replace(/["']/g, '')),
      (settings, before) => {
        const map = new Map(Object.entries(settings));
        const text = setVariables('', map);
        writeFileSync(`${directory}/env`, text);
        const names = [...map.keys()];
        const script = `. "$1"; shift; for n; do eval "printf '%s\\0' \\"\\$$n\\""; done`;
        const read = execFileSync('sh', ['-c', script, 'sh', `${directory}/env`, ...names], {
          env: {},
          encoding: 'utf8',
        });
        expect(read.split('\0').slice(0, -1)).toEqual([...map.values()]);
        // A quote that is left open would swallow what comes after it, for every reader.
        const added = setVariables(before, map);
        expect(setVariables(added, map)).toBe(added);
      },
    ),
    { numRuns: 40 },
  );
});

describe('the step', () => {
  it('writes /etc/environment when no file is named', async () => {
    const root = temporaryRoot();
    const result = await runSteps(root, '- environment: {A: 02, B: yes}');
    expect(failuresOf(result)).toEqual([]);
    expect(root.readText('/etc/environment')).toBe('A="02"\nB="yes"\n');
    expect(statSync(root.resolve('/etc/environment')).mode & 0o7777).toBe(0o644);
    expect(result.steps[0]?.changedFiles).toEqual(['/etc', '/etc/environment']);
  });

  it('keeps the mode of a file that is there', async () => {
    const root = temporaryRoot({ 'etc/secret': 'A=1\n' });
    const path = root.resolve('/etc/secret');
    chmodSync(path, 0o600);
    await runSteps(root, '- {environment: {B: 2}, environment_file: /etc/secret}');
    expect(root.readText('/etc/secret')).toBe('A=1\nB=2\n');
    expect(statSync(path).mode & 0o7777).toBe(0o600);
  });

  it.each(['environment: {}', 'environment_file: /etc/x', 'environment:'])('%s makes no file', async (keys) => {
    const root = temporaryRoot();
    const result = await runSteps(root, `- {name: x, ${keys}}`);
    expect(failuresOf(result)).toEqual([]);
    expect(root.list('/')).toEqual([]);
  });

  it('a name that is none fails alone, and a broken template is the value as it stands', async () => {
    const root = temporaryRoot();
    const result = await runSteps(root, '- environment: {"A B": 1, C: "{{ nofunc .X }}", D: 4}');
    expect(failuresOf(result)).toEqual(['environment: "A B" can\'t be the name of a variable']);
    expect(root.readText('/etc/environment')).toBe('C="{{ nofunc .X }}"\nD=4\n');
    expect(result.problems[0]?.message).toMatch(/^environment: C: its template is left as it is: 1:\d+: /);
  });
});
