// Go's dialect of regular expressions, where it differs from JavaScript's: each row was looked up in RE2's syntax page.

import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { matchPattern } from '../../../src/cloudconfig/pattern.ts';

describe('what Go finds', () => {
  it.each<[string, string, boolean]>([
    // Unanchored unless it says so.
    ['amd64', 'amd64', true],
    ['2', '12', true],
    ['^2', '12', false],
    ['15\\.[45]', 'openSUSE Leap 15.5', true],
    ['', '', true],
    // Flags anywhere, for what follows them.
    ['(?i)ubuntu', 'Ubuntu 22.04', true],
    ['Ubuntu (?i)LTS', 'Ubuntu lts', true],
    ['ubuntu (?i)LTS', 'Ubuntu lts', false],
    ['(?i:UBUNTU) 22', 'ubuntu 22', true],
    ['(?i:ubuntu) LTS', 'UBUNTU lts', false],
    ['(?s)a.b', 'a\nb', true],
    ['(?m)^b$', 'a\nb\nc', true],
    ['^b$', 'a\nb\nc', false],
    ['a$', 'a\n', false],
    // Names.
    ['(?P<n>a)b', 'ab', true],
    // Anchors and literals.
    ['\\Aab\\z', 'ab', true],
    ['\\Aab\\z', 'ab\n', false],
    ['(?m)\\Ab', 'a\nb', false],
    ['\\Qa.b(\\E$', 'a.b(', true],
    ['\\Qa.b\\E', 'axb', false],
    // Classes.
    ['^[[:alpha:]]+$', 'abc', true],
    ['^[[:alpha:]]+$', 'ab1', false],
    ['[^[:space:]]', ' \t', false],
    ['^[[:word:]-]+$', 'a_b-1', true],
    ['^\\pL+$', 'äöß', true],
    ['\\PL', 'äöß', false],
    ['^\\p{Greek}$', 'λ', true],
    ['\\s', '\u00a0', false],
    ['\\s', '\v', false],
    ['\\s', '\f', true],
    ['^\\S$', '\u2028', true],
    ['^\\w$', 'ä', false],
    ['[]a]', ']', true],
    // The dot leaves out the line feed alone.
    ['a.b', 'a\nb', false],
    ['a.b', 'a\rb', true],
    ['a.b', 'a\u2028b', true],
    // No backtracking.
    ['^(a+)+$', `${'a'.repeat(60)}b`, false],
    ['^(a|aa)*$', `${'a'.repeat(60)}b`, false],
  ])('%j in %j: %s', async (pattern, text, found) => {
    expect(await matchPattern(pattern, text)).toEqual({ found, foreign: false });
  });
});

describe('look-around, which Go has not, is evaluated as JavaScript has it', () => {
  it.each<[string, string, boolean]>([
    ['^(?!ubuntu).*', 'debian', true],
    ['^(?!ubuntu).*', 'ubuntu', false],
    ['node-(?=[0-9]+$)', 'node-12', true],
    ['(?<!k)3s', 'k3s', false],
    ['(a)\\1', 'aa', true],
    // Go's other words are understood in it too.
    ['(?i)^(?!UBUNTU)', 'ubuntu', false],
    ['(?P<n>a)(?!b)', 'ac', true],
    ['\\A(?!b)a\\z', 'a\n', false],
    ['^(?!\\Qa.b\\E)', 'axb', true],
    ['^(?![[:upper:]])[[:alpha:][:digit:]]+$', 'a1', true],
    ['^(?![[:upper:]])', 'A', false],
    ['^(?!\\pL)', 'ä', false],
    ['^(?!x)\\s', '\u00a0', false],
    ['^(?!x)[\\s]', '\u00a0', false],
    ['^(?!x)[\\S]$', 'y', true],
    ['^(?!x)a.b', 'a\rb', true],
    ['(?s)^(?!x)a.b', 'a\nb', true],
    ['^(?!x)[.]', 'a', false],
  ])('%j in %j: %s', async (pattern, text, found) => {
    expect(await matchPattern(pattern, text)).toEqual({ found, foreign: true });
  });
});

it.each([
  ['(', 'missing closing )'],
  ['a**', 'invalid nested repetition operator'],
  ['\\Z', 'invalid escape sequence'],
  ['a++', 'invalid nested repetition operator'],
  ['[[:foo:]]', 'invalid character class range'],
  ['[z-a]', 'invalid character class range'],
  ['*', 'missing argument to repetition operator'],
  ['(?!', 'invalid or unsupported Perl syntax'],
  ['^(?!x)(a+)+$', 'could take for ever'],
])('%j is nothing for anyone: %s', async (pattern, reason) => {
  expect(await matchPattern(pattern, 'x')).toEqual({ invalid: expect.stringContaining(reason) });
});

it('ignoring case is as if the pattern began with (?i)', async () => {
  for (const pattern of ['UBUNTU', '[[:upper:]]buntu', '^(?!DEBIAN)U']) {
    expect(await matchPattern(pattern, 'ubuntu', { ignoreCase: true })).toMatchObject({ found: true });
    expect(await matchPattern(pattern, 'debian', { ignoreCase: true })).toMatchObject({ found: false });
  }
});

it('what JavaScript decides by itself is what RE2 says', async () => {
  const part = fc.constantFrom(
    ...'abA1 .^$|()-_/:'.split(''),
    '\\.',
    '\\d',
    '\\-',
    '[a-c]',
    '[^b]',
    '[a.-]',
    '*',
    '+',
    '?',
  );
  const pattern = fc.array(part, { maxLength: 10 }).map((parts) => parts.join(''));
  const text = fc.array(fc.constantFrom(...'abA1 .-_/:c'.split('')), { maxLength: 8 }).map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(pattern, text, async (source, subject) => {
      let expected: boolean | undefined;
      try {
        expected = RE2JS.compile(source).matcher(subject).find();
      } catch {
        expected = undefined;
      }
      const match = await matchPattern(source, subject);
      expect('invalid' in match ? undefined : match.found).toBe(expected);
    }),
    { numRuns: 3000 },
  );
});

it('no pattern makes it throw', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), async (source, subject) => {
      expect(await matchPattern(source, subject)).toBeDefined();
      expect(await matchPattern(`(?!x)${source}`, subject)).toBeDefined();
    }),
    { numRuns: 1000 },
  );
});
