// How a place in a user's file is shown.

import { expect, test } from 'vitest';
import { EXIT_STATUS, HoldfastError, renderLocation } from '../../../src/system/errors.ts';

test('the line stands below its place with a caret at the column, tabs kept', () => {
  const location = { file: '/oem/a.yaml', line: 3, column: 6, lineText: '\t  - x: [' };
  expect(renderLocation(location)).toBe('/oem/a.yaml:3:6\n  \t  - x: [\n  \t    ^');
});

test('what a terminal would obey is shown as a mark, and the caret stays below its character', () => {
  const location = { file: 'a', line: 1, column: 12, lineText: 'a\u001b[2Jb\u202e\u009bcd\tX' };
  expect(renderLocation(location)).toBe(`a:1:12\n  a\ufffd[2Jb\ufffd\ufffdcd\tX\n  ${' '.repeat(10)}\t^`);
});

test('an error has the exit status of its code unless told otherwise', () => {
  expect(new HoldfastError('HF-NOT-ROOT', 'x').exitStatus).toBe(58);
  expect(new HoldfastError('HF-HOOK', 'x', { exitStatus: 39 }).exitStatus).toBe(39);
});

test('every exit status fits into one byte and none says success', () => {
  for (const status of Object.values(EXIT_STATUS)) expect(status > 0 && status < 256).toBe(true);
});

test.each([1, 20, 100, 197, 200])('of a long line the part around column %i is shown', (column) => {
  const lineText = `${'.'.repeat(column - 1)}X`.padEnd(200, '.');
  const [, text = '', caret = ''] = renderLocation({ file: 'a', line: 1, column, lineText }).split('\n');
  expect(text.length).toBeLessThanOrEqual(76);
  expect(text.charAt(caret.indexOf('^'))).toBe('X');
  expect(text).toContain('…');
});
