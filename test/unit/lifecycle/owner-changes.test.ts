// One mark for what an owner wants of a new system: what it depends on, and what it doesn't.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isMarkOf, markChanges } from '../../../src/lifecycle/owner-changes.ts';
import { Root } from '../../../src/system/root.ts';

let root: Root;
beforeEach(() => {
  root = new Root(mkdtempSync(join(tmpdir(), 'owner-changes-')));
});
afterEach(() => rmSync(root.directory, { recursive: true, force: true }));

const step = (hook: string, body = 'name: mine\n      commands: [a]') => `stages:\n  ${hook}:\n    - ${body}\n`;
function write(files: Record<string, string>): void {
  for (const path of ['/oem', '/usr/local/cloud-config', '/system/oem']) root.remove(path);
  for (const [path, text] of Object.entries(files)) root.writeFile(path, text);
}
/** Whether a slot that was built with the one needs nothing for the other. */
async function isSame(one: Record<string, string>, other: Record<string, string>, hook?: string): Promise<boolean> {
  write(one);
  const mark = await markChanges(root, hook);
  write(other);
  return isMarkOf(mark, root);
}
const MINE = { '/oem/90_mine.yaml': step('after-upgrade-chroot') };

test.each<[string, Record<string, string>, string?]>([
  ['a comment', { '/oem/90_mine.yaml': `# mine\n${MINE['/oem/90_mine.yaml']}` }],
  ['the order of keys', { '/oem/90_mine.yaml': step('after-upgrade-chroot', 'commands: [a]\n      name: mine') }],
  ['another stage', { '/oem/90_mine.yaml': `${MINE['/oem/90_mine.yaml']}  boot:\n    - commands: [b]\n` }],
  ['the image’s own files', { ...MINE, '/system/oem/10_image.yaml': step('after-upgrade-chroot') }],
  ['a file that is no stage file', { ...MINE, '/oem/holdfast/packages.lock': '{}' }],
  [
    'the same steps in the hook of an install',
    { '/oem/90_mine.yaml': step('after-install-chroot') },
    'after-install-chroot',
  ],
])('%s makes no difference', async (_, files, hook) => {
  expect(await isSame(files, MINE, hook)).toBe(true);
});

test.each<[string, Record<string, string>]>([
  ['no file', {}],
  ['another command', { '/oem/90_mine.yaml': step('after-upgrade-chroot', 'name: mine\n      commands: [b]') }],
  ['another moment', { '/oem/90_mine.yaml': step('after-upgrade-chroot.after') }],
  ['another hook alone', { '/oem/90_mine.yaml': step('after-install-chroot') }],
  ['one more file', { ...MINE, '/usr/local/cloud-config/b.yaml': step('after-upgrade-chroot') }],
  ['a file that can not be understood', { ...MINE, '/oem/91.yaml': '{' }],
])('%s makes one', async (_, files) => {
  expect(await isSame(MINE, files)).toBe(false);
  expect(await isSame(files, MINE)).toBe(false);
});

test.each([
  [
    'files: [{path: /etc/app.conf, content: "token=abcdef1"}]',
    'files: [{path: /etc/app.conf, content: "token=zzzzzz9"}]',
  ],
  ['commands: ["app --password one"]', 'commands: ["app --password other"]'],
  ['users: {a: {passwd: "$6$one"}}', 'users: {a: {passwd: "$6$other"}}'],
])('another secret makes one: %s', async (one, other) => {
  const [before, after] = [one, other].map((body) => ({ '/oem/a.yaml': step('after-upgrade-chroot', body) }));
  if (before === undefined || after === undefined) throw new Error('two steps');
  expect(await isSame(before, before)).toBe(true);
  expect(await isSame(before, after)).toBe(false);
});

test('two marks of the same are not the same, and what is no mark is none of anything', async () => {
  write(MINE);
  const [one, other] = [await markChanges(root), await markChanges(root)];
  expect(one).toMatch(/^scrypt:[0-9a-f]{32}:[0-9a-f]{64}$/);
  expect(one).not.toBe(other);
  for (const text of ['', 'sha256:00', `${one}0`, one.toUpperCase()]) expect(await isMarkOf(text, root)).toBe(false);
});
