// One line stays one line, whatever is put into it.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { oneLine } from '../../../src/system/oneline.ts';

test.each([
  ['two\nlines\r\n', 'two lines'],
  ['\x1b[2J\x1b[1;31mred\x1b[0m', 'red'],
  ['a\u202eb\u2028c', 'a b c'],
  ['tab\there, bell\x07', 'tab here, bell'],
  ['grüße', 'grüße'],
])('%j becomes %j', (text, line) => {
  expect(oneLine(text, 80)).toBe(line);
});

test('what is too long ends with three dots, and no character is torn', () => {
  expect(oneLine('🦭🦭🦭🦭🦭', 4)).toBe('🦭...');
});

test('no control character is left and no line is too long', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
      const line = oneLine(text, 160);
      expect([...line].length).toBeLessThanOrEqual(160);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be there
      expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
    }),
  );
});
