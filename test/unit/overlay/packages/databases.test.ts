// What package managers print and keep, parsed: good lines, lines that mean something else, and texts that mean nothing.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseApkFiles, parseApkList } from '../../../../src/overlay/packages/apk-database.ts';
import { simulated } from '../../../../src/overlay/packages/apt.ts';
import { archivedName, parseFileName } from '../../../../src/overlay/packages/archive-names.ts';
import { isPackageRecord } from '../../../../src/overlay/packages/databases.ts';
import {
  dpkgEntries,
  parseConffiles,
  parseDpkgFiles,
  parseDpkgList,
  parseExtendedStates,
  parseMd5sums,
} from '../../../../src/overlay/packages/dpkg-database.ts';
import { parseRpmFiles, parseRpmList } from '../../../../src/overlay/packages/rpm-database.ts';

const MD5 = '0cc175b9c0f1b6a831c399e269772661';

describe('dpkg', () => {
  it.each([
    ['vim\tamd64\t2:9.0\tii ', { state: 'installed', held: false }],
    ['vim\tamd64\t2:9.0\thi ', { state: 'installed', held: true }],
    ['vim\tamd64\t2:9.0\tiW ', { state: 'installed', held: false }],
    ['vim\tamd64\t2:9.0\tit ', { state: 'installed', held: false }],
    ['vim\tamd64\t2:9.0\trc ', { state: 'config-files', held: false }],
    ['vim\tamd64\t2:9.0\tiU ', { state: 'half', held: false }],
    ['vim\tamd64\t2:9.0\tiFR', { state: 'half', held: false }],
    ['vim\tamd64\t\tun ', undefined],
    ['--option\tamd64\t1\tii ', undefined],
  ])('%j', (line, expected) => {
    const entries = parseDpkgList(`${line}\n`);
    expect(entries).toEqual(expected ? [{ name: 'vim', architecture: 'amd64', version: '2:9.0', ...expected }] : []);
  });

  it('files under the names that they have, where they are diverted', () => {
    const text =
      '/.\n/bin\n/bin/sh\ndiverted by dash to: /bin/sh.distrib\n/usr/a b\nlocally diverted to: /usr/c\n/bin/x\npackage diverts others to: /bin/x.distrib\n/.hidden\n';
    expect(parseDpkgFiles(text)).toEqual(['/bin', '/bin/sh.distrib', '/usr/c', '/bin/x', '/.hidden']);
  });

  it('digests of files and of configuration', () => {
    const sums = parseMd5sums(`${MD5}  usr/bin/a b\n${MD5}  ./usr/c\nnot a line\n`);
    expect([...sums.keys()]).toEqual(['/usr/bin/a b', '/usr/c']);
    const conffiles = parseConffiles(
      `\n /etc/a b ${MD5}\n /etc/old ${MD5} obsolete\n /etc/new newconffile\n/etc/none ${MD5}\n`,
    );
    expect([...conffiles]).toEqual([
      ['/etc/a b', MD5],
      ['/etc/old', MD5],
      ['/etc/new', undefined],
    ]);
    expect(dpkgEntries(['/usr/c', '/etc/old', '/etc/new', '/usr/dir'], sums, conffiles)).toEqual([
      { path: '/usr/c', isConfig: false, digest: { algorithm: 'md5', hex: MD5 } },
      { path: '/etc/old', isConfig: true, digest: { algorithm: 'md5', hex: MD5 } },
      { path: '/etc/new', isConfig: true },
      { path: '/usr/dir', isConfig: false },
    ]);
  });

  it('which packages came as a dependency', () => {
    const text =
      'Package: lib\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: tool\nArchitecture: amd64\nAuto-Installed: 0\n';
    expect([...parseExtendedStates(text)]).toEqual(['lib', 'lib:amd64']);
  });

  it('what apt says that it would do', () => {
    const stdout = [
      'Inst vim (2:9.0-1 Debian:12/stable [amd64])',
      'Inst libc6 [2.36-8] (2.36-9 Debian:12/stable [amd64]) [libc6:i386 ]',
      'Inst lab:i386 (1.0 local-deb [i386])',
      'Conf vim (2:9.0-1 Debian:12/stable [amd64])',
      'Remv nano [7.2-1]',
      'Purg joe [4.6]',
    ].join('\n');
    const { installed, removed, alongside } = simulated({ stdout });
    expect(installed.map(({ spec, before, version }) => `${spec} ${before} ${version}`)).toEqual([
      'vim:amd64 undefined 2:9.0-1',
      'libc6:amd64 2.36-8 2.36-9',
      'lab:i386 undefined 1.0',
    ]);
    expect(removed).toEqual(['nano', 'joe']);
    expect(alongside(new Map([['vim:amd64', '2:9.0-1']]))).toEqual(['libc6:amd64 2.36-8 -> 2.36-9', 'lab:i386 1.0']);
  });
});

describe('rpm', () => {
  it('packages, without the keys of repositories', () => {
    const text = 'bash\t0:5.2-1.fc38\tx86_64\ngpg-pubkey\t0:1-2\t(none)\nvim\t2:9.0-1\tx86_64\n\n';
    expect(parseRpmList(text, new Set(['vim']))).toEqual([
      { name: 'bash', architecture: 'x86_64', version: '5.2-1.fc38', automatic: false, held: false },
      { name: 'vim', architecture: 'x86_64', version: '2:9.0-1', automatic: true, held: false },
    ]);
  });

  it('files that are there, with the digest of their algorithm', () => {
    const text = [
      '@8',
      '33188\t17\tabcd\t0\t/etc/a.conf',
      '33188\t64\t\t0\t/var/ghost',
      '33188\t0\tef\t2\t/left/out',
      '16877\t0\t\t0\t/usr/dir',
    ];
    expect(parseRpmFiles(text.join('\n'))).toEqual([
      { path: '/etc/a.conf', isConfig: true, digest: { algorithm: 'sha256', hex: 'abcd' } },
      { path: '/usr/dir', isConfig: false },
    ]);
    expect(parseRpmFiles('@(none)\n33188\t0\tabcd\t0\t/a')[0]?.digest?.algorithm).toBe('md5');
  });
});

describe('apk', () => {
  const text =
    'C:Q1x\nP:vim\nV:9.0-r1\nA:x86_64\nF:etc\nR:vimrc\nZ:Q1hvfkN/qlp/zhXR3cuerq6jd2Z7g=\nF:usr/bin\nM:0:0:755\nR:vim\n\nP:musl\nV:1.2-r0\nA:x86_64\n';

  it('packages, and which of them were asked for', () => {
    expect(
      parseApkList(text, new Set(['vim'])).map(({ name, version, automatic }) => [name, version, automatic]),
    ).toEqual([
      ['vim', '9.0-r1', false],
      ['musl', '1.2-r0', true],
    ]);
  });

  it('files and directories', () => {
    expect(parseApkFiles(text, new Set(['vim', 'absent'])).get('vim')).toEqual([
      { path: '/etc', isConfig: false },
      {
        path: '/etc/vimrc',
        isConfig: true,
        digest: { algorithm: 'sha1', hex: '86f7e437faa5a7fce15d1ddcb9eaeaea377667b8' },
      },
      { path: '/usr/bin', isConfig: false },
      { path: '/usr/bin/vim', isConfig: false },
    ]);
  });
});

describe('names of package files', () => {
  it.each([
    ['vim_2%3a9.0.1378-2+deb12u2_amd64.deb', { name: 'vim', version: '2:9.0.1378-2+deb12u2', architecture: 'amd64' }],
    [`a_1.0_all_${'f'.repeat(64)}.deb`, { name: 'a', version: '1.0', architecture: 'all', sha256: 'f'.repeat(64) }],
    ['vim-enhanced-9.0-1.fc38.x86_64.rpm', { name: 'vim-enhanced', version: '9.0-1.fc38', architecture: 'x86_64' }],
    ['vim-9.0.999-r1.0a1b2c3d.apk', { name: 'vim', version: '9.0.999-r1', architecture: '' }],
    ['python3-foo_bar-1.0-1.x86_64.rpm', { name: 'python3-foo_bar', version: '1.0-1', architecture: 'x86_64' }],
    ['partial', undefined],
    ['.vim_1_all.deb.12.tmp', undefined],
  ])('%s', (file, expected) => {
    expect(parseFileName(file)).toEqual(expected);
  });

  it('a name that is made is read back', () => {
    const word = (extra: string) =>
      fc.string({ unit: fc.constantFrom(...`abc019${extra}`), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        word('+_-'),
        word('+.-~:_'),
        fc.constantFrom('amd64', 'all', 'x86_64'),
        (name, version, architecture) => {
          const file = { name, version, architecture };
          expect(parseFileName(archivedName(file, 'a'.repeat(64), 'deb'))).toEqual({ ...file, sha256: 'a'.repeat(64) });
        },
      ),
    );
  });
});

it.each([
  ['/var/lib/dpkg/status', true],
  ['/var/lib/dpkg/info/vim.list', true],
  ['/var/lib/dpkg/alternatives/editor', false],
  ['/var/lib/dpkg/statoverride', false],
  ['/var/lib/apt/extended_states', true],
  ['/usr/lib/sysimage/rpm', true],
  ['/etc/apk/world', true],
  ['/etc/apk/repositories', false],
  ['/var/lib/rpmfoo', false],
])('%s is the record of a package manager: %s', (path, is) => {
  expect(isPackageRecord(path)).toBe(is);
});

it('any text is parsed to something, and names are never options', () => {
  const text = fc.string({ unit: fc.constantFrom(...'\t\n @/:.-aZ01FRPV_') });
  fc.assert(
    fc.property(text, (noise) => {
      for (const { name } of parseDpkgList(noise)) expect(name.startsWith('-')).toBe(false);
      for (const { path } of parseRpmFiles(noise)) expect(path.startsWith('/')).toBe(true);
      for (const path of parseDpkgFiles(noise)) expect(path.startsWith('/')).toBe(true);
      for (const { name } of parseApkList(noise, new Set())) expect(name).not.toBe('');
      expect(() => [
        parseMd5sums(noise),
        parseConffiles(noise),
        parseExtendedStates(noise),
        simulated({ stdout: noise }),
      ]).not.toThrow();
    }),
  );
});
