// One change of the account files: all or none, under shadow's lock files, on what the files hold by then.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { AccountDatabase } from '../../../../src/stages/accounts/database.ts';
import { editAccounts } from '../../../../src/stages/accounts/edit.ts';
import { debianRoot, lineOf, newLines } from './debian-root.ts';

const addBoth = (database: AccountDatabase) => {
  database.table('group').put(['foo', 'x', '1000', '']);
  database.table('gshadow').put(['foo', '!', '', '']);
};
const BOTH = ['group foo:x:1000:', 'gshadow foo:!::'];
const FILES = ['group', 'gshadow', 'passwd', 'shadow'];

it('all files are replaced, nothing else is left, and the modes stay', async () => {
  const root = debianRoot();
  root.writeFile('/etc/gshadow', root.readText('/etc/gshadow'), { mode: 0o640 });
  const { written } = await editAccounts(root, {}, addBoth);
  expect(written).toEqual(['/etc/gshadow', '/etc/group']);
  expect(newLines(root)).toEqual(BOTH);
  expect((root.stat('/etc/gshadow')?.mode ?? 0) & 0o777).toBe(0o640);
  expect(root.list('/etc')).toEqual(FILES);
});

it('a change that changes nothing takes no lock and writes nothing', async () => {
  const root = debianRoot({ 'etc/group.lock': `${process.ppid}\0` });
  const inode = root.stat('/etc/group')?.ino;
  const { result, written } = await editAccounts(root, {}, (database) => database.group('sudo')?.gid);
  expect([result, written, root.stat('/etc/group')?.ino]).toEqual([27, [], inode]);
});

it('a lock that a dead process left is taken over', async () => {
  const root = debianRoot({ 'etc/group.lock': '4194303\0', 'etc/gshadow.lock': '' });
  await editAccounts(root, {}, addBoth);
  expect(newLines(root)).toEqual(BOTH);
  expect(root.list('/etc')).toEqual(FILES);
});

it("a lock of a living process is waited for, and left when it doesn't end", async () => {
  const root = debianRoot({ 'etc/group.lock': `${process.ppid}\0` });
  const edit = editAccounts(root, { waitMs: 0 }, addBoth);
  await expect(edit).rejects.toMatchObject({
    code: 'HF-LOCKED',
    message: `the account files are locked by process ${process.ppid} (${join(root.directory, 'etc/group.lock')})`,
  });
  expect(newLines(root)).toEqual([]);
  expect(root.list('/etc')).toEqual(['group', 'group.lock', 'gshadow', 'passwd', 'shadow']);
});

it('an interruption while waiting is one, and leaves nothing', async () => {
  const root = debianRoot({ 'etc/group.lock': `${process.ppid}\0` });
  const abort = new AbortController();
  const edit = editAccounts(root, { signal: abort.signal }, addBoth);
  abort.abort();
  await expect(edit).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
  expect(root.list('/etc')).toEqual(['group', 'group.lock', 'gshadow', 'passwd', 'shadow']);
});

it('what another program wrote meanwhile is not lost', async () => {
  const root = debianRoot();
  let calls = 0;
  await editAccounts(root, {}, (database) => {
    addBoth(database);
    calls += 1;
    // After the files were read under the locks: such a program takes none.
    if (calls === 2) writeFileSync(root.resolve('/etc/group'), `${root.readText('/etc/group')}other:x:1001:\n`);
  });
  expect(calls).toBe(3);
  expect(lineOf(root, 'group', 'other')).toBe('other:x:1001:');
  expect(newLines(root)).toEqual(['group other:x:1001:', ...BOTH]);
  expect(root.list('/etc')).toEqual(FILES);
});

it('a failure before the renames leaves all files as they were', async () => {
  const root = debianRoot();
  const edit = editAccounts(root, {}, addBoth, () => {
    throw new Error('no home');
  });
  await expect(edit).rejects.toThrow('no home');
  expect(newLines(root)).toEqual([]);
  expect(root.list('/etc')).toEqual(FILES);
});
