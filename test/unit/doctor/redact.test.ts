// What leaves a machine in a report: a table of secrets in the places where they are found, none of which may come through.
// What a maintainer needs stays: the lines, the names, what is no secret.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Redactor } from '../../../src/doctor/redact.ts';
import { PASSWORD, SECRET_COMMANDS } from '../system/secret-commands.ts';

const redact = (text: string) => new Redactor([]).text(text);
/** As GRUB's, systemd's and people's texts have them. None is anybody's. */
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXZhbHVl';
const PUBLIC_KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIHoldfastHoldfastHoldfast';

test.each<[string, string, secret: string]>([
  ['shadow', 'root:$6$saltsalt$hashhashhashhash:19000:0:99999:7:::', 'hashhashhashhash'],
  ['yescrypt', 'u:$y$j9T$saltsaltsalt$hashhashhash:1:', 'hashhashhash'],
  ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA\n-----END OPENSSH PRIVATE KEY-----', 'b3BlbnNzaA'],
  ['a key that was cut off', '-----BEGIN RSA PRIVATE KEY-----\nMIIEsecret', 'MIIEsecret'],
  ['an address with a login', 'https://user:hunter22@example.org/x', 'hunter22'],
  ['a signed address', 'GET https://s3.example/x?X-Amz-Signature=0123abcd&part=1', '0123abcd'],
  ['basic authorisation', 'Authorization: Basic dXNlcjpodW50ZXIy', 'dXNlcjpodW50ZXIy'],
  ['a bearer', 'authorization: Bearer abc.def.ghi', 'abc.def.ghi'],
  ['a web token', `cookie=x; id ${JWT}`, 'c2lnbmF0dXJlLXZhbHVl'],
  ['GitHub', 'git clone with ghp_0123456789abcdefABCDEF0123456789abcd', '0123456789abcdefABCDEF'],
  ['GitLab', 'glpat-0123456789abcdefghij', '0123456789abcdefghij'],
  ['AWS', 'aws_id AKIA0123456789ABCDEF', '0123456789ABCDEF'],
  ['k3s', `K10${'a1'.repeat(32)}::server:0123456789abcdef`, '0123456789abcdef'],
  ['an argument', 'k3s agent --token s3cr3tvalue --server x', 's3cr3tvalue'],
  ['a variable', 'REGISTRY_PASSWORD=s3cr3tvalue', 's3cr3tvalue'],
  ['JSON', '{"password": "s3cr3tvalue"}', 's3cr3tvalue'],
  ['docker', '{"auths":{"r.example":{"auth":"czNjcjN0"}}}', 'czNjcjN0'],
  ['chpasswd', 'echo "root:s3cr3tvalue" | chpasswd', 's3cr3tvalue'],
  ['curl', 'curl -u admin:s3cr3tvalue https://x', 's3cr3tvalue'],
  ['wireless', 'network={ ssid="home" psk="s3cr3tvalue" }', 's3cr3tvalue'],
  ['WireGuard', 'PrivateKey = s3cr3tvalue=\nPresharedKey = 0therS3cret', 's3cr3tvalue'],
  ['WireGuard, shared', 'PrivateKey = s3cr3tvalue=\nPresharedKey = 0therS3cret', '0therS3cret'],
  ['the kernel’s', 'root=LABEL=COS_STATE rd.luks_key=s3cr3tvalue quiet', 's3cr3tvalue'],
  ['an SSH key’s owner', `ssh-ed25519 ${PUBLIC_KEY} me@home`, 'me@home'],
])('%s', (_, text, secret) => {
  expect(text).toContain(secret);
  expect(redact(text)).not.toContain(secret);
});

test.each(SECRET_COMMANDS)('what is masked on screens doesn’t leave the machine either: %s', (text, masked) => {
  expect(redact(text)).not.toBe(text);
  expect(redact(text)).not.toContain(PASSWORD);
  // It may go further.
  expect(redact(text).length).toBeLessThanOrEqual(masked.length);
});

test.each([
  'root=LABEL=COS_STATE cos-img/filename=/cOS/active.img rd.cos.oemlabel=COS_OEM',
  'tokens and passwords are left out',
  'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
  'UUID=6f2c1a9e-1111-2222-3333-444455556666',
  '/etc/pam.d/common-password changed',
  'systemd-ask-password-console.path loaded active',
  'pass 2 of 5',
])('stays: %s', (text) => {
  expect(redact(text)).toBe(text);
});

test('what this machine is known to have goes, wherever it turns up', () => {
  const redactor = new Redactor(['correct horse', 'correct horse battery', 'abc'], {
    '0123456789abcdef0123456789abcdef': 'MACHINE-ID',
  });
  expect(redactor.text('it said: correct horse battery! on 0123456789abcdef0123456789abcdef, abc')).toBe(
    'it said: ***! on MACHINE-ID, abc',
  );
  expect(redactor.count).toBe(1);
  expect(redactor.text('nothing')).toBe('nothing');
  expect(redactor.count).toBe(1);
});

test.each([
  ['JSON', JSON.stringify({ error: 'said pa"ss\\wo\trd here' })],
  ['JSON in JSON', JSON.stringify({ text: JSON.stringify({ error: 'said pa"ss\\wo\trd here' }) })],
  ['an address', `https://x/?q=${encodeURIComponent('pa"ss\\wo\trd')}`],
  ['base64', `data ${Buffer.from('pa"ss\\wo\trd').toString('base64')} end`],
])('a known secret with odd letters in %s', (_, text) => {
  const redacted = new Redactor(['pa"ss\\wo\trd']).text(text);
  expect(redacted).toContain('***');
  expect(redacted).not.toMatch(/ss\\+wo/);
  expect(redacted).not.toContain('pa%22ss');
  expect(redacted).not.toContain(Buffer.from('pa"ss').toString('base64').slice(0, 6));
});

test('of a secret with several lines each line goes', () => {
  expect(new Redactor(['first long line\nsecond long line']).text('x second long line y')).toBe('x *** y');
});

const STAGE_FILE = `name: Mine
stages:
  boot:
    - name: Things
      files:
        - path: /etc/wpa.conf
          permissions: 0600
          content: |
            line one of it
              indented

            line three
          owner: 0
      users:
        - name: joe
          passwd: "plain words"
        - {name: jim, passwd: other words}
      commands:
        - systemctl restart nginx
        - echo joe:third words | chpasswd
      authorized_keys:
        joe:
          - github:joe
          - ssh-ed25519 ${PUBLIC_KEY} joe@laptop
      environment:
        API_TOKEN: fourth
      "content": quoted key
`;

test('stage files keep their lines and names, and lose contents and passwords', () => {
  const redacted = new Redactor([]).yaml(STAGE_FILE);
  for (const secret of [
    'line one',
    'indented',
    'line three',
    'plain words',
    'other words',
    'fourth',
    'quoted key',
    'laptop',
    PUBLIC_KEY,
  ]) {
    expect(STAGE_FILE).toContain(secret);
    expect(redacted).not.toContain(secret);
  }
  const lines = redacted.split('\n');
  expect(lines).toHaveLength(STAGE_FILE.split('\n').length);
  expect(lines[6]).toBe('          permissions: 0600');
  expect(lines[7]).toBe('          content: ***');
  expect(lines[12]).toBe('          owner: 0');
  expect(redacted).toContain('- systemctl restart nginx');
  expect(redacted).toContain('- github:joe');
});

test('no text, however odd, lets a known secret through or takes for ever', () => {
  const secret = 'S3cretOfTheMachine';
  fc.assert(
    fc.property(
      fc.string(),
      fc.string(),
      fc.constantFrom('content: ', 'x', '\n', '"', ': |\n  '),
      (before, after, glue) => {
        const redactor = new Redactor([secret]);
        const text = `${before}${glue}${secret}${after}`;
        expect(redactor.text(text)).not.toContain(secret);
        expect(redactor.yaml(text)).not.toContain(secret);
      },
    ),
  );
  const long = 'psk='.repeat(20_000);
  expect(new Redactor([]).text(long).length).toBeLessThan(long.length);
});
