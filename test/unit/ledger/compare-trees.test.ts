// Compares small real trees: what counts as a difference, and that clones are told apart without reading them.

import { cpSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compareTrees } from '../../../src/ledger/compare-trees.ts';

let directory: string;
let before: string;
let after: string;
const time = new Date('2024-05-01T00:00:00Z');

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'compare-trees-'));
  before = join(directory, 'before');
  after = join(directory, 'after');
  mkdirSync(join(before, 'etc/app'), { recursive: true });
  for (const name of ['etc/hosts', 'etc/app/a.conf', 'etc/app/b.conf']) {
    writeFileSync(join(before, name), `${name}\n`);
    utimesSync(join(before, name), time, time);
  }
  symlinkSync('hosts', join(before, 'etc/link'));
  cpSync(before, after, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function told(options = {}) {
  const { differences } = await compareTrees(before, after, options);
  return differences.map(({ path, kind, fields }) => [path, kind, ...fields].join(' '));
}

function same(path: string) {
  utimesSync(join(after, path), time, time);
}

test('two copies differ in nothing but the times of links, which no copy of Node keeps', async () => {
  expect((await told()).filter((line) => line !== 'etc/link changed time')).toEqual([]);
});

test('names with another content, mode, type or target, new ones and missing ones are told in their order', async () => {
  writeFileSync(join(after, 'etc/hosts'), 'etc/hostz\n');
  same('etc/hosts');
  rmSync(join(after, 'etc/link'));
  symlinkSync('elsewhere', join(after, 'etc/link'));
  rmSync(join(after, 'etc/app/a.conf'));
  mkdirSync(join(after, 'etc/app/a.conf'));
  rmSync(join(after, 'etc/app/b.conf'));
  writeFileSync(join(after, 'etc/app.conf'), '');
  expect(await told()).toEqual([
    'etc/app/a.conf changed type',
    'etc/app/b.conf removed',
    'etc/app.conf added',
    'etc/hosts changed content',
    'etc/link changed content time',
  ]);
});

test('a file of the same length and time is read, unless the trees are said to be related', async () => {
  // One file under two names stands in for a clone: inode and time of change are the same.
  rmSync(join(after, 'etc'), { recursive: true });
  mkdirSync(join(after, 'etc/app'), { recursive: true });
  for (const name of ['etc/hosts', 'etc/app/a.conf', 'etc/app/b.conf']) linkSync(join(before, name), join(after, name));
  const { entries } = await compareTrees(before, after, { related: true });
  expect(await told({ related: true })).toEqual(['etc/link removed']);
  expect(entries).toBe(6);
  rmSync(join(after, 'etc/hosts'));
  writeFileSync(join(after, 'etc/hosts'), 'etc/hostz\n');
  same('etc/hosts');
  expect(await told({ related: true })).toEqual(['etc/hosts changed content', 'etc/link removed']);
});

test('digests are those of both sides where all are asked for, and only of what had to be read otherwise', async () => {
  writeFileSync(join(after, 'etc/hosts'), 'longer than before\n');
  const digestsOf = async (digests: 'needed' | 'all') => {
    const { differences } = await compareTrees(before, after, { digests });
    const found = differences.find(({ path }) => path === 'etc/hosts');
    return [found?.before?.digest?.slice(0, 7), found?.after?.digest?.slice(0, 7)];
  };
  expect(await digestsOf('needed')).toEqual([undefined, undefined]);
  expect(await digestsOf('all')).toEqual(['sha256:', 'sha256:']);
});

test('what nobody wants is left out', async () => {
  writeFileSync(join(after, 'etc/hosts'), 'x');
  writeFileSync(join(after, 'etc/app/new'), 'x');
  const isWanted = (path: string) => path.startsWith('etc/app/');
  expect(await told({ isWanted })).toEqual(['etc/app/new added']);
});
