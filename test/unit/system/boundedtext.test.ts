// Texts are read up to their limit, and nothing that isn't a text file keeps the reader waiting.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readPipeWithin, readStreamWithin, readTextWithin } from '../../../src/system/boundedtext.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-text-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(content: string | Uint8Array): string {
  const path = join(directory, 'file');
  writeFileSync(path, content);
  return path;
}

it.each(['', 'a', 'ä\n'.repeat(5000), 'x'.repeat(1 << 20)])('a file within the limit is read whole', (text) => {
  expect(readTextWithin(file(text), 1 << 20)).toBe(text);
});

it('a byte order mark is no part of the text', () => {
  expect(readTextWithin(file('\uFEFFa'), 10)).toBe('a');
});

it('UTF-16 with its mark is read as Windows writes it', () => {
  const text = '\uFEFFname: ä\r\n';
  const little = Buffer.from(text, 'utf16le');
  expect(readTextWithin(file(little), 100)).toBe('name: ä\r\n');
  expect(readTextWithin(file(Buffer.from(little).swap16()), 100)).toBe('name: ä\r\n');
});

it('what comes out of a pipe is read, and nothing else is taken for one', async () => {
  const pipe = join(directory, 'written');
  execFileSync('mkfifo', [pipe]);
  const closed = once(spawn('sh', ['-c', 'printf "a: b" > "$0"', pipe]), 'close');
  expect(await readPipeWithin(pipe, 10)).toBe('a: b');
  await closed;
  expect(await readPipeWithin(file('x'), 10)).toBeUndefined();
  expect(await readPipeWithin('/dev/zero', 10)).toBeUndefined();
  expect(await readPipeWithin(join(directory, 'nothing'), 10)).toBeUndefined();
});

it('files whose size is not known before are read too', () => {
  expect(readTextWithin('/proc/self/status', 1 << 20)).toContain('Name:');
});

it.each<[string, () => string, string]>([
  ['a byte too much', () => file('x'.repeat((1 << 20) + 1)), 'it is larger than 1 MiB'],
  ['other bytes', () => file(Buffer.from([0xff, 0xfe, 0])), 'it is no UTF-8 text'],
  ['a directory', () => directory, 'it is a directory'],
  ['an endless device', () => '/dev/zero', 'it is no regular file'],
  ['nothing', () => join(directory, 'nothing'), 'ENOENT'],
])('%s is refused', (_, path, message) => {
  expect(() => readTextWithin(path(), 1 << 20)).toThrow(message);
});

it('a pipe that nobody writes to is refused without waiting', () => {
  const pipe = join(directory, 'pipe');
  execFileSync('mkfifo', [pipe]);
  expect(() => readTextWithin(pipe, 10)).toThrow('it is no regular file');
});

it('a stream is read to its end or to the limit', async () => {
  async function* endless() {
    for (;;) yield Buffer.alloc(1 << 16, 'x');
  }
  async function* halves() {
    const bytes = Buffer.from('aä');
    yield bytes.subarray(0, 2);
    yield bytes.subarray(2);
  }
  expect(await readStreamWithin(halves(), 10)).toBe('aä');
  await expect(readStreamWithin(endless(), 1 << 20)).rejects.toThrow('it is larger than 1 MiB');
});
