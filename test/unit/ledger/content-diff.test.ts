// Diffs of contents: the same hunks as diff(1) makes, and nothing that must not be seen.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { TreeObject } from '../../../src/ledger/compare-trees.ts';
import { unifiedDiff, whyHidden } from '../../../src/ledger/content-diff.ts';
import { NO_XATTRS } from '../../../src/overlay/rebase/tree-object.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-diff-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const diff = (before: string, after: string, options = {}) =>
  unifiedDiff(Buffer.from(before), Buffer.from(after), options);

test('hunks as patch(1) takes them: applied to the one text, they give the other', () => {
  const line = fc.constantFrom('a', 'b', 'c', 'd', 'e', '', 'six');
  const text = fc.array(line, { maxLength: 40 }).map((lines) => lines.map((each) => `${each}\n`).join(''));
  fc.assert(
    fc.property(text, text, (before, after) => {
      const result = diff(before, after);
      if (before === after) {
        expect('lines' in result ? result.lines : []).toEqual([]);
        return;
      }
      if (!('lines' in result)) throw new Error(result.hidden);
      const [one, patch] = [join(directory, 'one'), join(directory, 'patch')];
      writeFileSync(one, before);
      writeFileSync(patch, `--- one\n+++ one\n${result.lines.join('\n')}\n`);
      const applied = execFileSync('git', ['apply', '--unidiff-zero', '--whitespace=nowarn', 'patch'], {
        cwd: directory,
        stdio: 'pipe',
      });
      expect(applied.toString()).toBe('');
      const same = spawnSync('cmp', ['-s', one, '-'], { input: after });
      // git removes a file that becomes empty.
      if (after !== '') expect(same.status).toBe(0);
    }),
    { numRuns: 40 },
  );
});

test('a change in the middle has its surroundings, and its place', () => {
  const lines = (third: string) => `1\n2\n${third}\n4\n5\n6\n7\n`;
  expect(diff(lines('3'), lines('three'))).toEqual({
    lines: ['@@ -1,6 +1,6 @@', ' 1', ' 2', '-3', '+three', ' 4', ' 5', ' 6'],
  });
});

test.each([
  ['a password', 'user=me\npassword=hunter22\n', 'user=you\npassword=hunter23\n', /hunter/],
  ['a key', 'x\n', 'x\n-----BEGIN PRIVATE KEY-----\nMIIEvQ\nMIIEvR\n-----END PRIVATE KEY-----\n', /MIIEv/],
  ['a hash', 'a\n', 'a\n$6$saltsalt$abcdefghijklmnop\n', /saltsalt/],
])('%s is masked', (_, before, after, secret) => {
  const result = diff(before, after);
  expect('lines' in result && result.lines.length > 1).toBe(true);
  expect(JSON.stringify(result)).not.toMatch(secret);
});

test('where only a secret is different, that is said', () => {
  expect(diff('token: abcdef\n', 'token: ghijkl\n')).toEqual({ hidden: 'only secrets in it are different' });
});

test('long diffs are cut, long lines too, and what is no text is not shown', () => {
  const many = Array.from({ length: 900 }, (_, at) => `line ${at}\n`).join('');
  const result = diff('', many, { maxLines: 10 });
  expect(result).toMatchObject({ lines: expect.arrayContaining(['… 892 more lines']) });
  expect('lines' in result && result.lines.length).toBe(10);
  expect(JSON.stringify(diff('', `${'x'.repeat(100_000)}\n`)).length).toBeLessThan(700);
  expect(diff('a\0b', 'c')).toEqual({ hidden: 'it is no text' });
  expect(diff('a', 'a\n')).toEqual({ lines: ['@@ -1 +1 @@', '-a (no line break at the end)', '+a'] });
});

const file = (mode: number, sizeBytes = 10): TreeObject => ({
  ...{ type: 'file', mode, uid: 0, gid: 0, sizeBytes, mtimeNs: 0n, ctimeNs: 0n, inode: 1n, links: 1, device: 0n },
  ...{ storedBytes: 0, isSparse: false, linkTarget: '', xattrs: NO_XATTRS, flags: '' },
});

test.each([
  ['etc/shadow', 0o644, 'it holds secrets'],
  ['etc/shadow-', 0o644, 'it holds secrets'],
  ['etc/ssh/ssh_host_rsa_key', 0o644, 'it holds secrets'],
  ['etc/ssh/ssh_host_rsa_key.pub', 0o644, undefined],
  ['etc/pki/tls/private/x', 0o644, 'it holds secrets'],
  ['etc/security/opasswd', 0o644, 'it holds secrets'],
  ['etc/my.pem', 0o644, 'it holds secrets'],
  ['etc/mine', 0o640, 'not everybody may read it'],
  ['etc/motd', 0o644, undefined],
])('%s with mode %o: %s', (path, mode, reason) => {
  expect(whyHidden(path, [file(mode)])).toBe(reason);
  expect(whyHidden(path, [undefined, file(mode)])).toBe(reason);
});
