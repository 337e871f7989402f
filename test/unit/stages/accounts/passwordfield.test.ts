// What a password in a stage file becomes in shadow.

import { expect, it } from 'vitest';
import { isPlainText, lock, passwordField } from '../../../../src/stages/accounts/passwordfield.ts';
import { hashPassword, verifyPassword } from '../../../../src/stages/accounts/shacrypt.ts';

it.each([
  ['geheim', true],
  ['x', true],
  ['ab1xJ0Pbj2lJE', true],
  ['$ecret', true],
  ['$6$', true],
  ['', false],
  ['*', false],
  ['!', false],
  ['!!', false],
  ['!$6$salt$hash', false],
  ['$6$salt$hash', false],
  ['$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o', false],
  ['$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy', false],
])('%j is plain text: %s', (password, expected) => {
  expect(isPlainText(password)).toBe(expected);
});

it('a plain text is hashed, and its hash stays as long as it fits', () => {
  const first = passwordField('geheim', '*');
  expect(verifyPassword('geheim', first)).toBe(true);
  expect(passwordField('geheim', first)).toBe(first);
  expect(passwordField('anders', first)).not.toBe(first);
});

it('a SHA-256 hash that fits stays, one of a method that is not known here is replaced', () => {
  const sha256 = '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5';
  expect(passwordField('Hello world!', sha256)).toBe(sha256);
  expect(passwordField('x', '$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o')).toMatch(/^\$6\$/);
});

it('a locked hash does not count as the password', () => {
  expect(passwordField('geheim', `!${hashPassword('geheim')}`)).toMatch(/^\$6\$/);
});

it.each(['$6$salt$ha:sh', '!a\nroot::0:0'])('%j is refused without being told', (password) => {
  expect(() => passwordField(password, undefined)).toThrow(/^a password hash with ":" or a line break in it$/);
});

it('a text that crypt(3) would cut is refused without being told', () => {
  for (const password of ['a\0b', 'x'.repeat(512)]) {
    expect(() => passwordField(password, undefined)).toThrow(/^a password with a zero byte/);
  }
});

it.each([
  ['$6$a$b', '!$6$a$b'],
  ['', '!'],
  ['!', '!'],
  ['!$6$a$b', '!$6$a$b'],
  ['*', '*'],
])('locking %j gives %j', (field, locked) => {
  expect(lock(field)).toBe(locked);
});
