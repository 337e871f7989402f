// A file of a system as a request to keep it: content, mode and owner by name, and what is refused.

import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { captureFile, INLINE_BYTES } from '../../../src/owner/capture-file.ts';
import { Root } from '../../../src/system/root.ts';

const root = new Root(mkdtempSync(join(tmpdir(), 'holdfast-capture-')));
afterAll(() => rmSync(root.directory, { recursive: true, force: true }));

const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
mkdirSync(join(root.directory, 'etc/real'), { recursive: true });
writeFileSync(join(root.directory, 'etc/passwd'), `somebody:x:${uid}:${gid}::/:/bin/sh\n`);
writeFileSync(join(root.directory, 'etc/group'), 'other:x:4711:\n');
writeFileSync(join(root.directory, 'etc/real/tool'), 'text\n');
chmodSync(join(root.directory, 'etc/real/tool'), 0o4750);
writeFileSync(join(root.directory, 'etc/large'), 'x'.repeat(INLINE_BYTES + 1));
symlinkSync('real', join(root.directory, 'etc/link'));
symlinkSync('/etc/large', join(root.directory, 'etc/absolute'));

test('content and mode are the file’s, the owner is a name where there is one', () => {
  expect(captureFile(root, '/etc/real/tool')).toEqual({
    request: {
      kind: 'file',
      path: '/etc/real/tool',
      content: { kind: 'inline', bytes: Buffer.from('text\n') },
      mode: 0o4750,
      owner: 'somebody',
      group: String(gid),
      atBoot: false,
    },
    stored: undefined,
  });
});

test('a large file is kept beside the stage file, by its digest', () => {
  const { request, stored } = captureFile(root, '/etc/large');
  expect(stored?.length).toBe(INLINE_BYTES + 1);
  const sha256 = createHash('sha256')
    .update(stored ?? '')
    .digest('hex');
  expect(request.content).toEqual({ kind: 'stored', sha256, sizeBytes: INLINE_BYTES + 1 });
});

test('a link is kept as a link, also one that leads nowhere else than into the root', () => {
  expect(captureFile(root, '/etc/link').request.content).toEqual({ kind: 'link', target: 'real' });
  expect(captureFile(root, '/etc/absolute').request.content).toEqual({ kind: 'link', target: '/etc/large' });
  expect(captureFile(root, '/etc/link/tool').request.content).toMatchObject({ kind: 'inline' });
});

test.each([
  ['/etc/passwd', 'HF-USAGE', /list of accounts/],
  ['/etc/shadow-', 'HF-USAGE', /list of accounts/],
  ['/etc/real', 'HF-USAGE', /is a directory/],
  ['/etc/nothing', 'HF-IO', /isn't there/],
])('%s is refused', (path, code, message) => {
  expect(() => captureFile(root, path)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
});
