// What was fetched is kept and read again, never more of it than is known to be on the disk, and never when it is wrong.

import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../../src/image/digest.ts';
import type { BlobOptions } from '../../../src/image/repository.ts';
import { Spool, type SpoolOptions } from '../../../src/image/spool.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import { temporaryDirectory } from './fixture.ts';

const bytes = randomBytes(100_000);
const descriptor = { mediaType: 'x/y', digest: digestOf(bytes), sizeBytes: bytes.length };
const part = () => join(directory, `${hexOf(descriptor.digest)}.part`);
const length = () => join(directory, `${hexOf(descriptor.digest)}.length`);

let directory: string;
let notices: string[];
beforeEach(() => {
  directory = `${temporaryDirectory()}/spool`;
  notices = [];
});

const spool = (options: SpoolOptions = {}) =>
  new Spool(directory, {
    reserveBytes: 0,
    syncBytes: 10_000,
    bootId: 'one',
    notice: (text) => notices.push(text),
    ...options,
  });

/** Gives the bytes in pieces of 1000, up to where it breaks; notes where it began. */
function server(breakAt = bytes.length) {
  const begun: number[] = [];
  return {
    begun,
    async *blob(_: unknown, { from = 0, onBytes }: BlobOptions = {}) {
      begun.push(from);
      for (let at = from; at < bytes.length; at += 1000) {
        if (at >= breakAt) throw new HoldfastError('HF-NETWORK', 'broken');
        const piece = bytes.subarray(at, at + 1000);
        onBytes?.(piece.length);
        yield piece;
      }
    },
  };
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('a fetch that broke off', () => {
  test('goes on where it was, and is not asked for again when it is complete', async () => {
    const broken = server(37_000);
    await expect(readAll(spool().read(broken, descriptor))).rejects.toThrow('broken');
    expect(spool().kept(descriptor)).toBe(37_000);

    const whole = server();
    let counted = 0;
    const again = spool().read(whole, descriptor, { onBytes: (count) => (counted += count) });
    expect(await readAll(again)).toEqual(bytes);
    expect(whole.begun).toEqual([37_000]);
    expect(counted).toBe(bytes.length);
    expect(notices).toEqual([
      expect.stringMatching(/^layer sha256:[0-9a-f]{12}: 37000 of 100000 bytes are here already$/),
    ]);

    const unused = server();
    expect(await readAll(spool().read(unused, descriptor))).toEqual(bytes);
    expect(unused.begun).toEqual([]);
  });

  test('after a power cut counts as far as it was made safe', async () => {
    await expect(readAll(spool().read(server(37_000), descriptor))).rejects.toThrow('broken');
    writeFileSync(length(), '               30000 one\n');
    // What came after that may be anything.
    writeFileSync(part(), Buffer.concat([bytes.subarray(0, 30_000), Buffer.alloc(20_000)]));
    const whole = server();
    expect(await readAll(spool({ bootId: 'two' }).read(whole, descriptor))).toEqual(bytes);
    expect(whole.begun).toEqual([30_000]);
    expect(readFileSync(part())).toEqual(bytes);
  });

  test.each<[string, () => void]>([
    ['without the note', () => writeFileSync(length(), '')],
    ['with a note that is none', () => writeFileSync(length(), 'many\n')],
    ['that lost a part of what was safe', () => truncateSync(part(), 36_999)],
    ['with more than there is', () => writeFileSync(part(), Buffer.alloc(100_001))],
    ['with a negative note', () => writeFileSync(length(), '-1 one\n')],
  ])('%s begins anew', async (_, damage) => {
    await expect(readAll(spool().read(server(37_000), descriptor))).rejects.toThrow('broken');
    damage();
    const whole = server();
    expect(await readAll(spool().read(whole, descriptor))).toEqual(bytes);
    expect(whole.begun).toEqual([0]);
  });

  test('by the end of its process counts as far as it was written', async () => {
    await expect(readAll(spool().read(server(37_000), descriptor))).rejects.toThrow('broken');
    // As a killed process leaves it: more is written than is safe.
    writeFileSync(length(), '               20000 one\n');
    expect(spool().kept(descriptor)).toBe(37_000);
    expect(spool({ bootId: 'two' }).kept(descriptor)).toBe(20_000);
    writeFileSync(length(), '               20000 -\n');
    expect(spool({ bootId: '-' }).kept(descriptor)).toBe(20_000);
  });

  test('a reader that stops leaves what came', async () => {
    let seen = 0;
    for await (const piece of spool().read(server(), descriptor)) {
      seen += piece.length;
      if (seen === 12_000) break;
    }
    expect(spool().kept(descriptor)).toBe(12_000);
  });

  test('is made safe while it comes', async () => {
    let seen = 0;
    let noted = 0;
    for await (const piece of spool().read(server(), descriptor)) {
      seen += piece.length;
      // The second step of 10 000 has waited for the first.
      if (seen < 30_000) continue;
      noted = Number.parseInt(readFileSync(length(), 'utf8'), 10);
      break;
    }
    expect(noted).toBeGreaterThanOrEqual(10_000);
    expect(noted).toBeLessThan(30_000);
  });
});

describe('what is kept', () => {
  test('is forgotten when it is wrong, not wanted any more, or no longer needed', async () => {
    const other = { ...descriptor, digest: digestOf('other') };
    await readAll(spool().read(server(), descriptor));
    await readAll(spool().read(server(), other));
    const chunks = [digestOf('this image'), digestOf('another one')].map((digest) => `${hexOf(digest)}.chunks`);
    for (const name of ['note', ...chunks]) writeFileSync(join(directory, name), 'of somebody else');
    spool().prune([{ digest: digestOf('this image') }, descriptor]);
    expect(readdirSync(directory).sort()).toEqual(
      [`${hexOf(descriptor.digest)}.length`, `${hexOf(descriptor.digest)}.part`, 'note', ...chunks.slice(0, 1)].sort(),
    );
    for (const name of chunks) rmSync(join(directory, name), { force: true });
    spool().discard(descriptor.digest);
    expect(spool().kept(descriptor)).toBe(0);
    expect(readdirSync(directory)).toEqual(['note']);
    spool().remove();
    expect(existsSync(directory)).toBe(false);
    spool().prune([]);
  });

  test('is for its owner alone', async () => {
    await readAll(spool().read(server(), descriptor));
    expect([directory, part()].map((path) => readMode(path))).toEqual([0o700, 0o600]);
  });

  test.each<[string, SpoolOptions, () => void, string]>([
    ['without room', { reserveBytes: 2 ** 60 }, () => {}, 'there is not enough room beside it'],
    [
      'in a directory that others may write to',
      {},
      () => {
        mkdirSync(directory);
        chmodSync(directory, 0o777);
      },
      'belongs to somebody else',
    ],
    [
      'behind a link',
      {},
      () => {
        mkdirSync(`${directory}.real`);
        symlinkSync(`${directory}.real`, directory);
      },
      'belongs to somebody else',
    ],
    ['where a file is', {}, () => writeFileSync(directory, ''), 'EEXIST'],
  ])('is nothing %s; that is said once, and the bytes pass', async (_, options, prepare, reason) => {
    prepare();
    const one = spool(options);
    expect(await readAll(one.read(server(), descriptor))).toEqual(bytes);
    expect(await readAll(one.read(server(), descriptor))).toEqual(bytes);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain(`is not kept in ${directory} for a continuation: `);
    expect(notices[0]).toContain(reason);
  });
});

test('a part in the middle is not kept', async () => {
  expect(await readAll(spool().read(server(), descriptor, { from: 50_000 }))).toEqual(bytes.subarray(50_000));
  expect(existsSync(directory)).toBe(false);
});

const readMode = (path: string) => statSync(path).mode & 0o777;
