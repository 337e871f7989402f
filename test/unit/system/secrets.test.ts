// What counts as a secret in a text that is shown, and what doesn't.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isSecretName, maskSecrets } from '../../../src/system/secrets.ts';

it.each([
  ['passwd: hunter22', 'passwd: ***'],
  ['      passwd: "two words"', '      passwd: ***'],
  ['{bob: {passwd: hunter22, uid: 5}}', '{bob: {passwd: ***, uid: 5}}'],
  ['K3S_TOKEN=abc k3s server', 'K3S_TOKEN=*** k3s server'],
  ['curl --token abc https://x', 'curl --token *** https://x'],
  ['https://me:pw@example.org/x', 'https://***@example.org/x'],
  ["-H 'Authorization: Bearer abc'", "-H 'Authorization: Bearer ***'"],
  ["usermod -p '$6$salt$hashhash' bob", "usermod -p '***' bob"],
  ['-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nrest', '***\nrest'],
  ['-----BEGIN PRIVATE KEY-----\nabc', '***'],
])('%j is shown as %j', (text, masked) => {
  expect(maskSecrets(text)).toBe(masked);
});

it.each([
  'lock_passwd: true',
  'passwd: ""',
  'passwd --status root; cat /etc/passwd',
  'the token is not here',
  'commands: [echo]',
  'path: /etc/passwd',
  'ssh_authorized_keys: [github:me]',
  'url: https://example.org/x@y',
])('%j stays', (text) => {
  expect(maskSecrets(text)).toBe(text);
});

it('columns stay where they are, if wanted', () => {
  expect(maskSecrets('{passwd: hunter22, uid: x}', { keepLength: true })).toBe('{passwd: ********, uid: x}');
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      expect(maskSecrets(text, { keepLength: true })).toHaveLength(text.length);
    }),
  );
});

it('names of variables', () => {
  expect(['API_TOKEN', 'password', 'DB_PASSWD', 'AWS_SECRET_ACCESS_KEY'].filter(isSecretName)).toHaveLength(4);
  expect(['PATH', 'lock_passwd', 'KEYMAP'].filter(isSecretName)).toEqual([]);
});

it('a long text takes no long time', () => {
  for (const part of ['passw', 'a-', '-----BEGIN PRIVATE KEY-----', 'x://', '$6$', 'token=', '--token ']) {
    expect(maskSecrets(part.repeat(20_000)).length).toBeGreaterThan(0);
  }
});
