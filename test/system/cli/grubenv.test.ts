// `holdfast grubenv` as people and scripts use it: several at once, blocks that can't be written, and what it says then.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { run, runChecked } from '../../../src/system/process.ts';

let executable = '';
let directory = '';
let file = '';
beforeAll(async () => {
  executable = await ensureExecutable(() => {});
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-grubenv-'));
  file = join(directory, 'grubenv');
});
afterEach(() => rmSync(directory, { recursive: true }));

const grubenv = (...args: string[]) => run([executable, 'grubenv', ...args, '--file', file]);

test('of many changes at once none is lost', async () => {
  const names = Array.from({ length: 12 }, (_, index) => `name_${index}`);
  const results = await Promise.all(names.map((name) => grubenv('set', `${name}=1`)));
  expect(results.map(({ status }) => status)).toEqual(names.map(() => 0));
  const listed = await runChecked(['grub-editenv', file, 'list']);
  expect(listed.trim().split('\n').sort()).toEqual(names.map((name) => `${name}=1`).sort());
  expect(statSync(file).size).toBe(1024);
});

test('set, get and unset, for people and for programs', async () => {
  expect(await grubenv('set', 'next_entry=fallback', 'extra_cmdline=a=1 b')).toMatchObject({ status: 0, stdout: '' });
  expect(await grubenv('get', 'extra_cmdline')).toMatchObject({ status: 0, stdout: 'a=1 b\n' });
  expect(await grubenv('get')).toMatchObject({ stdout: 'next_entry=fallback\nextra_cmdline=a=1 b\n' });
  const dry = await grubenv('unset', 'next_entry', '--dry-run', '--json');
  expect(JSON.parse(dry.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
    outcome: 'planned',
    variables: { extra_cmdline: 'a=1 b' },
  });
  expect(await grubenv('get', 'next_entry')).toMatchObject({ status: 0, stdout: 'fallback\n' });
  expect(await grubenv('unset', 'next_entry')).toMatchObject({ status: 0 });
  expect(await grubenv('get', 'next_entry')).toMatchObject({ status: 1, stdout: '' });
});

test.each([
  ['more than a block holds', ['set', `a=${'x'.repeat(1000)}`], 49, '1024'],
  ['a value of two lines', ['set', 'a=1\n2'], 1, 'the value of a has a control character'],
  ['a name that is none', ['set', '1a=2'], 49, '"1a" can\'t be the name of a GRUB variable'],
  ['a word without =', ['set', 'next_entry'], 1, 'next_entry is no assignment'],
  ['a verb that it doesn’t know', ['list'], 1, "grubenv can't list"],
])('%s is refused, and the block is as it was', async (_, args, status, message) => {
  await grubenv('set', 'kept=1');
  const before = readFileSync(file);
  const result = await grubenv(...args);
  expect(result.status).toBe(status);
  expect(result.stderr).toContain(message);
  expect(readFileSync(file)).toEqual(before);
});

test('a block with bytes that are no text is left to grub-editenv', async () => {
  const block = Buffer.concat([
    Buffer.from('# GRUB Environment Block\na='),
    Buffer.from([0xff, 0x0a]),
    Buffer.alloc(995, '#'),
  ]);
  writeFileSync(file, block);
  expect((await grubenv('set', 'b=1')).stderr).toContain('has bytes that are no UTF-8 text');
  expect(readFileSync(file)).toEqual(block);
});

test('a file system that can’t be written and a directory that isn’t there are said as such', async () => {
  const mountPoint = join(directory, 'oem');
  mkdirSync(mountPoint);
  await mount('tmpfs', mountPoint, { type: 'tmpfs', options: ['ro'] });
  try {
    const result = await run([executable, 'grubenv', 'set', 'a=1', '--file', join(mountPoint, 'grubenv')]);
    expect(result).toMatchObject({ status: 24 });
    expect(result.stderr).toContain('its file system is read-only');
  } finally {
    await unmount(mountPoint);
  }
  const result = await run([executable, 'grubenv', 'set', 'a=1', '--file', join(directory, 'none/grubenv')]);
  expect(result.stderr).toContain(`there is no directory ${join(directory, 'none')}`);
});
