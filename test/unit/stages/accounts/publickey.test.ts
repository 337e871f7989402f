// Lines of authorized_keys: what is a key, and which lines are the same one.

import { expect, it } from 'vitest';
import { additions } from '../../../../src/stages/accounts/authorizedkeys.ts';
import { addressOf, describeEntry, keysOf } from '../../../../src/stages/accounts/keysource.ts';
import { identityOf, isGenuine, parsePublicKey } from '../../../../src/stages/accounts/publickey.ts';
import { keyBlob } from './keys.ts';

const A = keyBlob('ssh-ed25519', 1);
const B = keyBlob('ssh-ed25519', 2);

it.each([
  [`ssh-ed25519 ${A} me@here`, '', 'ssh-ed25519'],
  [`  ssh-ed25519\t${A}`, '', 'ssh-ed25519'],
  [`no-pty ssh-ed25519 ${A}`, 'no-pty', 'ssh-ed25519'],
  [
    `command="echo ssh-rsa \\"a b\\"",no-pty ssh-ed25519 ${A} c`,
    'command="echo ssh-rsa \\"a b\\"",no-pty',
    'ssh-ed25519',
  ],
  [`sk-ssh-ed25519@openssh.com ${A}`, '', 'sk-ssh-ed25519@openssh.com'],
  [`ecdsa-sha2-nistp256 ${A}`, '', 'ecdsa-sha2-nistp256'],
])('%j is a key', (line, options, type) => {
  expect(parsePublicKey(line)).toEqual({ options, type, blob: A });
});

it.each(['', '# ssh-ed25519 AAAA', 'ssh-ed25519', '<html>', 'no-pty', 'command="x ssh-rsa AAAA', 'not a key'])(
  '%j is no key',
  (line) => expect(parsePublicKey(line)).toBeUndefined(),
);

it('a key is genuine when its bytes name its type', () => {
  expect(isGenuine({ options: '', type: 'ssh-ed25519', blob: A })).toBe(true);
  expect(isGenuine({ options: '', type: 'ssh-rsa', blob: A })).toBe(false);
  expect(isGenuine({ options: '', type: 'ssh-ed25519', blob: 'AAAA' })).toBe(false);
  expect(isGenuine({ options: '', type: 'ssh-ed25519', blob: '....' })).toBe(false);
});

it('options and comment make no other key of it', () => {
  expect(identityOf(`no-pty ssh-ed25519 ${A} a`)).toBe(identityOf(`ssh-ed25519 ${A} b`));
  expect(identityOf(`ssh-ed25519 ${A}`)).not.toBe(identityOf(`ssh-ed25519 ${B}`));
});

it.each([
  ['', `ssh-ed25519 ${A} a\n`],
  ['# mine\n', `ssh-ed25519 ${A} a\n`],
  [`ssh-ed25519 ${B}`, `\nssh-ed25519 ${A} a\n`],
  [`from="10.0.0.0/8" ssh-ed25519 ${A} other\r\n`, ''],
  [`ssh-ed25519 ${A}`, ''],
])('to %j is added %j', (text, added) => {
  expect(additions(text, [`ssh-ed25519 ${A} a`, `ssh-ed25519 ${A} again`])).toBe(added);
});

it.each([
  ['github:mudler', 'https://github.com/mudler.keys'],
  ['GitHub:mudler', 'https://github.com/mudler.keys'],
  ['gitlab:group/../x', 'https://gitlab.com/group%2F..%2Fx.keys'],
  ['https://example.org/k?token=1', 'https://example.org/k?token=1'],
  [`ssh-ed25519 ${A} a:b`, undefined],
  [`from="fe80::1" ssh-ed25519 ${A}`, undefined],
])('%j is fetched from %j', (entry, address) => expect(addressOf(entry)).toBe(address));

it('another scheme is refused', () => {
  expect(() => addressOf('ftp://example.org/keys')).toThrow('keys can\'t be fetched from "ftp:"');
  expect(() => addressOf('file:/etc/shadow')).toThrow('keys can\'t be fetched from "file:"');
});

it('an entry is told without the key and without what an address may hide', () => {
  expect(describeEntry(`ssh-ed25519 ${A}`)).toBe('a key');
  expect(describeEntry('github:mudler')).toBe('github:mudler');
  expect(describeEntry('https://me:pw@example.org/k?token=1')).toBe('https://example.org/k?…');
});

it('a body of keys is split into lines, comments and blank ones left out', () => {
  expect(keysOf(`\uFEFFssh-ed25519 ${A}\r\n\n# x\nno-pty ssh-ed25519 ${B} b`, 'u')).toEqual([
    `ssh-ed25519 ${A}`,
    `no-pty ssh-ed25519 ${B} b`,
  ]);
});

it.each([
  ['<!DOCTYPE html>\n<html>', 1],
  [`ssh-ed25519 ${A}\nNot Found`, 2],
  [`ssh-rsa ${A}`, 1],
  [`ssh-ed25519 ${A} ${'x'.repeat(20_000)}`, 1],
])('a body with anything else is refused as a whole', (body, number) => {
  expect(() => keysOf(body, 'https://h/k')).toThrow(
    `line ${number} of https://h/k is no public key; none of it is used`,
  );
});

it('a body with too many keys is refused', () => {
  expect(() => keysOf(`ssh-ed25519 ${A}\n`.repeat(1001), 'u')).toThrow('u has more than 1000 keys');
});
