// Which package a path belongs to, from lists of dpkg and apk in a small tree whose /bin is a link.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packagesOf } from '../../../src/ledger/package-owners.ts';
import { Root } from '../../../src/system/root.ts';

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'package-owners-'));
});
afterEach(() => rmSync(tree, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text);
}

async function owners(...paths: string[]): Promise<Record<string, string>> {
  const found = await packagesOf(new Root(tree), new Set(paths));
  return Object.fromEntries([...found].map(([path, { name, version }]) => [path, `${name} ${version}`]));
}

test('dpkg’s lists name files as packages do, through links, with the version of the architecture that is there', async () => {
  write('usr/bin/vim', '');
  symlinkSync('usr/bin', join(tree, 'bin'));
  const paragraph = (fields: Record<string, string>) =>
    Object.entries({ Status: 'install ok installed', ...fields })
      .map(([key, value]) => `${key}: ${value}\n`)
      .join('');
  write(
    'var/lib/dpkg/status',
    [
      paragraph({ Package: 'vim', Version: '2:9.1', Architecture: 'amd64' }),
      paragraph({ Package: 'libc6', Version: '2.36', Architecture: 'amd64', 'Multi-Arch': 'same' }),
      paragraph({ Package: 'gone', Version: '1', Status: 'deinstall ok config-files' }),
    ].join('\n'),
  );
  write('var/lib/dpkg/info/vim.list', '/.\n/bin\n/bin/vim\n/usr\n/usr/share\n');
  write('var/lib/dpkg/info/vim.md5sums', '');
  write('var/lib/dpkg/info/libc6:amd64.list', '/.\n/usr\n/usr/share\n/lib/libc.so.6\n');
  write('var/lib/dpkg/info/gone.list', '/usr/bin/gone\n');
  expect(
    await owners(
      'usr/bin/vim',
      'lib/libc.so.6',
      'usr/share',
      'usr/bin/gone',
      'etc/motd',
      'var/lib/dpkg/info/vim.md5sums',
      'var/lib/dpkg/status',
    ),
  ).toEqual({
    'usr/bin/vim': 'vim 2:9.1',
    'lib/libc.so.6': 'libc6 2.36',
    'var/lib/dpkg/info/vim.md5sums': 'vim 2:9.1',
  });
});

test('apk’s list names files below their directories', async () => {
  write('lib/apk/db/installed', 'P:vim\nV:9.1-r0\nA:x86_64\nF:usr/bin\nR:vim\nF:etc\nR:vimrc\n\n');
  expect(await owners('usr/bin/vim', 'etc/vimrc', 'etc/hosts')).toEqual({
    'usr/bin/vim': 'vim 9.1-r0',
    'etc/vimrc': 'vim 9.1-r0',
  });
});

test('a tree without a package manager has no packages, and names that are no text are nobody’s', async () => {
  expect(await owners('usr/bin/vim', 'etc/\xff')).toEqual({});
});
