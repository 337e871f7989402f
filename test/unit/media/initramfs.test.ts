import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cpioFrame } from '../../../src/media/cpio.ts';
import { readInitramfs } from '../../../src/media/initramfs.ts';
import { HoldfastError } from '../../../src/system/errors.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-initramfs-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function archive(files: Record<string, string>): Buffer {
  return Buffer.concat(
    Object.entries(files).flatMap(([path, text]) => {
      const content = Buffer.from(text);
      const { before, after } = cpioFrame({ path, sizeBytes: content.length, timeSeconds: 0 });
      return [before, content, after];
    }),
  );
}

function read(bytes: Buffer) {
  const file = join(directory, 'initrd');
  writeFileSync(file, bytes);
  return readInitramfs(file);
}

const MICROCODE = { 'kernel/x86/microcode/AuthenticAMD.bin': 'x'.repeat(1000) };
const DRACUT = {
  'usr/lib/dracut/modules.txt': 'systemd\ndmsquash-live\nlivenet\n',
  'usr/sbin/holdfast-rootdigest': '#!',
};

test('modules and the comparison are found behind microcode, in a compressed archive', async () => {
  const found = await read(Buffer.concat([archive(MICROCODE), gzipSync(archive(DRACUT))]));
  expect([...found.dracutModules]).toEqual(['systemd', 'dmsquash-live', 'livenet']);
  expect(found.checksRoot).toBe(true);
  expect(found.unpackedBytes).toBe(1000 + 30 + 2);
});

test('an archive that isn’t compressed will do', async () => {
  expect([...(await read(archive(DRACUT))).dracutModules]).toContain('dmsquash-live');
});

test('an initramfs of another maker has no modules', async () => {
  const found = await read(gzipSync(archive({ init: '#!/bin/sh\n' })));
  expect(found).toEqual({ dracutModules: new Set(), checksRoot: false, unpackedBytes: 10 });
});

test('names that only look alike don’t count', async () => {
  const odd = { 'x/usr/lib/dracut/modules.txt': 'livenet', 'usr/sbin/holdfast-rootdigest.old': '' };
  expect(await read(archive(odd))).toMatchObject({ dracutModules: new Set(), checksRoot: false });
});

test.each([
  ['text', Buffer.from('no initramfs')],
  ['compressed twice', gzipSync(gzipSync(archive(DRACUT)))],
  ['no archive inside', gzipSync('no archive')],
])('what is none is refused: %s', async (_, bytes) => {
  await expect(read(bytes)).rejects.toMatchObject({ code: 'HF-IMAGE' });
});

test('whatever the bytes are, it ends, with an initramfs or an error that says so', async () => {
  const whole = Buffer.concat([archive(MICROCODE), archive(DRACUT)]);
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), fc.uint8Array({ minLength: 1, maxLength: 20 }), async (at, noise) => {
      const bytes = Buffer.concat([whole.subarray(0, at), noise, whole.subarray(at)]);
      await read(bytes).catch((error: unknown) => {
        if (error instanceof HoldfastError) return;
        // zlib's own words, when the noise begins like gzip.
        expect(error).toMatchObject({ code: expect.stringMatching(/^Z_/) });
      });
    }),
    { numRuns: 60 },
  );
});
