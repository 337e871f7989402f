// Takes changes back in a small tree that stands for the running system.

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RevertAction } from '../../../src/ledger/plan-revert.ts';
import { revertPerformers } from '../../../src/lifecycle/revert-path.ts';
import { addRequest, EMPTY_OWNER_FILE, listRequests } from '../../../src/owner/owner-file.ts';
import { readOwnerFile, writeOwnerFile } from '../../../src/owner/owner-place.ts';
import type { FileRequest, OwnerRequest } from '../../../src/owner/request.ts';
import { silent } from '../../../src/system/events.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { apply } from '../../../src/system/plan.ts';
import { Root } from '../../../src/system/root.ts';

let directory: string;
const at = (path: string) => join(directory, path);
const time = new Date('2024-05-01T00:00:00Z');

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'revert-'));
  chmodSync(directory, 0o755);
  for (const tree of ['root', 'slot', 'image']) {
    mkdirSync(at(`${tree}/etc/app`), { recursive: true });
    writeFileSync(at(`${tree}/etc/motd`), `${tree}\n`);
    utimesSync(at(`${tree}/etc/motd`), time, time);
  }
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function perform(...actions: RevertAction[]) {
  const state = { root: new Root(at('root')), slot: at('slot'), image: at('image'), oemDirectory: at('oem') };
  return apply({ title: 'test', actions }, revertPerformers, { state, events: silent });
}
const restore = (path: string, from: 'slot' | 'image' = 'slot'): RevertAction => ({
  kind: 'restore',
  summary: '',
  path,
  from,
});

test('a file comes back with its content, mode and time, and nothing is left beside it', async () => {
  chmodSync(at('slot/etc/motd'), 0o640);
  await perform(restore('/etc/motd'));
  expect(readFileSync(at('root/etc/motd'), 'utf8')).toBe('slot\n');
  const { mode, mtimeMs } = statSync(at('root/etc/motd'));
  expect([mode & 0o777, mtimeMs]).toEqual([0o640, time.getTime()]);
  expect(readdirSync(at('root/etc')).sort()).toEqual(['app', 'motd']);
});

test('of the image, where it was the owner’s in the slot', async () => {
  await perform(restore('/etc/motd', 'image'));
  expect(readFileSync(at('root/etc/motd'), 'utf8')).toBe('image\n');
});

test('a link comes back as a link, also in the place of a directory', async () => {
  rmSync(at('slot/etc/app'), { recursive: true });
  symlinkSync('/elsewhere', at('slot/etc/app'));
  writeFileSync(at('root/etc/app/file'), '');
  await perform(restore('/etc/app'));
  expect(lstatSync(at('root/etc/app')).isSymbolicLink()).toBe(true);
  expect(readlinkSync(at('root/etc/app'))).toBe('/elsewhere');
});

test('of a directory that is there only mode and owner come back, and what is in it stays', async () => {
  chmodSync(at('slot/etc/app'), 0o711);
  writeFileSync(at('root/etc/app/own'), '');
  await perform(restore('/etc/app'));
  expect(statSync(at('root/etc/app')).mode & 0o777).toBe(0o711);
  expect(existsSync(at('root/etc/app/own'))).toBe(true);
});

test('what the slot hasn’t got is removed, and a link on the way leads nowhere else', async () => {
  mkdirSync(at('outside'));
  writeFileSync(at('outside/motd'), 'mine');
  rmSync(at('root/etc'), { recursive: true });
  symlinkSync(at('outside'), at('root/etc'));
  await perform({ kind: 'remove', summary: '', path: '/etc/motd' }).catch(() => {});
  expect(readFileSync(at('outside/motd'), 'utf8')).toBe('mine');
});

test('what is mounted below a path is never removed with it', async () => {
  mkdirSync(at('root/srv/volume'), { recursive: true });
  await mount('none', at('root/srv/volume'), { type: 'tmpfs' });
  try {
    writeFileSync(at('root/srv/volume/data'), 'precious');
    await expect(perform({ kind: 'remove', summary: '', path: '/srv' })).rejects.toThrow('root/srv/volume is mounted');
    symlinkSync('/elsewhere', at('slot/srv'));
    await expect(perform(restore('/srv'))).rejects.toThrow('root/srv/volume is mounted');
    expect(readFileSync(at('root/srv/volume/data'), 'utf8')).toBe('precious');
    expect(readdirSync(at('root')).sort()).toEqual(['etc', 'srv']);
  } finally {
    await unmount(at('root/srv/volume'));
  }
});

test('where others may write, nothing is touched', async () => {
  chmodSync(at('root/etc'), 0o777);
  await expect(perform(restore('/etc/motd'))).rejects.toMatchObject({ code: 'HF-STATE' });
  expect(readFileSync(at('root/etc/motd'), 'utf8')).toBe('root\n');
});

test('what lies in a directory that is gone asks for that one first', async () => {
  rmSync(at('root/etc'), { recursive: true });
  await expect(perform(restore('/etc/motd'))).rejects.toMatchObject({
    code: 'HF-STATE',
    hint: 'holdfast revert /etc brings it back with what is in it',
  });
});

test('a command of the owner goes by its text', async () => {
  mkdirSync(at('oem'));
  const command = (text: string): OwnerRequest => ({ kind: 'command', text });
  const file = addRequest(addRequest(EMPTY_OWNER_FILE, command("rm -rf -- '/etc/{{x'")), command('true'));
  writeOwnerFile(file, at('oem'));
  await perform({ kind: 'forget', summary: '', path: '/etc/{{x', command: "rm -rf -- '/etc/{{x'" });
  expect(listRequests(readOwnerFile(at('oem')))).toEqual([command('true')]);
});

test('the owner’s request goes, and others stay', async () => {
  const file = (path: string): FileRequest => ({
    kind: 'file',
    path,
    content: { kind: 'inline', bytes: Buffer.from('x') },
    mode: 0o644,
    owner: 'root',
    group: 'root',
    atBoot: true,
  });
  mkdirSync(at('oem'));
  writeOwnerFile(addRequest(addRequest(EMPTY_OWNER_FILE, file('/etc/motd')), file('/etc/other')), at('oem'));
  await perform({ kind: 'forget', summary: '', path: '/etc/motd' });
  const left = listRequests(readOwnerFile(at('oem'))).map((request) => (request.kind === 'file' ? request.path : ''));
  expect(left).toEqual(['/etc/other']);
});
