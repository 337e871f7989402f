// What programs print about files, and the lists that a rebase keeps: whatever they say, they are read as bytes, and nothing
// that nobody wrote is believed.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDump, parseFlags } from '../../../../src/overlay/rebase/attributes.ts';
import { parseRanges } from '../../../../src/overlay/rebase/content.ts';
import { jsonOfObject, objectOfJson } from '../../../../src/overlay/rebase/object-json.ts';
import { pathOfText, textOfPath } from '../../../../src/overlay/rebase/path-text.ts';
import { parseSeen } from '../../../../src/overlay/rebase/seen-index.ts';
import { deviceNumbers } from '../../../../src/overlay/rebase/tree-object.ts';
import { comparePaths } from '../../../../src/overlay/rebase/tree-order.ts';
import { show } from '../../../../src/overlay/rebase/walk.ts';
import { anObject } from './objects.ts';

describe('getfattr’s output', () => {
  it('is read with escaped names; labels and what nobody may set are left out', () => {
    const text = [
      '# file: ./etc/a\\012b\\134',
      'security.capability=0x0100',
      'security.selinux=0x41',
      'trusted.overlay.opaque=0x79',
      'system.posix_acl_access=0x02',
      'user.empty=0x',
      '',
      '# file: .',
      'user.root=0x01',
      '',
    ].join('\n');
    const found = parseDump(text);
    expect([...found.keys()]).toEqual(['etc/a\nb\\', '']);
    expect([...(found.get('etc/a\nb\\') ?? [])].map(([name, value]) => `${name} ${value.toString('hex')}`)).toEqual([
      'security.capability 0100',
      'system.posix_acl_access 02',
      'user.empty ',
    ]);
  });
});

describe('lsattr’s output', () => {
  it('is read against the names that were asked for, whatever they look like', () => {
    const odd = 'a\n----i----------------- ./b';
    const paths = ['x', odd, 'unsupported', 'b', 'c'];
    const text = `----i---------e------- ./x\n--------------e------- ./${odd}\n-----a--------e------- ./b\n----ia--------e------- ./c\n`;
    expect([...parseFlags(text, paths)]).toEqual([
      ['x', 'i'],
      ['b', 'a'],
      ['c', 'ia'],
    ]);
  });

  it('never gives flags to a name that nothing was said about', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        expect(parseFlags(text, ['only/this'])).toEqual(new Map());
      }),
    );
  });
});

describe('filefrag’s output', () => {
  const header =
    'File size of x is 10000000 (2442 blocks of 4096 bytes)\n ext:     logical_offset:        physical_offset: length:\n';
  it.each([
    ['whole blocks', '   0:        0..    8191:      0..   8191:   8192:  last\n', [{ from: 0, to: 8192 }]],
    ['smaller blocks', '   0:     1024..    2047:      0..   1023:   1024:\n', [{ from: 0, to: 4096 }]],
    [
      'several',
      '   0:        0..    4095:   0.. 4095: 4096:\n   1:  1048576.. 1052671:  9.. 9: 4096: unwritten\n',
      [
        { from: 0, to: 4096 },
        { from: 1048576, to: 1052672 },
      ],
    ],
    ['the end', '   0:  9998336..10002431:  0.. 0: 4096: last,eof\n', [{ from: 9998336, to: 10000000 }]],
    ['nothing', '', []],
  ])('is read: %s', (_, lines, ranges) => {
    expect(parseRanges(header + lines, 10_000_000)).toEqual(ranges);
  });

  it.each(['', 'x: FIBMAP unsupported\n', `${header} 0: 8192.. 9000: 0: 1:\n 1: 0.. 100: 0: 1:\n`])(
    'says nothing that could be relied on: %.20j',
    (text) => {
      expect(parseRanges(text, 10_000_000)).toBeUndefined();
    },
  );
});

describe('the index of what was seen', () => {
  const text = (body: string) => Buffer.from(`holdfast seen 1\n${body}`, 'latin1');

  it('has names of any bytes', () => {
    const seen = parseSeen('f', text('12:-5 \xff a\nb\x0013:99 \x00'));
    expect([...seen]).toEqual([
      ['\xff a\nb', '12:-5'],
      ['', '13:99'],
    ]);
    expect(parseSeen('f', text('')).size).toBe(0);
  });

  it.each([text('12:5 a'), text('12 a\0'), text('x:5 a\0'), text('12:5\0'), Buffer.from('12:5 a\0'), Buffer.alloc(0)])(
    'is refused when somebody else wrote it: %j',
    (content) => {
      expect(() => parseSeen('/seen', content)).toThrow('/seen does not say what the view was');
    },
  );
});

describe('JSON', () => {
  it('keeps paths of any bytes, and no others', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(bytes, (array) => {
        const path = Buffer.from(array).toString('latin1').replaceAll('\0', 'x');
        if (path.split('/').some((part) => part === '.' || part === '..')) return;
        expect(pathOfText(JSON.parse(JSON.stringify(textOfPath(path))))).toBe(path);
      }),
    );
    for (const path of ['etc', '/../etc', '/a/./b', '/a\0', 5, undefined]) expect(pathOfText({ path })).toBeUndefined();
    expect(pathOfText({ path: '/x', pathBytes: Buffer.from('a/../b').toString('hex') })).toBeUndefined();
  });

  it('keeps objects whole', () => {
    const object = anObject({
      type: 'file',
      mode: 0o4755,
      mtimeNs: 1_600_000_000_123_456_789n,
      sizeBytes: 5,
      storedBytes: 5,
      xattrs: new Map([['user.a', Buffer.from([0, 255])]]),
      flags: 'ia',
      digest: 'sha256:00',
    });
    expect(objectOfJson(JSON.parse(JSON.stringify(jsonOfObject(object))))).toEqual({
      ...object,
      ctimeNs: 0n,
      inode: 0n,
    });
    const link = anObject({ type: 'symlink', mode: 0o777, linkTarget: '../\xff' });
    expect(objectOfJson(JSON.parse(JSON.stringify(jsonOfObject(link))))).toMatchObject({ linkTarget: '../\xff' });
  });

  it.each([
    { type: 'socket' },
    { mode: 'rwx' },
    { mode: '00755' },
    { uid: -1 },
    { gid: '0' },
    { mtimeNs: 'yesterday' },
    { mtimeNs: 5 },
    { sizeBytes: 1.5 },
    { linkTarget: 'xyz' },
    { xattrs: { 'user.a': 'zz' } },
    { xattrs: [] },
    { flags: 'x' },
    { device: '' },
  ])('that says %j is no object', (wrong) => {
    expect(objectOfJson({ ...jsonOfObject(anObject({})), ...wrong })).toBeUndefined();
  });
});

describe('paths', () => {
  it('are ordered so that what is in a directory follows it', () => {
    const paths = ['a/b', 'a', 'a.b', 'a/b/c', '', 'b', 'a\x01', 'a/b\xff'];
    expect(paths.toSorted(comparePaths)).toEqual(['', 'a', 'a/b', 'a/b/c', 'a/b\xff', 'a\x01', 'a.b', 'b']);
  });

  it('are shown without anything that moves a cursor or turns text around', () => {
    const bytes = Buffer.from('etc/a\n\x1b[2J\u202eb é', 'utf8').toString('latin1');
    expect(show(bytes)).toBe('/etc/a\\u000a\\u001b[2J\\u202eb é');
  });
});

it.each([
  // makedev of glibc: 5:1, 8:300, 259:70000.
  [0x501n, 5, 1],
  [0x10082cn, 8, 300],
  [0x1111_0370n, 259, 70000],
])('device %s is %s:%s', (device, major, minor) => {
  expect(deviceNumbers(device)).toEqual({ major, minor });
});
