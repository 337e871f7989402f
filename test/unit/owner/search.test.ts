// What package managers print when they are asked for packages by a word, as they print it.

import { expect, test } from 'vitest';
import { parseSearch, searchCommand } from '../../../src/owner/search.ts';

test.each([
  [
    'apt',
    'vim - Vi IMproved - enhanced vi editor\nvim-tiny - Vi IMproved - enhanced vi editor - compact version\n',
    [
      { name: 'vim', summary: 'Vi IMproved - enhanced vi editor' },
      { name: 'vim-tiny', summary: 'Vi IMproved - enhanced vi editor - compact version' },
    ],
  ],
  [
    'dnf',
    '======== Name Exactly Matched: htop ========\nhtop.x86_64 : Interactive process viewer\nhtop.src : Interactive process viewer\n======== Summary Matched ========\nbtop.x86_64 : Modern and colorful command line resource monitor\n',
    [
      { name: 'htop', summary: 'Interactive process viewer' },
      { name: 'btop', summary: 'Modern and colorful command line resource monitor' },
    ],
  ],
  [
    'dnf',
    'Matched fields: name (exact)\n htop.x86_64\tInteractive process viewer\n',
    [{ name: 'htop', summary: 'Interactive process viewer' }],
  ],
  [
    'zypper',
    `<?xml version='1.0'?>
<stream>
<search-result version="0.0">
<solvable-list>
<solvable status="not-installed" name="vim" kind="package" edition="9.1.0836-1.1" arch="x86_64" repository="repo-oss"/>
<solvable status="installed" name="g&amp;t" kind="package" edition="1-1" arch="noarch" repository="(System Packages)"/>
<solvable status="not-installed" name="editors" kind="pattern" edition="1-1" arch="noarch" repository="repo-oss"/>
</solvable-list>
</search-result>
</stream>`,
    [
      { name: 'vim', version: '9.1.0836-1.1', summary: '' },
      { name: 'g&t', version: '1-1', summary: '' },
    ],
  ],
  [
    'pacman',
    'extra/vim 9.1.0000-1 [installed]\n    Vi Improved, a highly configurable text editor\n',
    [{ name: 'vim', version: '9.1.0000-1', summary: 'Vi Improved, a highly configurable text editor' }],
  ],
  [
    'apk',
    'vim-9.1.0707-r0 - Improved vi-style text editor\nxxd-9.1.0707-r0\n',
    [
      { name: 'vim', version: '9.1.0707-r0', summary: 'Improved vi-style text editor' },
      { name: 'xxd', version: '9.1.0707-r0', summary: '' },
    ],
  ],
] as const)('%s', (manager, text, expected) => {
  expect(parseSearch(manager, text)).toEqual(expected);
  expect(parseSearch(manager, `nothing of this\n--- is a package\n`)).toEqual([]);
});

test('a word that could be taken for an option of apt is none', () => {
  expect(searchCommand('apt', ['editor'])).toEqual(['apt-cache', 'search', '--', 'editor']);
});
