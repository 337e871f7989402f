import { describe, expect, test } from 'vitest';
import { comparePackages, isPackageList, isRpmDatabase, parsePackages } from '../../../src/image/packages.ts';

const DPKG = `Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b7
Description: GNU Bourne Again SHell
 Package: not-a-package

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Version: 1

Package: broken
Status: install ok installed
`;

const APK = `C:Q1x
P:musl
V:1.2.4-r2
A:x86_64

P:busybox
V:1.36.1-r5
`;

test.each<[string, string, string, [string, string][]]>([
  [
    'what dpkg has installed',
    'var/lib/dpkg/status',
    DPKG,
    [
      ['bash', '5.2.15-2+b7'],
      ['libc6:amd64', '2.36-9'],
    ],
  ],
  [
    'a package of an image without dpkg',
    'var/lib/dpkg/status.d/base',
    'Package: base-files\nVersion: 12\n',
    [['base-files', '12']],
  ],
  [
    'what apk has installed',
    'lib/apk/db/installed',
    APK,
    [
      ['musl', '1.2.4-r2'],
      ['busybox', '1.36.1-r5'],
    ],
  ],
  ['nothing in an empty list', 'var/lib/dpkg/status', '', []],
  ['nothing in something else', 'var/lib/dpkg/status', 'garbage \0 without order', []],
])('%s is read', (_, path, text, expected) => {
  expect(isPackageList(path)).toBe(true);
  expect([...parsePackages(path, text)]).toEqual(expected);
});

test('other files are no lists', () => {
  const paths = ['var/lib/dpkg/status-old', 'var/lib/dpkg/status.d/base.md5sums', 'x/lib/apk/db/installed', ''];
  expect(paths.filter(isPackageList)).toEqual([]);
  expect(isRpmDatabase('usr/lib/sysimage/rpm/rpmdb.sqlite')).toBe(true);
  expect(isRpmDatabase('var/lib/rpm')).toBe(false);
});

describe('two sets of packages', () => {
  test('differ by what came, went and has another version', () => {
    const before = new Map([
      ['same', '1'],
      ['up', '1'],
      ['z-gone', '1'],
      ['gone', '1'],
    ]);
    const after = new Map([
      ['new', '3'],
      ['up', '2'],
      ['same', '1'],
    ]);
    expect(comparePackages(before, after)).toEqual({
      added: [{ name: 'new', version: '3' }],
      removed: [
        { name: 'gone', version: '1' },
        { name: 'z-gone', version: '1' },
      ],
      changed: [{ name: 'up', from: '1', to: '2' }],
    });
  });
});
