// Selectors, tolerations, windows and durations as people write them.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isLabelKey,
  isLabelValue,
  parsePair,
  parseSelectors,
  parseToleration,
} from '../../../src/kubernetes/plan-selector.ts';
import { durationSeconds, parseWindow, windowProblem } from '../../../src/kubernetes/plan-window.ts';
import { HoldfastError } from '../../../src/system/errors.ts';

describe('a selector', () => {
  test.each([
    ['a=b', { matchLabels: { a: 'b' } }],
    ['a==b', { matchLabels: { a: 'b' } }],
    ['a=', { matchLabels: { a: '' } }],
    ['a!=b', { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['b'] }] }],
    ['a in (b, c)', { matchExpressions: [{ key: 'a', operator: 'In', values: ['b', 'c'] }] }],
    ['a notin (b)', { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['b'] }] }],
    ['example.com/a', { matchExpressions: [{ key: 'example.com/a', operator: 'Exists' }] }],
    ['!a', { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] }],
    [
      'a=b,c in (d,e),!f',
      {
        matchLabels: { a: 'b' },
        matchExpressions: [
          { key: 'c', operator: 'In', values: ['d', 'e'] },
          { key: 'f', operator: 'DoesNotExist' },
        ],
      },
    ],
  ])('%s', (text, selector) => {
    expect(parseSelectors([text])).toEqual(selector);
  });

  test('none is an empty one', () => expect(parseSelectors([])).toEqual({}));

  test.each(['', 'a,', 'a b', 'a in b', 'a in (b/c)', '-a', 'a=b=c', 'a/b/c', `${'a'.repeat(64)}`, 'a=b,a=c'])(
    '%j is none',
    (text) => {
      expect(() => parseSelectors([text])).toThrow(HoldfastError);
    },
  );
});

describe('a toleration', () => {
  test.each([
    ['a=b:NoSchedule', { key: 'a', operator: 'Equal', value: 'b', effect: 'NoSchedule' }],
    ['a:NoExecute', { key: 'a', operator: 'Exists', effect: 'NoExecute' }],
    ['a=b', { key: 'a', operator: 'Equal', value: 'b' }],
    ['example.com/a', { key: 'example.com/a', operator: 'Exists' }],
    [':NoSchedule', { operator: 'Exists', effect: 'NoSchedule' }],
    ['*', { operator: 'Exists' }],
  ])('%s', (text, toleration) => {
    expect(parseToleration(text)).toEqual(toleration);
  });

  test.each(['', ':', '=b', 'a:Noschedule', 'a=b=c', 'a:b:NoSchedule', 'a b'])('%j is none', (text) => {
    expect(() => parseToleration(text)).toThrow(HoldfastError);
  });
});

test('labels and annotations are pairs', () => {
  expect(parsePair('a=b', 'label')).toEqual(['a', 'b']);
  expect(parsePair('a=b=c d', 'annotation')).toEqual(['a', 'b=c d']);
  expect(() => parsePair('a', 'label')).toThrow('it is no label');
  expect(() => parsePair('a=b c', 'label')).toThrow('no value of a label');
});

test('any text is a selector, a toleration and a window, or refused in words', () => {
  const text = fc.oneof(
    fc.string(),
    fc
      .array(fc.constantFrom('a', '=', '!', ' in ', '(', ')', ',', ':', 'NoSchedule', 'mon', '-', '01:00'))
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (each) => {
      for (const parse of [() => parseSelectors([each]), () => parseToleration(each), () => parseWindow(each)]) {
        try {
          parse();
        } catch (error) {
          expect(error).toBeInstanceOf(HoldfastError);
        }
      }
      for (const { key } of tryOr(() => parseSelectors([each]).matchExpressions, []) ?? [])
        expect(isLabelKey(key)).toBe(true);
      for (const value of Object.values(tryOr(() => parseSelectors([each]).matchLabels, {}) ?? {}))
        expect(isLabelValue(value)).toBe(true);
    }),
  );
});

function tryOr<T>(read: () => T, other: T): T {
  try {
    return read();
  } catch {
    return other;
  }
}

describe('a window', () => {
  test('has days, times and a zone', () => {
    expect(parseWindow('sat,sun 1:00-05:00 Europe/Berlin')).toEqual({
      days: ['saturday', 'sunday'],
      startTime: '01:00',
      endTime: '05:00',
      timeZone: 'Europe/Berlin',
    });
  });

  test('days may be a range, over the end of the week too, and none are all', () => {
    expect(parseWindow('mon-wed 01:00-02:00').days).toEqual(['monday', 'tuesday', 'wednesday']);
    expect(parseWindow('sat-mon 01:00-02:00').days).toEqual(['saturday', 'sunday', 'monday']);
    expect(parseWindow('01:00-02:00').days).toHaveLength(7);
    expect(parseWindow('daily 01:00-02:00').days).toHaveLength(7);
  });

  test.each([
    ['05:00-05:00', /ends when it begins/],
    ['24:00-25:00', /00:00 to 23:59/],
    ['01:00-02:00 Europe/Berlinn', /no time zone/],
    ['sta 01:00-02:00', /no day/],
    ['mon', /no window/],
    ['mon 01:00-02:00 UTC x', /no window/],
  ])('%s is refused', (text, message) => {
    expect(() => parseWindow(text)).toThrow(message);
  });

  const DAILY = ['0', '1', '2', '3', '4', '5', '6'] as const;
  const daily = (startTime: string, endTime: string) => windowProblem({ days: [...DAILY], startTime, endTime });

  test('may go over midnight; with some days only, it is told which hours those are', () => {
    expect(parseWindow('22:00-04:00')).toMatchObject({ startTime: '22:00', endTime: '04:00' });
    expect(daily('22:00', '04:00')).toBeUndefined();
    const { days, ...times } = parseWindow('mon-fri 22:00-04:00');
    expect(windowProblem({ days, ...times })).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(/^it goes over midnight/),
    });
  });

  test('that somebody else wrote may use pm, as the controller reads it', () => {
    expect(daily('01:00pm', '3pm')).toBeUndefined();
    expect(daily('12am', '12:30pm')).toBeUndefined();
    expect(daily('1:00pm', '3pm')).toMatchObject({ severity: 'error' });
    expect(daily('13pm', '23:00:00')).toMatchObject({ severity: 'error' });
  });

  test('without days or times would never be open', () => {
    expect(windowProblem({ startTime: '01', endTime: '02' })).toMatchObject({
      message: 'it has no days: it would never be open',
    });
    expect(windowProblem({ days: ['sat'], startTime: '01' })).toMatchObject({
      message: 'it has no startTime or no endTime',
    });
  });
});

test.each([
  ['90s', 90],
  ['1h30m', 5400],
  ['1.5h', 5400],
  ['250ms', 0.25],
  ['0', 0],
  ['-5m', -300],
  ['', undefined],
  ['5', undefined],
  ['5 m', undefined],
  ['1d', undefined],
])('the duration %j', (text, seconds) => {
  expect(durationSeconds(text)).toBe(seconds);
});
