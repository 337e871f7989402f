// Why a package doesn't fit, from what package managers print: apt 2.6, dnf 4.14, zypper 1.14 and rpm 4.18 as recorded, apt 3,
// dnf 5 and apk 2 in the forms of their documentation and reports.

import { expect, test } from 'vitest';
import { type ConflictLink, chainLines, describeConflict } from '../../../src/owner/conflict.ts';
import { missingForApk, parseApkConflict } from '../../../src/owner/conflicts/apk.ts';
import { isConflictForApt, isUnavailableForApt, parseAptConflict } from '../../../src/owner/conflicts/apt.ts';
import { aptChain, parseAptPolicy } from '../../../src/owner/conflicts/apt-chain.ts';
import {
  chainFrom,
  parseDnfConflict,
  parseRpmConflict,
  parseZypperConflict,
} from '../../../src/owner/conflicts/rpm.ts';
import { judgeApk } from '../../../src/owner/installers/apk.ts';
import { judgeDnf } from '../../../src/owner/installers/dnf.ts';
import { judgeZypper } from '../../../src/owner/installers/zypper.ts';
import type { RunResult } from '../../../src/system/process.ts';

const told = (request: string, chain: readonly ConflictLink[]) => describeConflict({ request, chain, outputTail: '' });

const APT = (lines: string) => `Reading package lists...
Building dependency tree...
Some packages could not be installed. This may mean that you have
requested an impossible situation or if you are using the unstable
distribution that some required packages have not yet been created
or been moved out of Incoming.
The following information may help to resolve the situation:

The following packages have unmet dependencies:
${lines}
E: Unable to correct problems, you have held broken packages.
`;

const APT_3 = `Solving dependencies...
Some packages could not be installed. This may mean that you have requested an impossible situation.
The following information from --solver 3.0 may provide additional context:
   Unable to satisfy dependencies. Reached two conflicting assignments:
   1. vim:amd64=2:9.1 is selected for install
   2. vim:amd64 Depends libgpm2 (>= 1.20.7)
      but none of the choices are installable:
      [no choices]
`;

test.each([
  [
    'one line',
    APT(' vim : Depends: libgpm2 (>= 1.20.7) but 1.19.6-2 is to be installed'),
    [
      {
        name: 'vim',
        relation: 'needs',
        wants: 'libgpm2 (>= 1.20.7)',
        found: 'other-version',
        foundVersion: '1.19.6-2',
      },
    ],
  ],
  [
    'several packages and relations',
    APT(
      ' vim : Depends: vim-runtime (= 2:9.1) but it is not installable\n       Depends: libgpm2 but it is not going to be installed\n nano:i386 : Conflicts: vim',
    ),
    [
      { name: 'vim', relation: 'needs', wants: 'vim-runtime (= 2:9.1)', found: 'nothing' },
      { name: 'vim', relation: 'needs', wants: 'libgpm2', found: 'unknown', next: 'libgpm2' },
      { name: 'nano', relation: 'conflicts with', wants: 'vim', found: 'unknown' },
    ],
  ],
  ['apt 3', APT_3, [{ name: 'vim', relation: 'needs', wants: 'libgpm2 (>= 1.20.7)', found: 'nothing' }]],
  ['something else', 'E: Could not get lock /var/lib/dpkg/lock-frontend\n', []],
] as const)('apt: %s', (_, text, links) => {
  expect(parseAptConflict(text)).toEqual(links);
  expect(isConflictForApt(text)).toBe(links.length > 0);
});

test.each([
  ['E: Unable to locate package vim\n', true],
  ["E: Version '9' for 'vim' was not found\n", true],
  ["E: Package 'vim' has no installation candidate\n", true],
  [
    'E: Failed to fetch http://127.0.0.1/vim.deb  Could not connect to 127.0.0.1:80\nE: Unable to fetch some archives, maybe run apt-get update?\n',
    true,
  ],
  ['E: Sub-process /usr/bin/dpkg returned an error code (1)\n', false],
])('apt: %s is about what can be had: %s', (text, expected) => {
  expect(isUnavailableForApt(text)).toBe(expected);
});

const POLICY = (name: string, installed: string, candidate: string) =>
  `${name}:\n  Installed: ${installed}\n  Candidate: ${candidate}\n  Version table:\n     ${candidate} 500\n        500 http://127.0.0.1 ./ Packages\n`;

test('apt is asked on until there is a reason', async () => {
  const asked: string[][] = [];
  const chain = await aptChain(
    'vim=2:9.1',
    parseAptConflict(APT(' vim : Depends: vim-runtime (= 2:9.1) but it is not going to be installed')),
    {
      tryOut: async (names) => {
        asked.push([...names]);
        return parseAptConflict(APT(' vim-runtime : Depends: libgpm2 (>= 1.20.7) but 1.19.6-2 is to be installed'));
      },
      policy: async () =>
        POLICY('vim', '(none)', '2:9.1') +
        POLICY('vim-runtime', '(none)', '2:9.1') +
        POLICY('libgpm2', '1.19.6-2', '1.19.6-2'),
    },
  );
  expect(asked).toEqual([['vim=2:9.1', 'vim-runtime']]);
  expect(chainLines({ request: 'vim=2:9.1', chain, outputTail: '' })).toEqual([
    'vim 2:9.1 needs vim-runtime (= 2:9.1)',
    '  → vim-runtime 2:9.1 needs libgpm2 (>= 1.20.7), the image has 1.19.6-2',
  ]);
});

test('apt: what fits by itself has the wrong version', async () => {
  const first = parseAptConflict(APT(' tool : Depends: lib (>= 2.0) but it is not going to be installed'));
  const chain = await aptChain('tool', first, {
    tryOut: async () => parseAptConflict(APT(' tool : Depends: lib (>= 2.0) but 1.0 is to be installed')),
    policy: async () => POLICY('tool', '(none)', '2.0') + POLICY('lib', '(none)', '1.0'),
  });
  expect(told('tool', chain)).toBe('tool 2.0 needs lib (>= 2.0), only 1.0 is to be had');
});

test('apt: packages that need each other in a circle are asked for once', async () => {
  let questions = 0;
  const one = parseAptConflict(APT(' a : Depends: b but it is not going to be installed'));
  const other = parseAptConflict(APT(' b : Depends: a but it is not going to be installed'));
  const chain = await aptChain('a', one, {
    tryOut: async () => {
      questions += 1;
      return other;
    },
    policy: async () => '',
  });
  expect(questions).toBe(1);
  expect(told('a', chain)).toBe('a needs b → b needs a, and nothing offers it');
});

test('apt-cache policy: what is installed and what would be', () => {
  expect(
    parseAptPolicy(
      `N: Unable to locate package x\n${POLICY('vim', '(none)', '2:9.1')}${POLICY('libgpm2', '1.19', '(none)')}`,
    ),
  ).toEqual(
    new Map([
      ['vim', { installed: undefined, candidate: '2:9.1' }],
      ['libgpm2', { installed: '1.19', candidate: undefined }],
    ]),
  );
});

const DNF = `Last metadata expiration check: 0:00:01 ago on Sat Nov 21 22:17:27 2026.
Error: 
 Problem: package tool-2.0-1.noarch requires mid, but none of the providers can be installed
  - conflicting requests
  - nothing provides lib >= 2.0 needed by mid-2.0-1.noarch
(try to add '--skip-broken' to skip uninstallable packages)
`;
const DNF_INSTALLED = `Error: 
 Problem: problem with installed package lib-1.0-1.noarch
  - package foe-1.0-1.noarch conflicts with lib provided by lib-1.0-1.noarch
  - conflicting requests
`;
const DNF_BOTH = `Error: 
 Problem: package vim-enhanced-2:9.1-1.fc40.x86_64 from updates requires vim-common = 2:9.1-1.fc40, but none of the providers can be installed
  - cannot install both vim-common-2:9.1-1.fc40.x86_64 from updates and vim-common-2:9.0-3.fc40.x86_64 from @System
  - conflicting requests
`;
const DNF_5 = `Failed to resolve the transaction:
Problem: conflicting requests
  - nothing provides libgpm.so.2()(64bit) needed by vim-enhanced-2:9.1-1.fc41.x86_64 from fedora
You can try to add to command line:
  --skip-broken to skip uninstallable packages
`;

test.each([
  ['tool', DNF, 'tool 2.0-1 needs mid → mid 2.0-1 needs lib >= 2.0, and nothing offers it'],
  ['foe', DNF_INSTALLED, 'foe 1.0-1 conflicts with lib, the image has 1.0-1'],
  [
    'vim-enhanced',
    DNF_BOTH,
    'vim-enhanced 2:9.1-1.fc40 needs vim-common = 2:9.1-1.fc40 → vim-common 2:9.1-1.fc40 conflicts with vim-common, the image has 2:9.0-3.fc40',
  ],
  ['vim-enhanced', DNF_5, 'vim-enhanced 2:9.1-1.fc41 needs libgpm.so.2()(64bit), and nothing offers it'],
])('dnf: %s', (request, text, expected) => {
  expect(told(request, chainFrom(request, parseDnfConflict(text)))).toBe(expected);
  expect(judgeDnf(ended(1, text)).outcome).toBe('conflict');
});

const ZYPPER = `Resolving package dependencies...

Problem: nothing provides lib >= 2.0 needed by mid-2.0-1.noarch
 Solution 1: do not install tool-2.0-1.noarch
 Solution 2: break mid-2.0-1.noarch by ignoring some of its dependencies

Choose from above solutions by number or cancel [1/2/c/d/?] (c): c
`;
const ZYPPER_INSTALLED = `Problem: foe-1.0-1.noarch conflicts with lib provided by lib-1.0-1.noarch
 Solution 1: Following actions will be done:
  deinstallation of lib-1.0-1.noarch
 Solution 2: do not install foe-1.0-1.noarch
`;
const ZYPPER_NEW = `Problem: 1: the to be installed vim-9.1-1.1.x86_64 requires 'vim-data = 9.1', but this requirement cannot be provided
Problem: 2: nothing provides 'libgpm.so.2()(64bit)' needed by the to be installed vim-9.1-1.1.x86_64
`;

test.each([
  ['tool', ZYPPER, 'tool: mid 2.0-1 needs lib >= 2.0, and nothing offers it'],
  ['foe', ZYPPER_INSTALLED, 'foe 1.0-1 conflicts with lib, the image has 1.0-1'],
  ['vim', ZYPPER_NEW, 'vim 9.1-1.1 needs libgpm.so.2()(64bit), and nothing offers it'],
])('zypper: %s', (request, text, expected) => {
  expect(told(request, chainFrom(request, parseZypperConflict(text)))).toBe(expected);
  expect(judgeZypper(ended(4, text), new Map()).outcome).toBe('conflict');
});

test('rpm, which has no repositories', () => {
  const text =
    'error: Failed dependencies:\n\tlib >= 2.0 is needed by mid-2.0-1.noarch\n\tfoe conflicts with (installed) lib-1.0-1.noarch\n';
  expect(parseRpmConflict(text).map((link) => told('x', [link]))).toEqual([
    'x: mid 2.0-1 needs lib >= 2.0, and nothing offers it',
    'x: foe conflicts with lib, the image has 1.0-1',
  ]);
});

const APK = `ERROR: unable to select packages:
  so:libgpm.so.2 (no such package):
    required by: vim-9.1.0707-r0[so:libgpm.so.2]
`;
const APK_BREAKS = `ERROR: unable to select packages:
  musl-1.2.4-r2:
    breaks: vim-9.1.0707-r0[musl>=1.2.5]
    satisfies: busybox-1.36-r1[so:libc.musl-x86_64.so.1]
               world[musl]
`;
const APK_MISSING = `ERROR: unable to select packages:
  nothing (no such package):
    required by: world[nothing]
`;

test.each([
  [APK, 'vim 9.1.0707-r0 needs so:libgpm.so.2, and nothing offers it', 'conflict'],
  [APK_BREAKS, 'vim 9.1.0707-r0 needs musl>=1.2.5, only 1.2.4-r2 is to be had', 'conflict'],
  [APK_MISSING, "vim can't be installed", 'unavailable'],
])('apk: %s', (text, expected, outcome) => {
  expect(told('vim', chainFrom('vim', parseApkConflict(text)))).toBe(expected);
  expect(judgeApk(ended(1, text)).outcome).toBe(outcome);
});

test('apk: names that no repository has', () => {
  expect(missingForApk(APK_MISSING)).toEqual(['nothing']);
  expect(missingForApk(APK)).toEqual([]);
});

test.each([
  ['dnf', judgeDnf(ended(1, 'No match for argument: tool\nError: Unable to find a match: tool\n')), 'unavailable'],
  ['dnf 5', judgeDnf(ended(1, 'Failed to resolve the transaction:\nNo match for argument: tool\n')), 'unavailable'],
  [
    'dnf without a network',
    judgeDnf(ended(1, 'Error: Failed to download metadata for repo: Cannot download repomd.xml\n')),
    'unavailable',
  ],
  ['dnf, a script', judgeDnf(ended(1, 'Error: Transaction failed\n')), 'failed'],
  ['zypper', judgeZypper(ended(104, "No provider of 'tool' found.\n"), new Map()), 'unavailable'],
  ['zypper, a reboot is due', judgeZypper(ended(102, ''), new Map([[102, 'a reboot is needed']])), 'ok'],
  ['zypper, a script', judgeZypper(ended(8, 'Installation has completed with error.\n'), new Map()), 'failed'],
  [
    'apk without a network',
    judgeApk(ended(1, 'WARNING: fetching http://127.0.0.1: temporary error (try again later)\n')),
    'unavailable',
  ],
  ['apk, a signature', judgeApk(ended(1, 'WARNING: Ignoring http://127.0.0.1: UNTRUSTED signature\n')), 'failed'],
  ['dnf, a signature', judgeDnf(ended(1, 'Error: GPG check FAILED\n')), 'failed'],
  ['apk, a script', judgeApk(ended(1, 'ERROR: 1 error updating directory permissions\n')), 'failed'],
])('%s: what its end means', (_, attempt, outcome) => {
  expect(attempt.outcome).toBe(outcome);
});

function ended(status: number, stdout: string): RunResult {
  return { argv: ['x'], status, signal: null, stdout, stderr: '', durationMs: 1 };
}
