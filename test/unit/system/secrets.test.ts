// What counts as a secret in a text that is shown, and what doesn't.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isSecretName, maskSecrets } from '../../../src/system/secrets.ts';
import { PASSWORD, SECRET_COMMANDS } from './secret-commands.ts';

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

it.each(SECRET_COMMANDS)('%j is shown as %j', (text, masked) => {
  expect(masked).not.toContain(PASSWORD);
  expect(maskSecrets(text)).toBe(masked);
  expect(maskSecrets(masked)).toBe(masked);
  expect(maskSecrets(text, { keepLength: true })).toHaveLength(text.length);
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
  'passwd:         files systemd',
  'docker run -u 1000:1000 x',
  'podman run --rm --user app:staff x',
  'adduser --disabled-password --gecos x bob; adduser --disabled-password bob',
  'systemctl --no-ask-password start x; x --token -v',
  'sort -u /etc/hosts; id -u bob',
  'git log --oneline -u',
  'ls | grep passwd; echo bob | tee /etc/passwd',
  'echo hello > /etc/greeting; passwd -l root',
  'sudo systemctl restart nginx',
  'curl -fsSL https://x/y.sh | sh -s -- --user bob',
  'usermod -aG docker bob',
  'mysql -u root -p db',
  'ExecStart=-/sbin/agetty -o "-p -- \\\\u" --noclear %I $TERM',
  'docker run -p 8080:80 nginx',
  'ssh -p 2222 bob@host; mkdir -p /var/x',
  'Pin: release a=stable',
  'pwd: /root; PWD=/root; otp: 5; community: yes',
  'npm-run-all-of-the-scripts eyJust AKIAH',
  'npx vitest; nmcli con show home',
  'systemctl enable cryptsetup.target; cryptsetup luksOpen /dev/sdb x',
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHoldfastHoldfastHoldfast me@home',
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
  for (const part of ['passw', 'a-', '-----BEGIN PRIVATE KEY-----', 'x://', '$6$', 'token=', '--token ', ...SLOW]) {
    expect(maskSecrets(`key ${part.repeat(20_000)}`, { isPublished: true }).length).toBeGreaterThan(0);
  }
});

const SLOW = [
  ...[
    '--',
    '-',
    'a:',
    'a:b|',
    "'a:b\\n",
    "a:b'c:d\n",
    'echo x',
    'echo x|',
    'chpasswd',
    'chpasswd<<',
    'passwd<<<',
    ' -u',
    ' -u"a:',
  ],
  ...[
    'mysql ',
    'mysql -',
    'docker login ',
    'docker run -u ',
    'useradd ',
    'openssl passwd -6 ',
    'mkpasswd -m ',
    'htpasswd -b ',
  ],
  ...[
    'htpasswd -b -',
    'nmcli ',
    'wpa_passphrase "',
    'eyJaaaaaaaaa.',
    'psk-',
    'a_pass',
    'cookie:',
    'auth',
    'ssh-rsa ',
    '\\"\'',
  ],
];
