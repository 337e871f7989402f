// `packages`: which manager a system has, and with which arguments it is called.

import { describe, expect, it } from 'vitest';
import type { Event } from '../../../../src/system/events.ts';
import { failuresOf, put, runSteps } from '../temporary-root.ts';
import { standInRoot } from './standin-root.ts';

const ALL = '- packages: {remove: [c, d], install: [a, "b=1"], upgrade: true, refresh: true}';
const APT =
  'apt-get [-y] [-o] [Dpkg::Options::=--force-confdef] [-o] [Dpkg::Options::=--force-confold] [-o] [DPkg::Lock::Timeout=120]';

const DEBIAN = { 'apt-get': '', 'dpkg-query': 'echo installed' };
const FEDORA = { dnf: '', rpm: '' };
const SUSE = { zypper: '', rpm: '' };

describe('all four, in their order', () => {
  it.each([
    [
      'ID=debian',
      DEBIAN,
      [
        `${APT} [update]`,
        `${APT} [upgrade]`,
        `${APT} [--no-install-recommends] [install] [a] [b=1]`,
        `${APT} [remove] [c] [d]`,
      ],
    ],
    [
      'ID=fedora',
      FEDORA,
      [
        'dnf [makecache]',
        'dnf [update] [-y]',
        'dnf [install] [-y] [--setopt=install_weak_deps=False] [a] [b=1]',
        'dnf [remove] [-y] [c] [d]',
      ],
    ],
    [
      'ID="opensuse-leap"',
      SUSE,
      [
        'zypper [--non-interactive] [refresh]',
        'zypper [--non-interactive] [update] [-y]',
        'zypper [--non-interactive] [install] [-y] [--no-recommends] [a] [b=1]',
        'zypper [--non-interactive] [remove] [-y] [c] [d]',
      ],
    ],
    [
      'ID=arch',
      { pacman: '' },
      [
        'pacman [-Sy] [--noconfirm]',
        'pacman [-Syu] [--noconfirm]',
        'pacman [-S] [--noconfirm] [--needed] [a] [b=1]',
        'pacman [-R] [--noconfirm] [c] [d]',
      ],
    ],
    [
      'ID=alpine',
      { apk: '' },
      [
        'apk [update]',
        'apk [upgrade] [--no-cache]',
        'apk [add] [--no-cache] [a] [b=1]',
        'apk [del] [--no-cache] [c] [d]',
      ],
    ],
  ])('%s', async (osRelease, programs, expected) => {
    const root = standInRoot(osRelease, programs);
    expect(failuresOf(await runSteps(root, ALL))).toEqual([]);
    const queries = /^(?:dpkg-query|rpm|pacman \[-Qq)/;
    expect(root.calls().filter((call) => !queries.test(call))).toEqual(expected);
  });
});

it.each([
  ['ID=ubuntu', 'apt-get'],
  ['ID=linuxmint\nID_LIKE="ubuntu debian"', 'apt-get'],
  ['ID=rocky\nID_LIKE="rhel centos fedora"', 'dnf'],
  ['ID=amzn\nID_LIKE="centos rhel fedora"', 'dnf'],
  ['ID=openEuler', 'dnf'],
  ['ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"', 'zypper'],
  ['ID=sle-micro\nID_LIKE=suse', 'zypper'],
  ['ID="my-own"\nID_LIKE="something opensuse"', 'zypper'],
  ['ID=manjaro\nID_LIKE=arch', 'pacman'],
  ['ID=alpine', 'apk'],
])('%s has %s', async (osRelease, program) => {
  const root = standInRoot(osRelease, { [program]: '' });
  expect(failuresOf(await runSteps(root, '- packages: {refresh: true}'))).toEqual([]);
  expect(root.calls().map((call) => call.split(' ')[0])).toEqual([program]);
});

it.each([
  ['ID=nixos', 'unknown package manager: its os-release says ID=nixos'],
  ['ID=x\nID_LIKE="y z"', 'unknown package manager: its os-release says ID=x, ID_LIKE="y z"'],
  ['', 'unknown package manager: its os-release names none'],
])('%j has none that is known', async (osRelease, message) => {
  const [failure] = failuresOf(await runSteps(standInRoot(osRelease, {}), '- packages: {install: [a]}'));
  expect(failure).toContain(message);
});

describe('what is not asked for is not done', () => {
  it.each([
    ['{}', []],
    ['{install: [], remove: []}', []],
    ['{install: [], refresh: true}', [`${APT} [update]`]],
    // yip does nothing then.
    ['{upgrade: true}', [`${APT} [upgrade]`]],
    ['{install: ["{{/* nothing */}}"], refresh: false}', []],
  ])('%s', async (value, calls) => {
    const root = standInRoot('ID=debian', DEBIAN);
    expect(failuresOf(await runSteps(root, `- packages: ${value}`))).toEqual([]);
    expect(root.calls()).toEqual(calls);
  });
  it('not even a system without a package manager fails for nothing', async () => {
    expect(failuresOf(await runSteps(standInRoot('', {}), '- packages: {install: []}'))).toEqual([]);
  });
});

describe('names', () => {
  const install = async (names: string) => {
    const root = standInRoot('ID=alpine\nVERSION_ID=3', { apk: '' });
    const result = await runSteps(root, `- packages: {install: ${names}}`);
    return { calls: root.calls(), failures: failuresOf(result) };
  };
  it('are expanded, and several in one text are several', async () => {
    const { calls } = await install('["a  b", "linux-{{ .Values.os.version }}", "c;reboot", "$(d)"]');
    expect(calls).toEqual(['apk [add] [--no-cache] [a] [b] [linux-3] [c;reboot] [$(d)]']);
  });
  it.each(['["--allow-untrusted", a]', '[a, "b -f"]', '["{{ `--root=/` }}"]'])('%s is refused', async (names) => {
    const { calls, failures } = await install(names);
    expect(calls).toEqual([]);
    expect(failures[0]).toMatch(/^packages: "-.*" can't be the name of a package: it would be taken for an option/);
  });
});

it('the first failure ends the key, with what the manager said', async () => {
  const root = standInRoot('ID=debian', {
    ...DEBIAN,
    'apt-get': 'case "$*" in *upgrade) echo broken >&2; exit 100;; esac',
  });
  const result = await runSteps(root, ALL);
  expect(failuresOf(result)).toEqual([expect.stringMatching(/^packages: apt-get .* upgrade failed with status 100$/)]);
  expect(result.steps[0]?.keys[0]?.outputTail).toBe('broken');
  expect(root.calls()).toEqual([`${APT} [update]`, `${APT} [upgrade]`]);
});

it('a manager that is not there makes the key fail, not the stage', async () => {
  const [failure] = failuresOf(await runSteps(standInRoot('ID=debian', {}), '- packages: {refresh: true}'));
  expect(failure).toMatch(/^packages: the program .*apt-get is not installed/);
});

it('apt asks nobody, also when the caller has another front end', async () => {
  const root = standInRoot('ID=debian', { 'apt-get': 'echo "$DEBIAN_FRONTEND"' });
  const lines: string[] = [];
  await runSteps(root, '- packages: {refresh: true}', (event) => {
    if (event.type === 'output') lines.push(event.text);
  });
  expect(lines).toEqual(['noninteractive']);
});

describe("removing what isn't there", () => {
  it.each([
    [
      'ID=debian',
      'apt-get',
      { 'apt-get': '', 'dpkg-query': 'case $5 in gone) exit 1;; old) echo config-files;; *) echo installed;; esac' },
    ],
    ['ID=fedora', 'dnf', { dnf: '', rpm: 'for n; do :; done; case $n in gone|old) exit 1;; esac' }],
    ['ID=suse', 'zypper', { zypper: '', rpm: 'for n; do :; done; case $n in gone|old) exit 1;; esac' }],
    ['ID=arch', 'pacman', { pacman: 'case "$*" in *Q*gone|*Q*old) exit 1;; esac' }],
  ])('%s: only what is installed is handed over', async (osRelease, program, programs) => {
    const root = standInRoot(osRelease, programs);
    const notices: string[] = [];
    const listen = (event: Event) => {
      if (event.type === 'notice' && event.text.includes('not installed')) notices.push(event.text);
    };
    expect(failuresOf(await runSteps(root, '- packages: {remove: [here, gone, old, "lib*"]}', listen))).toEqual([]);
    const removals = root.calls().filter((call) => call.startsWith(program) && /\[(?:-R|remove)\]/.test(call));
    expect(removals).toEqual([expect.stringMatching(/ \[here\] \[lib\*\]$/)]);
    expect(notices).toEqual(['gone is not installed: nothing to remove', 'old is not installed: nothing to remove']);
    expect(failuresOf(await runSteps(root, '- packages: {remove: [gone]}'))).toEqual([]);
    expect(root.calls().filter((call) => call.startsWith(program) && /\[(?:-R|remove)\]/.test(call))).toEqual([]);
  });
});

it.each([
  [102, [], ['zypper --non-interactive install -y --no-recommends a: a reboot is needed']],
  [104, ['packages: zypper --non-interactive install -y --no-recommends a failed with status 104'], []],
])("zypper's status %i", async (status, failures, warnings) => {
  const root = standInRoot('ID=suse', { zypper: `exit ${status}` });
  const result = await runSteps(root, '- packages: {install: [a]}');
  expect(failuresOf(result)).toEqual(failures);
  expect(result.problems.map(({ message }) => message)).toEqual(warnings);
});

it('the result says whether anything was installed', async () => {
  const root = standInRoot('ID=debian', {
    'apt-get': '[ -e "$ROOT/done" ] || echo more >>"$ROOT/var/lib/dpkg/status"; : >"$ROOT/done"',
  });
  put(root.directory, 'var/lib/dpkg/status', 'Package: x\n');
  const changed = async () => (await runSteps(root, '- packages: {install: [a]}')).steps[0]?.changedFiles;
  expect(await changed()).toEqual(['/var/lib/dpkg/status']);
  expect(await changed()).toEqual([]);
});
