// Addresses of repositories: what git may be told, what it must not, and where a password goes.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namesUser, parseAddress } from '../../../../src/stages/git/address.ts';
import { hostKey } from '../../../../src/stages/git/credentials.ts';
import { chooseTarget } from '../../../../src/stages/git/repository.ts';
import { HoldfastError } from '../../../../src/system/errors.ts';

describe('an address', () => {
  it.each([
    ['https://host/a.git', { kind: 'http', url: 'https://host/a.git' }],
    ['http://me:p%40ss@host:81/a.git', { kind: 'http', url: 'http://host:81/a.git', username: 'me', password: 'p@ss' }],
    ['https://token@host/a', { kind: 'http', url: 'https://host/a', username: 'token' }],
    ['ssh://host/a', { kind: 'ssh', url: 'ssh://host/a' }],
    ['ssh://git:pw@host:22/a', { kind: 'ssh', url: 'ssh://git@host:22/a', password: 'pw' }],
    ['git@host:a/b.git', { kind: 'ssh', url: 'git@host:a/b.git' }],
    ['host:a', { kind: 'ssh', url: 'host:a' }],
    ['git://host/a', { kind: 'git', url: 'git://host/a' }],
    ['file:///srv/a%20b', { kind: 'file', url: '/srv/a b' }],
    ['/srv/a', { kind: 'file', url: '/srv/a' }],
  ])('%s', (text, expected) => {
    expect(parseAddress(text)).toEqual(expected);
  });

  it.each([
    'ext::sh -c x',
    'fd::17',
    'x::y',
    '-oProxyCommand=x:y',
    'ftp://host/a',
    'relative/path',
    '',
    'host',
    'a b:c',
  ])('%s is refused', (text) => {
    expect(() => parseAddress(text)).toThrow(/is no address of a repository/);
  });

  it('that is refused is shown without its password', () => {
    expect(() => parseAddress('ftp://me:secret@host/a?token=secret')).toThrow(/^ftp:\/\/…@host\/a\?… is no/);
  });

  it('never gives git an option, another transport or a password', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl({ withQueryParameters: true })), (text) => {
        let url: string;
        try {
          ({ url } = parseAddress(text));
        } catch (error) {
          expect(error).toBeInstanceOf(HoldfastError);
          return;
        }
        expect(url).not.toMatch(/^-|^[a-z0-9]+::/);
        expect(url).not.toMatch(/^https?:\/\/[^/]*@/);
      }),
    );
  });

  it.each([
    ['git@host:a', true],
    ['host:a@b', false],
    ['ssh://git@host/a', true],
    ['ssh://host/a@b', false],
    ['https://git@host/a', false],
  ])('%s names the user: %s', (text, expected) => {
    expect(namesUser(parseAddress(text))).toBe(expected);
  });
});

describe("a server's key", () => {
  it.each([
    ['ssh-ed25519 AAAAC3Nz me@host', 'ssh-ed25519 AAAAC3Nz'],
    ['host,1.2.3.4 ssh-rsa AAAAB3==\n', 'ssh-rsa AAAAB3=='],
    ['[host]:22 ecdsa-sha2-nistp256 AAAA', 'ecdsa-sha2-nistp256 AAAA'],
  ])('%j', (text, expected) => {
    expect(hostKey(text)).toBe(expected);
  });

  it.each(['', 'AAAA', 'ssh-ed25519', '-----BEGIN OPENSSH PRIVATE KEY-----'])('%j is none', (text) => {
    expect(() => hostKey(text)).toThrow(/public_key is no key of a server/);
  });
});

describe('what is followed', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(40));
  it.each([
    ['', `ref: refs/heads/main\tHEAD\n${a}\tHEAD\n`, { ref: 'refs/heads/main', commit: a }],
    ['', `${a}\tHEAD\n`, { ref: 'HEAD', commit: a }],
    ['', '', undefined],
    ['x', `${a}\trefs/heads/x\n${b}\trefs/tags/x\n`, { ref: 'refs/heads/x', commit: a }],
    ['x', `${a}\trefs/heads/y/x\n${b}\trefs/tags/x\n`, { ref: 'refs/tags/x', commit: b }],
    ['x', `${b}\trefs/tags/x\n${c}\trefs/tags/x^{}\n`, { ref: 'refs/tags/x', commit: c }],
    ['x', `${a}\trefs/heads/other\n`, undefined],
  ])('branch %j of %j', (branch, text, expected) => {
    expect(chooseTarget(text, branch)).toEqual(expected);
  });
});
