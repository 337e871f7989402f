// A report as an archive: everything redacted and bounded, what is missing said, and readable by any tar.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { knownNames, knownSecrets } from '../../../src/doctor/known-secrets.ts';
import { Redactor } from '../../../src/doctor/redact.ts';
import { pack } from '../../../src/doctor/report.ts';
import { mayBeReported, stageFilesOf } from '../../../src/doctor/report-files.ts';
import type { ReportItem } from '../../../src/doctor/report-items.ts';
import { tarGz } from '../../../src/doctor/tar-file.ts';
import { silent } from '../../../src/system/events.ts';
import { Root } from '../../../src/system/root.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-report-'));
afterAll(() => rmSync(directory, { recursive: true }));

const item = (name: string, text: string | undefined, changes: Partial<ReportItem> = {}): ReportItem => ({
  name,
  format: 'text',
  keep: 'start',
  read: () => text,
  ...changes,
});
const options = {
  events: silent,
  signal: new AbortController().signal,
  version: '1.2.3',
  nowMs: Date.UTC(2026, 2, 4, 5, 6, 7),
};
const unpack = (archive: Buffer, name: string) =>
  execFileSync('tar', ['-xzOf', '-', `holdfast-report-20260304-050607/${name}`], { input: archive, encoding: 'utf8' });

test('an archive with a table of contents', async () => {
  const { archive, members, missing, redacted } = await pack(
    [
      item('a.txt', 'password=hunter22\n'),
      item('b.yaml', 'content: hunter23\n', { format: 'yaml' }),
      item('c.txt', undefined),
      item('d.txt', undefined, {
        read: () => {
          throw new Error('no luck with hunter24');
        },
      }),
      item('stage-files/oem/a b:c.yaml', 'x'),
    ],
    new Redactor(['hunter24']),
    options,
  );
  expect(members.map(({ name }) => name)).toEqual(['a.txt', 'b.yaml', 'stage-files/oem/a_b_c.yaml']);
  expect(missing).toEqual([
    { name: 'c.txt', why: 'there is none' },
    { name: 'd.txt', why: 'no luck with ***' },
  ]);
  expect(redacted).toBe(3);
  expect(unpack(archive, 'a.txt')).toBe('password=***\n');
  expect(unpack(archive, 'b.yaml')).toBe('content: ***\n');
  const readme = unpack(archive, 'README.txt');
  expect(readme).toContain('A report of holdfast 1.2.3, made 2026-03-04T05:06:07.000Z.');
  expect(readme).toContain('  a.txt (13 B)\n');
  expect(readme).toContain('  d.txt: no luck with ***\n');
});

test('what is long is cut where it matters least', async () => {
  const long = `first\n${'x'.repeat(1 << 20)}\nlast\n`;
  const { archive, members } = await pack(
    [item('start.txt', long), item('end.txt', long, { keep: 'end' })],
    new Redactor([]),
    options,
  );
  expect(members.every(({ cut, bytes }) => cut && bytes < 600 << 10)).toBe(true);
  expect(unpack(archive, 'start.txt')).toMatch(/^first\n/);
  expect(unpack(archive, 'start.txt')).toMatch(/KiB are left out here\]\n$/);
  expect(unpack(archive, 'end.txt')).toMatch(/^\[\d+ KiB are left out here\]\n/);
  expect(unpack(archive, 'end.txt')).toMatch(/\nlast\n$/);
});

test('many texts end, and what comes first is there', async () => {
  const big = 'y'.repeat(500 << 10);
  const items = Array.from({ length: 30 }, (_, index) => item(`${index}.txt`, big));
  const { members, missing } = await pack(items, new Redactor([]), options);
  expect(members).toHaveLength(24);
  expect(missing).toHaveLength(6);
  expect(missing[0]).toEqual({ name: '24.txt', why: 'the report has 12 MiB already' });
});

test('the same members give the same bytes, with sizes that tar reads', () => {
  const members = [0, 1, 511, 512, 513].map((size) => ({
    name: `m/${size}`,
    content: Buffer.alloc(size, 'z'),
    modifiedAt: 1000,
  }));
  expect(tarGz(members)).toEqual(tarGz(members));
  const list = execFileSync('tar', ['-tvzf', '-'], { input: tarGz(members), encoding: 'utf8' });
  expect(
    list
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/)[2]),
  ).toEqual(['0', '1', '511', '512', '513']);
  expect(() => tarGz([{ name: 'n'.repeat(101), content: Buffer.alloc(0), modifiedAt: 0 }])).toThrow('too long');
});

test.each([
  '/etc/shadow',
  '/oem/holdfast/signing.key',
  '/oem/userdata.yaml',
  '/oem/user-data',
  '/run/config/userdata',
  '/run/config/anything',
  '/usr/local/cloud-config/meta-data.yaml',
  '/etc/ssh/ssh_host_ed25519_key',
  '/oem/network-config',
])('%s is never in it', (path) => {
  expect(mayBeReported(path)).toBe(false);
});

test('the secrets of a machine are found where they are kept', () => {
  const put = (path: string, text: string) => {
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  };
  put('etc/shadow', 'root:$6$salt$roothash:1::::::\ndaemon:*:1::::::\nlocked:!!:1::::::\nplain:oldhash13:1:\n');
  put('etc/machine-id', '0123456789abcdef0123456789abcdef\n');
  put('proc/cmdline', 'quiet k3s.token=cmdlinetoken rd.luks.key=/dev/sdb1\n');
  put('root/.docker/config.json', `{"auths":{"r":{"auth":"${Buffer.from('me:registrypw').toString('base64')}"}}}`);
  put(
    'oem/90.yaml',
    'stages:\n  boot:\n    - users:\n        joe:\n          passwd: stagepassword\n      environment:\n        MY_TOKEN: envtoken\n',
  );
  put('oem/broken.yaml', 'stages: [\n');
  const root = new Root(directory);
  expect(stageFilesOf(root)).toEqual(['/oem/90.yaml', '/oem/broken.yaml']);
  const secrets = knownSecrets(root);
  for (const secret of ['$6$salt$roothash', 'oldhash13', 'cmdlinetoken', 'registrypw', 'stagepassword', 'envtoken']) {
    expect(secrets).toContain(secret);
  }
  for (const plain of ['!!', '*', '/dev/sdb1']) expect(secrets).not.toContain(plain);
  expect(knownNames(root)).toEqual({ '0123456789abcdef0123456789abcdef': 'MACHINE-ID' });
});
