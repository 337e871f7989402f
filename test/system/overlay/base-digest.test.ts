// The two digests of a slot file: neither sees what relabelling changes, both see a byte anywhere, also where there was
// nothing.

import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestBase, digestContent } from '../../../src/overlay/base-digest.ts';
import { runChecked } from '../../../src/system/process.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-digest-'));
const base = join(directory, 'base.img');
const other = join(directory, 'other.img');
const SIZE = 40 << 20;

beforeAll(async () => {
  const tree = join(directory, 'tree');
  await runChecked(['mkdir', tree]);
  writeFileSync(join(tree, 'file'), 'content\n'.repeat(300_000));
  writeFileSync(base, '');
  truncateSync(base, SIZE);
  await runChecked(['mkfs.ext4', '-q', '-O', '^has_journal', '-d', tree, '-L', 'COS_ACTIVE', base]);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.each([
  ['digestBase', digestBase],
  ['digestContent', digestContent],
])('%s', (_, digest) => {
  const changed = async (change: (file: string) => unknown): Promise<boolean> => {
    copyFileSync(base, other);
    await change(other);
    return (await digest(other)) !== (await digest(base));
  };
  const write = (file: string, at: number, bytes: Buffer) => {
    const fd = openSync(file, 'r+');
    writeSync(fd, bytes, 0, bytes.length, at);
    closeSync(fd);
  };

  test('a copy with another label has the same one', async () => {
    expect(await changed((file) => runChecked(['tune2fs', '-L', 'COS_PASSIVE', file]))).toBe(false);
  });

  test.each([
    ['in what it holds', 5 << 20],
    ['where there was nothing', SIZE - 4096],
    ['at the very end', SIZE - 1],
  ])('one byte %s makes another one', async (_place, at) => {
    expect(await changed((file) => write(file, at, Buffer.from([0x5a])))).toBe(true);
  });

  test('a part of its content that is gone makes another one', async () => {
    // The first part of 1 MiB that holds something of the file.
    expect(await changed((file) => write(file, 1 << 20, Buffer.alloc(4 << 20)))).toBe(true);
  });
});
