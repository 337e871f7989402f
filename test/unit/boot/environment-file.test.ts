// Files of NAME=value lines, read as systemd reads them.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAssignments, parseEnvironmentFile } from '../../../src/boot/environment-file.ts';

test.each([
  ['A=1\nB=2', { A: '1', B: '2' }],
  ['A=1\nA=2', { A: '2' }],
  ['A="x y" # no comment here', { A: 'x y # no comment here' }],
  ["A='a b'", { A: 'a b' }],
  ['A="say \\"hi\\""', { A: 'say "hi"' }],
  ['A="C:\\dir"', { A: 'C:\\dir' }],
  ["A='C:\\dir'", { A: 'C:\\dir' }],
  ['A=one \\\ntwo', { A: 'one two' }],
  ['# A=1\n; B=2\n\nC=3\r\n', { C: '3' }],
  ['export A=1', { A: '1' }],
  ['A=', { A: '' }],
  ['A=$HOME', { A: '$HOME' }],
  ['A="one\ntwo" \nB=\'x\ny\'\nC=3', { A: 'one\ntwo', B: 'x\ny', C: '3' }],
  ['A=  spaced  out  \nB=2', { A: 'spaced  out', B: '2' }],
  ['A=a"b c"d', { A: 'ab cd' }],
  ['A="open', { A: 'open' }],
  ['A=x\\', { A: 'x\\' }],
  ['not an assignment\n1A=2', {}],
])('reads %j', (text, variables) => {
  expect(Object.fromEntries(parseEnvironmentFile(text))).toEqual(variables);
});

test('reads back every value in single quotes', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[^'\r\n\\]*$/), (value) => {
      expect(parseEnvironmentFile(`A='${value}'`).get('A')).toBe(value);
    }),
  );
});

test('reads any text, and a long one at once', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('A', '=', '"', "'", '\\', '\n', ' ', '\r', '#') }), (text) => {
      for (const [name, value] of parseEnvironmentFile(text)) expect(name + value).toMatch(/^A/);
    }),
  );
  const long = `${'A="'.repeat(20_000)}\n${'x\n'.repeat(20_000)}`;
  expect(parseEnvironmentFile(long).size).toBe(1);
});

test('tells the line where each assignment begins', () => {
  const text = '# first\nA=1\n\nB="two\nlines"\nexport C=3\nno\nA=4';
  expect(parseAssignments(text)).toEqual([
    { name: 'A', value: '1', line: 2 },
    { name: 'B', value: 'two\nlines', line: 4 },
    { name: 'C', value: '3', line: 6 },
    { name: 'A', value: '4', line: 8 },
  ]);
});
