// What init finds in an initramfs that it did not build, packed in each way that distributions use, with microcode before
// it and without; and what it says of an image that has none of ours. Takes about two seconds.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeInitramfs, findInitramfsModule } from '../../../src/boot/init-initramfs.ts';
import { Root } from '../../../src/system/root.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-initramfs-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** An archive as the kernel reads it (newc), with one file of this name among others. */
function archive(name: string): Buffer {
  const entry = (path: string, content: string) => {
    const fields = [1, 0o100644, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length + 1, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${path}\0`;
    return padded(head) + padded(content);
  };
  const padded = (text: string) => text.padEnd(Math.ceil(text.length / 4) * 4, '\0');
  const files = ['etc/other', name, 'usr/lib/last'].map((path) => entry(path, 'content'));
  return Buffer.from([...files, entry('TRAILER!!!', '')].join(''), 'latin1');
}
const pack = (program: string, bytes: Buffer) => execFileSync(program, ['-c'], { input: bytes });
const find = (bytes: Buffer) => {
  writeFileSync(join(directory, 'initrd'), bytes);
  return findInitramfsModule(new Root(directory), '/initrd');
};
const OURS = 'usr/sbin/holdfast-slot';

test.each(['zstd', 'gzip', 'xz', 'bzip2'])('packed by %s, after microcode and alone', async (program) => {
  const packed = pack(program, archive(OURS));
  expect(await find(packed)).toBe('holdfast');
  expect(await find(Buffer.concat([archive('kernel/x86/microcode/GenuineIntel.bin'), Buffer.alloc(512), packed]))).toBe(
    'holdfast',
  );
});

test.each([
  [OURS, 'holdfast'],
  ['usr/lib/systemd/system/cos-immutable-rootfs.service', 'cos'],
  ['usr/lib/systemd/system/elemental-rootfs.service', 'cos'],
  ['usr/bin/plymouth', 'none'],
])('not packed, with %s: %s', async (name, module) => {
  expect(await find(archive(name))).toBe(module);
});

test('what isn’t there or can’t be read', async () => {
  expect(await findInitramfsModule(new Root(directory), '/none')).toBe('missing');
  expect(await find(Buffer.from('something else entirely'))).toBe('unknown');
  expect(await find(Buffer.alloc(0))).toBe('none');
});

test.each(['none', 'missing', 'unknown'] as const)('%s: the stages that never run are named', (module) => {
  const words = describeInitramfs(module, '/boot/initrd-6', 'the image has no dracut') ?? '';
  for (const part of [
    '/boot/initrd-6',
    'the image has no dracut',
    'pre-rootfs',
    'initramfs never run',
    'reconcile run',
  ]) {
    expect(words).toContain(part);
  }
});

test('nothing is said of an initramfs that has ours', () => {
  expect(describeInitramfs('holdfast', '/boot/initrd-6', 'x')).toBeUndefined();
});
