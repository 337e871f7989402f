// `package_pins`: what each package manager reads afterwards.

import { describe, expect, it } from 'vitest';
import { apkWorld } from '../../../../src/stages/packages/pins.ts';
import { failuresOf, put, runSteps, temporaryRoot } from '../temporary-root.ts';
import { standInRoot } from './standin-root.ts';

const warningsOf = (result: { problems: readonly { message: string }[] }) =>
  result.problems.map(({ message }) => message);

describe('apt', () => {
  const PREFERENCES = '/etc/apt/preferences.d/99-yip-pins';
  it('gets one record for each package, sorted, and the second run changes nothing', async () => {
    const root = temporaryRoot({ 'etc/os-release': 'ID=debian\n' });
    const steps = '- package_pins: {vim: "2:9.0*", libc6: 2.36-9}';
    const result = await runSteps(root, steps);
    expect(failuresOf(result)).toEqual([]);
    expect(result.steps[0]?.changedFiles).toContain(PREFERENCES);
    expect(root.readText(PREFERENCES)).toBe(
      [
        '# Written by holdfast from "package_pins" in a cloud-config file.',
        '# Changes made here are lost.',
        '',
        'Package: libc6',
        'Pin: version 2.36-9',
        'Pin-Priority: 1001',
        '',
        'Package: vim',
        'Pin: version 2:9.0*',
        'Pin-Priority: 1001',
        '',
        '',
      ].join('\n'),
    );
    expect(root.stat(PREFERENCES)?.mode).toBe(0o100644);
    expect((await runSteps(root, steps)).steps[0]?.changedFiles).toEqual([]);
  });
  it('what can not be a name or a version fails for itself', async () => {
    const root = temporaryRoot({ 'etc/os-release': 'ID=debian\n' });
    const result = await runSteps(root, '- package_pins: {a: "1\\nPackage: *", "b c": 1, -o: 1, d: "", e: 1}');
    expect(failuresOf(result)[0]?.split('; ')).toEqual([
      expect.stringContaining('"-o" can\'t be the name of a package'),
      expect.stringContaining('"1\\nPackage: *" can\'t be the version of a'),
      expect.stringContaining('"b c" can\'t be the name of a package'),
    ]);
    expect(warningsOf(result)).toEqual(['package_pins: d has no version and is skipped']);
    expect(root.readText(PREFERENCES).match(/^Package: .*$/gm)).toEqual(['Package: e']);
  });
  it('nothing to pin writes nothing', async () => {
    const root = temporaryRoot({ 'etc/os-release': 'ID=debian\n' });
    await runSteps(root, '- package_pins: {}');
    expect(root.exists(PREFERENCES)).toBe(false);
  });
});

describe('dnf', () => {
  const PLUGIN = 'usr/lib/python3.9/site-packages/dnf-plugins/versionlock.py';
  const QUERY = 'echo; echo "vim-enhanced-2:9.0.1-1.fc38.x86_64"; echo "vim-2:9.0.1-1.fc38.x86_64"; echo vim-other';
  it("gets the plugin's files, with what the repositories call that version", async () => {
    const root = standInRoot('ID=fedora', { dnf: `case "$*" in *vim-9*) ${QUERY};; *) exit 1;; esac` });
    put(root.directory, PLUGIN, '');
    const result = await runSteps(root, '- package_pins: {vim: 9.0, unknown: 1.2}');
    expect([failuresOf(result), warningsOf(result)]).toEqual([[], []]);
    expect(root.readText('/etc/dnf/plugins/versionlock.conf')).toBe(
      '[main]\nenabled=1\nlocklist=/etc/dnf/plugins/versionlock.list\n',
    );
    // As yip: the first line that begins with the name and a dash.
    expect(root.readText('/etc/dnf/plugins/versionlock.list')).toBe(
      'unknown-1.2*\nvim-enhanced-2:9.0.1-1.fc38.x86_64\n',
    );
    expect(root.calls()).toEqual([
      'dnf [-q] [repoquery] [--qf] [%{name}-%{epoch}:%{version}-%{release}.%{arch}\\n] [unknown-1.2*]',
      'dnf [-q] [repoquery] [--qf] [%{name}-%{epoch}:%{version}-%{release}.%{arch}\\n] [vim-9.0*]',
    ]);
    expect((await runSteps(root, '- package_pins: {vim: 9.0, unknown: 1.2}')).steps[0]?.changedFiles).toEqual([]);
  });
  it.each([
    [
      'usr/bin/other',
      'package_pins: dnf reads the pins once its plugin is there; install python3-dnf-plugin-versionlock',
    ],
    [
      'usr/bin/dnf5',
      'package_pins: dnf 5 doesn\'t read /etc/dnf/plugins/versionlock.list; hold packages by "commands: [dnf versionlock add …]"',
    ],
  ])('that would not read them is warned about: %s', async (file, warning) => {
    const root = standInRoot('ID=fedora', { dnf: '' });
    put(root.directory, file, '');
    expect(warningsOf(await runSteps(root, '- package_pins: {vim: 9.0}'))).toEqual([warning]);
  });
});

describe('zypper', () => {
  it('locks the version, else the package, and never fails', async () => {
    const root = standInRoot('ID=suse', {
      zypper: 'case $3 in vim*) echo "$3" >>"$ROOT/etc/zypp/locks";; half) exit 0;; *) exit 1;; esac',
    });
    put(root.directory, 'etc/zypp/locks', '');
    const result = await runSteps(root, '- package_pins: {vim: 9.0, half: 1, none: 2}');
    expect(failuresOf(result)).toEqual([]);
    expect(root.calls()).toEqual([
      'zypper [--non-interactive] [addlock] [half=1]',
      'zypper [--non-interactive] [addlock] [half]',
      'zypper [--non-interactive] [addlock] [none=2]',
      'zypper [--non-interactive] [addlock] [none]',
      'zypper [--non-interactive] [addlock] [vim=9.0]',
    ]);
    expect(warningsOf(result)).toEqual([
      'package_pins: half is locked at any version: zypper addlock half=1 failed with status 1',
      'package_pins: none is not locked: zypper addlock none failed with status 1',
    ]);
    expect(result.steps[0]?.changedFiles).toEqual(['/etc/zypp/locks']);
  });
});

describe('apk', () => {
  it.each([
    ['alpine-base\nvim\n', 'alpine-base\nvim=9\n'],
    ['alpine-base\nvim=8\nvim-doc\n', 'alpine-base\nvim=9\nvim-doc\n'],
    ['vim>8 curl', 'vim=9\ncurl\n'],
    ['vim@edge\n', 'vim@edge=9\n'],
    ['vim@edge~8\n', 'vim@edge=9\n'],
    ['!vim-tiny\n', '!vim-tiny\nvim=9\n'],
    ['', 'vim=9\n'],
    ['vim=9\n', 'vim=9\n'],
  ])('only the named entry of the world %j changes', (world, expected) => {
    expect(apkWorld(world, [['vim', '9']])).toBe(expected);
  });
  it('is written in place', async () => {
    const root = temporaryRoot({ 'etc/os-release': 'ID=alpine\n', 'etc/apk/world': 'alpine-base\ncurl\n' });
    expect(failuresOf(await runSteps(root, '- package_pins: {curl: 8.5.0-r0}'))).toEqual([]);
    expect(root.readText('/etc/apk/world')).toBe('alpine-base\ncurl=8.5.0-r0\n');
  });
});

it.each([
  ['ID=arch', "package_pins: pacman can't hold packages; nothing is done"],
  ['ID=x', "package_pins: the unknown package manager (its os-release says ID=x) can't hold packages; nothing is done"],
])('%s is warned about', async (osRelease, warning) => {
  const result = await runSteps(temporaryRoot({ 'etc/os-release': osRelease }), '- package_pins: {a: 1}');
  expect([failuresOf(result), warningsOf(result)]).toEqual([[], [warning]]);
});
