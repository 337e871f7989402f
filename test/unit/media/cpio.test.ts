import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteSource } from '../../../src/media/byte-source.ts';
import { cpioFrame, readCpio } from '../../../src/media/cpio.ts';
import { HoldfastError } from '../../../src/system/errors.ts';

/** A stream of pieces of at most so many bytes. */
async function* pieces(bytes: Buffer, most = 7): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += most) yield bytes.subarray(at, at + most);
}

function archive(path: string, content: Buffer): Buffer {
  const { before, after } = cpioFrame({ path, sizeBytes: content.length, timeSeconds: 1_700_000_000 });
  return Buffer.concat([before, content, after]);
}

async function contents(bytes: Buffer): Promise<[string, string][]> {
  const found: [string, string][] = [];
  const source = new ByteSource(pieces(bytes));
  while ((await source.peekBehindZeros(6)).length > 0) {
    await readCpio(source, async ({ path, sizeBytes }, read) => {
      if (sizeBytes > 0) found.push([path, (await read()).toString('hex')]);
    });
  }
  return found;
}

test('the same file makes the same archive, to the byte', () => {
  const bytes = archive('rootfs.img', Buffer.from('root'));
  expect(bytes.length % 512).toBe(0);
  expect(bytes.toString('latin1').replace(/\0+$/, '').replaceAll('\0', '·')).toBe(
    `070701${'00000001'}${'00008124'}${'00000000'.repeat(2)}${'00000001'}${'6553F100'}${'00000004'}` +
      `${'00000000'.repeat(4)}${'0000000B'}${'00000000'}rootfs.img····root` +
      `070701${'00000000'.repeat(4)}${'00000001'}${'00000000'.repeat(6)}${'0000000B'}${'00000000'}TRAILER!!!`,
  );
});

test('what is written is read, one archive after the other, whatever the lengths', async () => {
  const name = fc.stringMatching(/^[a-z][a-z/.]{0,40}$/);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, fc.uint8Array({ minLength: 1 })), { maxLength: 5 }), async (files) => {
      const bytes = Buffer.concat(files.map(([path, content]) => archive(path, Buffer.from(content))));
      expect(await contents(bytes)).toEqual(
        files.map(([path, content]) => [path, Buffer.from(content).toString('hex')]),
      );
    }),
  );
});

test('cpio(1) reads it too', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-cpio-'));
  try {
    const file = join(directory, 'archive');
    writeFileSync(file, archive('rootfs.img', Buffer.alloc(1234, 'x')));
    // Python's tarfile and others don't know the format; where cpio isn't there, the boots of test/vm say it.
    const listed = spawnSync('cpio', ['--list', '--verbose', '--quiet', '--numeric-uid-gid', '--file', file], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC0' },
    });
    if (listed.error === undefined)
      expect(listed.stdout).toMatch(/^-r--r--r-- {3}1 0 +0 +1234 Nov 14 {2}2023 rootfs\.img\n$/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a damaged archive is said to be one, and nothing else comes of it', async () => {
  const whole = archive('some/file', Buffer.from('content'));
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const bytes = Buffer.from(whole);
      bytes.writeUInt8(bytes.readUInt8(at) ^ change, at);
      await contents(bytes).catch((error: unknown) => {
        expect(error).toBeInstanceOf(HoldfastError);
        expect(error).toMatchObject({ code: 'HF-IMAGE' });
      });
    }),
  );
});

test.each([0, 1, 50, 110, 115, 130, 200])('an archive that ends after %i bytes is damaged', async (length) => {
  const bytes = archive('some/file', Buffer.from('content')).subarray(0, length);
  await expect(readCpio(new ByteSource(pieces(bytes)), async () => {})).rejects.toMatchObject({ code: 'HF-IMAGE' });
});

test('a size that is a lie takes no memory', async () => {
  const bytes = archive('file', Buffer.from('content'));
  bytes.write('ffffffff', 6 + 6 * 8);
  const read = readCpio(new ByteSource(pieces(bytes)), async (_, content) => void (await content()));
  await expect(read).rejects.toMatchObject({ code: 'HF-IMAGE' });
});

test('what the format can’t describe is refused', () => {
  expect(() => cpioFrame({ path: 'x', sizeBytes: 2 ** 32, timeSeconds: 0 })).toThrow(/4 GiB/);
  expect(() => cpioFrame({ path: 'x', sizeBytes: 2 ** 32 - 1, timeSeconds: 0 })).not.toThrow();
});
