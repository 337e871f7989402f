import { expect, test } from 'vitest';
import { parseTakes } from '../../../src/cli/take-option.ts';

test('conflicts are decided by number, for either side', () => {
  expect(parseTakes(['mine:1', 'new:20'])).toEqual([
    { number: 1, winner: 'user' },
    { number: 20, winner: 'new' },
  ]);
  expect(parseTakes()).toEqual([]);
});

test.each([['yours:1'], ['mine:0'], ['mine'], ['new:1x'], ['']])('%j is refused', (word) => {
  expect(() => parseTakes([word])).toThrow(expect.objectContaining({ code: 'HF-USAGE' }));
});

test('one conflict can’t be decided twice', () => {
  expect(() => parseTakes(['mine:1', 'new:1'])).toThrow('--take decides conflict 1 twice');
});
