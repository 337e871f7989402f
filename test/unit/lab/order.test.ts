// The order in which test files begin.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runsBesideOthers } from '../../run/beside-others.ts';
import { orderOfStart } from '../../run/order.ts';
import { secondsOf } from '../../run/seconds.ts';

const alone = (name: string, seconds: number) => ({ name, seconds, alone: true });
const beside = (name: string, seconds: number) => ({ name, seconds, alone: false });
const names = (files: { name: string }[]) => files.map(({ name }) => name).join(' ');

describe('the order of start', () => {
  test.each([
    ['the longest first', [beside('a', 1), beside('b', 3), beside('c', 2)], 'b c a'],
    [
      'one that is alone, and others beside it',
      [alone('A', 9), alone('B', 5), beside('c', 4), beside('d', 5)],
      'A d c B',
    ],
    [
      'the next one that is alone as soon as the one before has ended',
      [alone('A', 2), alone('B', 2), beside('c', 5)],
      'A c B',
    ],
    ['those that are alone wait for each other when nothing else is left', [alone('A', 2), alone('B', 2)], 'A B'],
    ['nothing', [], ''],
  ])('%s', (_, files, expected) => {
    expect(names(orderOfStart(files, 2))).toBe(expected);
  });

  test('has every file once, whatever they are', () => {
    const file = fc.record({ seconds: fc.nat(600), alone: fc.boolean() });
    fc.assert(
      fc.property(fc.array(file), fc.integer({ min: 1, max: 4 }), (files, workers) => {
        const order = orderOfStart(files, workers);
        expect(order).toHaveLength(files.length);
        expect(new Set(order)).toEqual(new Set(files));
      }),
    );
  });
});

test('what is not known to leave this machine alone waits for its turn', () => {
  expect(runsBesideOthers('image/pull.test.ts')).toBe(true);
  expect(runsBesideOthers('stages/datasource/media.test.ts')).toBe(true);
  for (const file of [
    'lifecycle/reset.test.ts',
    'stages/layout.test.ts',
    'stages/layout-killed.test.ts',
    'new/new.test.ts',
  ])
    expect(runsBesideOthers(file)).toBe(false);
});

test('a machine whose time nobody knows begins first', () => {
  expect(secondsOf('vm/new-story.test.ts')).toBeGreaterThan(secondsOf('vm/boot-variants.test.ts'));
  expect(secondsOf('system/new/new.test.ts')).toBeLessThan(secondsOf('system/cli/compat.test.ts'));
});
