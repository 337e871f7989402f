import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type TarEntry, TarReader } from '../../../src/image/tarreader.ts';
import { temporaryDirectory } from './fixture.ts';
import {
  dir,
  file,
  hardlink,
  header,
  type Member,
  member,
  padded,
  paxRecord,
  symlink,
  tarball,
  withChecksum,
} from './tarball.ts';

/** Everything a stream holds; content is laid out with its holes. */
function read(tar: Buffer, chunkBytes = tar.length || 1): (TarEntry & { content: Buffer })[] {
  const reader = new TarReader();
  const found: (TarEntry & { content: Buffer })[] = [];
  for (let at = 0; at < tar.length; at += chunkBytes) {
    for (const event of reader.push(tar.subarray(at, at + chunkBytes))) {
      if (event.kind === 'entry')
        found.push({ ...event.entry, content: Buffer.alloc(Math.min(event.entry.sizeBytes, 1 << 24)) });
      if (event.kind === 'data') event.bytes.copy(found.at(-1)?.content ?? Buffer.alloc(0), event.offset);
    }
  }
  reader.finish();
  return found;
}

const EXTENDED = (records: Buffer, flag = 'x') =>
  Buffer.concat([header({ name: 'pax', flag, content: records }), padded(records)]);
const END = Buffer.alloc(1024);

describe('a tar stream', () => {
  test('gives every kind of entry with its attributes', () => {
    const entries = read(
      tarball([
        dir('etc', { mode: 0o1777, uid: 5, gid: 6, mtime: 1_500_000_000 }),
        file('etc/a', 'hello', { mode: 0o4755 }),
        symlink('etc/b', '../a'),
        hardlink('etc/c', 'etc/a'),
        { name: 'null', flag: '3', major: 1, minor: 3 },
        { name: 'sda', flag: '4', major: 8, minor: 0 },
        { name: 'pipe', flag: '6' },
        file('old', 'x', { flag: '7' }),
        { name: 'v7dir/', flag: '\0', magic: '\0\0\0\0\0\0\0\0' },
      ]),
    );
    expect(entries.map(({ type, name }) => `${type} ${name}`)).toEqual([
      'directory etc/',
      'file etc/a',
      'symlink etc/b',
      'hardlink etc/c',
      'character-device null',
      'block-device sda',
      'fifo pipe',
      'file old',
      'directory v7dir/',
    ]);
    expect(entries[0]).toMatchObject({ mode: 0o1777, uid: 5, gid: 6, mtime: 1_500_000_000 });
    expect(entries[1]).toMatchObject({ mode: 0o4755, sizeBytes: 5, content: Buffer.from('hello') });
    expect(entries[2]?.linkName).toBe('../a');
    expect(entries[5]).toMatchObject({ deviceMajor: 8, deviceMinor: 0 });
  });

  test('PAX records win, and attributes stay bytes', () => {
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const [entry] = read(
      tarball([
        file('short', 'x', {
          pax: {
            path: 'caf\xe9/\xff',
            uid: '4294967294',
            gid: '2097152',
            mtime: '1700000000.123456789',
            'SCHILY.xattr.security.capability': capability,
            'SCHILY.xattr.user.odd=name': 'a=b\nc',
            'SCHILY.acl.access': 'user::rw-',
          },
        }),
      ]),
    );
    expect(entry).toMatchObject({
      name: 'caf\xe9/\xff',
      uid: 4294967294,
      gid: 2097152,
      unapplied: ['SCHILY.acl.access'],
    });
    expect(entry?.mtime).toBeCloseTo(1700000000.1234567, 6);
    expect(entry?.xattrs.get('security.capability')).toEqual(capability);
    expect(entry?.xattrs.get('user.odd')).toEqual(Buffer.from('name=a=b\nc'));
  });

  test('GNU long names and prefixes of ustar are put together', () => {
    const long = `${'d/'.repeat(150)}name`;
    const prefixed = header({ name: 'name' });
    prefixed.write('the/prefix', 345, 'latin1');
    const tar = Buffer.concat([
      EXTENDED(Buffer.from(`${long}\0`), 'L'),
      EXTENDED(Buffer.from(`${long}2\0`), 'K'),
      member(symlink('cut', 'cut')),
      withChecksum(prefixed),
      END,
    ]);
    const entries = read(tar);
    expect(entries[0]).toMatchObject({ name: long, linkName: `${long}2` });
    expect(entries[1]?.name).toBe('the/prefix/name');
  });

  test('sizes of what has no content are ignored, as Go and GNU tar do', () => {
    const tar = Buffer.concat([header(hardlink('a', 'b', { size: 512 })), header(dir('c', { size: 99 })), END]);
    expect(read(tar).map(({ name }) => name)).toEqual(['a', 'c/']);
  });

  test('numbers in base 256 are read, above what octal digits can say and below zero', () => {
    const block = header({ name: 'old' });
    block.fill(0xff, 136, 148);
    block.set([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe], 108);
    expect(read(Buffer.concat([withChecksum(block), END]))[0]).toMatchObject({ mtime: -1, uid: 0xfffffffe });
  });

  test('a global header with a comment says nothing', () => {
    const tar = Buffer.concat([EXTENDED(paxRecord('comment', 'a commit'), 'g'), member(file('a')), END]);
    expect(read(tar).map(({ name }) => name)).toEqual(['a']);
  });

  test('what follows the end is ignored, and a missing end mark is forgiven', () => {
    expect(read(Buffer.concat([tarball([file('a')]), Buffer.alloc(5120, 1)]))).toHaveLength(1);
    expect(read(member(file('a', 'content')))).toHaveLength(1);
  });

  test.each([1, 3, 511, 512, 513, 4096])('comes out the same in chunks of %i bytes', (chunkBytes) => {
    const tar = tarball([
      file('a', 'x'.repeat(1000)),
      file('l'.repeat(200), 'y'.repeat(513), { pax: { 'SCHILY.xattr.user.a': 'b' } }),
      symlink('s', 't'),
      file('z', ''),
    ]);
    expect(read(tar, chunkBytes)).toEqual(read(tar));
  });
});

describe('sparse files', () => {
  test.each([
    ['old GNU headers', ['--format=gnu']],
    ['PAX 0.0', ['--format=pax', '--sparse-version=0.0']],
    ['PAX 0.1', ['--format=pax', '--sparse-version=0.1']],
    ['PAX 1.0', ['--format=pax', '--sparse-version=1.0']],
  ])('written as %s keep their holes and content', (_, options) => {
    const directory = temporaryDirectory();
    const fd = openSync(`${directory}/sparse`, 'w');
    const content = Buffer.alloc(60 * 65536);
    // More pieces than one old GNU header holds.
    for (let i = 0; i < 30; i++) {
      const piece = Buffer.alloc(4096, i + 1);
      writeSync(fd, piece, 0, piece.length, i * 2 * 65536);
      piece.copy(content, i * 2 * 65536);
    }
    ftruncateSync(fd, content.length);
    closeSync(fd);
    const tar = execFileSync('tar', ['-C', directory, '--sparse', ...options, '-cf', '-', 'sparse'], {
      maxBuffer: 1 << 26,
    });
    for (const chunkBytes of [tar.length, 700]) {
      const [entry] = read(tar, chunkBytes);
      expect(entry).toMatchObject({ name: 'sparse', sizeBytes: content.length });
      expect(entry?.storedBytes).toBeLessThan(content.length / 4);
      expect(entry?.content.equals(content)).toBe(true);
    }
  });

  const v1 = (map: string, size: string, stored: number): Member =>
    file('a', padded(Buffer.from(map)).toString('latin1') + 'x'.repeat(stored), {
      pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'a', 'GNU.sparse.realsize': size },
    });
  test.each([
    ['overlap', v1('2\n0\n10\n5\n10\n', '100', 20)],
    ['end behind the file', v1('1\n95\n10\n', '100', 10)],
    ['do not fit what is stored', v1('1\n0\n10\n', '100', 11)],
    ['are more than there are', v1('9\n0\n10\n', '100', 10)],
    ['are negative', v1('1\n-1\n10\n', '100', 10)],
    ['are uncountable', v1('99999999999999\n0\n1\n', '100', 1)],
    ['never come', file('a', 'x'.repeat(2000), { pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' } })],
    ['come in halves', file('a', 'xx', { pax: { 'GNU.sparse.map': '0,1,1', 'GNU.sparse.size': '3' } })],
  ])('whose pieces %s are refused', (_, bad) => {
    expect(() => read(tarball([bad]))).toThrow(expect.objectContaining({ code: 'HF-IMAGE' }));
  });
});

describe('a malformed tar stream', () => {
  const broken = (edit: (block: Buffer) => void) => {
    const block = header(file('a'));
    edit(block);
    return Buffer.concat([withChecksum(block), END]);
  };
  const badChecksum = header(file('a'));
  badChecksum.write('b', 0);
  test.each<[string, Buffer, string]>([
    ['a wrong checksum', Buffer.concat([badChecksum, END]), 'wrong checksum'],
    ['text instead of a tar', Buffer.alloc(512, 'hello '), 'wrong checksum'],
    ['a size that is no number', broken((b) => b.write('12x', 124)), 'a size is no number'],
    ['a negative size', broken((b) => b.fill(0xff, 124, 136)), 'a size is negative'],
    ['a size above all files', broken((b) => b.set([0x80, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], 124)), 'out of range'],
    ['a header cut short', tarball([file('a')]).subarray(0, 300), 'ends in the middle'],
    ['content cut short', tarball([file('a', 'x'.repeat(600))]).subarray(0, 1000), 'ends in the middle'],
    ['an extended header for nothing', EXTENDED(paxRecord('path', 'a')), 'ends in the middle'],
    [
      'a block of zeros in the middle',
      Buffer.concat([Buffer.alloc(512), tarball([file('a')])]),
      'single block of zeros',
    ],
    ['a huge extended header', header({ name: 'x', flag: 'x', size: 1 << 30 }), 'too large'],
    [
      'a record without length',
      Buffer.concat([EXTENDED(Buffer.from('path=a\n')), tarball([file('a')])]),
      'without length',
    ],
    [
      'a record that is too long',
      Buffer.concat([EXTENDED(Buffer.from('99 path=a\n')), tarball([file('a')])]),
      'broken record',
    ],
    [
      'a record without line end',
      Buffer.concat([EXTENDED(Buffer.from('9 path=ab')), tarball([file('a')])]),
      'broken record',
    ],
    ['a path with NUL', tarball([file('a', '', { pax: { path: 'a\0b' } })]), 'contains a NUL'],
    ['a size that is text', tarball([file('a', '', { pax: { size: '-1' } })]), 'size is no number'],
    ['a time that is text', tarball([file('a', '', { pax: { mtime: 'now' } })]), 'mtime is no time'],
  ])('%s is refused', (_, tar, message) => {
    expect(() => read(tar)).toThrow(
      expect.objectContaining({ code: 'HF-IMAGE', message: expect.stringContaining(message) }),
    );
  });

  test.each<[string, Buffer]>([
    ['an unknown type', tarball([file('a', '', { flag: 'M' })])],
    ['a global header that renames', Buffer.concat([EXTENDED(paxRecord('path', 'a'), 'g'), tarball([file('a')])])],
  ])('%s is not supported', (_, tar) => {
    expect(() => read(tar)).toThrow(expect.objectContaining({ code: 'HF-UNSUPPORTED' }));
  });

  test('of any bytes at all ends in entries or in a clear refusal', () => {
    const good = tarball([
      dir('a'),
      file('a/b', 'content', { pax: { 'SCHILY.xattr.user.x': 'y' } }),
      symlink('c', 'd'),
    ]);
    const change = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 4 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.boolean(),
        (changes, size, sums) => {
          const tar = Buffer.from(good);
          for (const { at, byte } of changes) tar[at] = byte;
          // With right sums the damage gets past the first check.
          if (sums) for (const { at } of changes) withChecksum(tar.subarray(at - (at % 512), at - (at % 512) + 512));
          try {
            read(tar, size);
          } catch (error) {
            expect(error).toMatchObject({ name: 'HoldfastError', hint: expect.any(String) });
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
