// Conditions of a step: each alone, met and not met, and the order in which they are asked.

import { symlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseOsRelease } from '../../../src/stages/facts/os.ts';
import { Root } from '../../../src/system/root.ts';
import { failuresOf, runSteps, temporaryRoot } from './temporary-root.ts';

const UBUNTU = 'NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04.3 LTS"\n';
const architecture = process.arch === 'x64' ? 'amd64' : process.arch;

/** `ran`, or why not; with the warnings. */
async function ask(condition: string, files: Record<string, string> = {}, root = temporaryRoot(files)) {
  const result = await runSteps(root, `- {${condition}}`);
  expect(failuresOf(result)).toEqual([]);
  return {
    outcome: result.steps[0]?.reason ?? 'ran',
    warnings: result.problems.map(({ message }) => message),
  };
}

describe('patterns', () => {
  const os = { 'etc/os-release': UBUNTU };
  it.each([
    ['only_os: Ubuntu', 'ran', []],
    ['only_os: "22[.]04"', 'ran', []],
    ['only_os: "^(?i)UBUNTU"', 'ran', []],
    ['only_os: "[[:upper:]]buntu"', 'ran', []],
    ['only_os: debian', "only_os: Ubuntu 22.04.3 LTS doesn't match debian", []],
    ['only_os_version: "^22"', 'ran', []],
    ['only_os_version: "2"', 'ran', []],
    ['only_os_version: "^4"', "only_os_version: the version 22.04 doesn't match ^4", []],
    [`only_arch: ${architecture}`, 'ran', []],
    ['only_arch: riscv64', `only_arch: ${architecture} doesn't match riscv64`, []],
    [`node: "^${hostname()}$"`, 'ran', []],
    ['node: "^no-such-host$"', `node: the host name ${hostname()} doesn't match ^no-such-host$`, []],
  ])('%s: %s', async (condition, outcome, warnings) => {
    expect(await ask(condition, os)).toEqual({ outcome, warnings });
  });

  it('the ID counts as a second chance, with a note', async () => {
    expect(await ask('only_os: ^ubuntu$', os)).toEqual({
      outcome: 'ran',
      warnings: [
        'only_os: ^ubuntu$ matches the ID "ubuntu", not the name "Ubuntu 22.04.3 LTS"; the originals look at the name',
      ],
    });
  });

  it('a pattern with look-ahead, which the originals skip, is evaluated with a warning', async () => {
    const { outcome, warnings } = await ask('only_os: "^(?!Debian).*"', os);
    expect(outcome).toBe('ran');
    expect(warnings).toEqual([
      'only_os: ^(?!Debian).* is no pattern for the originals, which skip the step; it is evaluated here',
    ]);
  });

  it('what a look-ahead rules out, by name or ID, stays ruled out however it is written', async () => {
    expect((await ask('only_os: "^(?!ubuntu).*"', os)).outcome).toBe(
      "only_os: Ubuntu 22.04.3 LTS doesn't match ^(?!ubuntu).*",
    );
    const leap = { 'etc/os-release': 'ID=opensuse-leap\nPRETTY_NAME="openSUSE Leap 15.5"\n' };
    expect((await ask('only_os: "^(?!opensuse-leap)"', leap)).outcome).toMatch(/^only_os: /);
    expect((await ask('only_os: "^(?!ubuntu).*"', leap)).outcome).toBe('ran');
    expect((await ask('only_os: "^(?=.*LEAP)"', leap)).outcome).toBe('ran');
  });

  it('an invalid pattern skips the step with a warning', async () => {
    const { outcome, warnings } = await ask('only_arch: "("');
    expect(outcome).toBe(`only_arch: ${architecture} doesn't match (`);
    expect(warnings).toEqual(['only_arch: ( is no valid pattern, the step is skipped: missing closing ): `(`']);
  });

  it.each([
    ['ID=rocky\nVERSION_ID="9.4"\n', 'etc/rocky-release', 'Rocky Linux release 9.4 (Blue Onyx)\n'],
    ['ID="almalinux"\nVERSION_ID="9.4"\n', 'etc/almalinux-release', 'AlmaLinux release 9.4 (Seafoam Ocelot)\n'],
  ])('%j has its major version only, as the originals read it from %s', async (release, file, text) => {
    const files = { 'etc/os-release': release, [file]: text };
    expect((await ask('only_os_version: "^9$"', files)).outcome).toBe('ran');
    expect((await ask('only_os_version: "9.4"', files)).outcome).toBe(
      "only_os_version: the version 9 doesn't match 9.4",
    );
  });

  it('node is asked of the host name with which the stage began', async () => {
    const root = temporaryRoot({ 'proc/sys/kernel/hostname': 'before\n', 'etc/hosts': '' });
    const result = await runSteps(
      root,
      '- {node: ^before$, hostname: after}\n- {node: ^before$, name: second}\n- {node: ^after$}',
    );
    expect(result.steps.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'skipped']);
    expect(root.readText('/proc/sys/kernel/hostname')).toBe('after');
    expect((await runSteps(root, '- {node: ^after$}')).steps[0]?.outcome).toBe('ok');
  });

  it('a system without os-release matches no name', async () => {
    expect((await ask('only_os: ".*"')).outcome).toBe("only_os: the system has no name, which doesn't match .*");
  });
});

describe('if', () => {
  const host = new Root('/');
  it.each([
    ['if: "true"', 'ran'],
    ['if: ""', 'ran'],
    ['if: "false\\ntrue"', 'ran'],
    ['if: "exit 3"', 'if: exit 3 (status 3)'],
    ['if: "echo no; false"', 'if: echo no; false (status 1: no)'],
    ['if: "kill -9 $$"', 'if: kill -9 $$ (ended by SIGKILL)'],
    ['if: "cat | grep -q ."', 'if: cat | grep -q . (status 1)'],
    ['if: "[ {{ .Values.kernel.release }} ]"', 'ran'],
  ])('%s: %s', async (condition, outcome) => {
    expect(await ask(condition, {}, host)).toEqual({ outcome, warnings: [] });
  });
  it('a text whose template is broken is run as it stands, with a warning', async () => {
    const { outcome, warnings } = await ask('if: "[ a = {{nofunc}} ]"', {}, host);
    expect(outcome).toBe('if: [ a = {{nofunc}} ] (status 1)');
    expect(warnings[0]).toMatch(/^if: its template is left as it is: 1:\d+: /);
  });
  it.each([
    ['[[ -f /etc/passwd ]]', 'status 127'],
    ['source /etc/os-release && [ "$ID" ]', 'status 127'],
    ['grep -q x <<< x', 'status 2'],
    ['x=(a b); true', 'status 2'],
    ['[ "a" == "a" ]', 'status 2'],
  ])('%s is skipped, since sh is no bash, and the reason says so', async (condition, how) => {
    const { outcome } = await ask(`if: '${condition}'`, {}, host);
    expect(outcome).toContain(`if: ${condition} (${how}: `);
    expect(outcome).toContain('this looks like bash, and it is run by sh');
  });
  it('a bash condition that is negated, and so runs the step whatever it asks, is warned about', async () => {
    expect(await ask("if: '! [[ -f /etc/passwd ]]'", {}, host)).toEqual({
      outcome: 'ran',
      warnings: ['if: ! [[ -f /etc/passwd ]]: this looks like bash, and it is run by sh; its result means nothing'],
    });
  });
  it('what a condition prints is no output of the stage', async () => {
    const events: string[] = [];
    await runSteps(host, '- {if: "echo hidden", commands: [echo shown]}', (event) => {
      if (event.type === 'output') events.push(event.text);
    });
    expect(events).toEqual(['shown']);
  });
});

describe('if_files', () => {
  it.each([
    ['any: [/no, /a]', 'ran'],
    ['any: [/no]', 'if_files: none of /no is there'],
    ['all: [/a, /b]', 'ran'],
    ['all: [/a, /no]', 'if_files: /no is not there'],
    ['none: [/no]', 'ran'],
    ['none: [/no, /a]', 'if_files: /a is there'],
    ['none: [], all: [/missing]', 'if_files: /missing is not there'],
    ['any: [], none: []', 'ran'],
    ['any: [/a], all: [/b], none: [/a]', 'if_files: /a is there'],
  ])('%s: %s', async (checks, outcome) => {
    expect((await ask(`if_files: {${checks}}`, { a: '', b: '' })).outcome).toBe(outcome);
  });
});

it('a check that if_files does not have keeps the step from running', async () => {
  const result = await runSteps(temporaryRoot(), '- if_files: {al: [/missing], any: []}');
  expect(failuresOf(result)).toEqual([`the condition "if_files" can't be used, see the file's problems`]);
  expect(result.problems.map(({ message, hint }) => [message, hint])).toEqual([
    ['if_files: there is no "al"', 'known: any, all, none'],
  ]);
});

it('if_files follows links inside of the root', async () => {
  const root = temporaryRoot({ 'real/f': '' });
  symlinkSync('/real/f', join(root.directory, 'good'));
  symlinkSync('/etc/passwd', join(root.directory, 'dangling'));
  expect((await ask('if_files: {all: [/good, /real]}', {}, root)).outcome).toBe('ran');
  expect((await ask('if_files: {any: [/dangling]}', {}, root)).outcome).toBe('if_files: none of /dangling is there');
});

describe('only_service_manager', () => {
  it.each([
    [['usr/bin/systemctl'], 'systemd', 'ran'],
    [['sbin/openrc'], 'OpenRC', 'ran'],
    [['bin/systemctl'], 'openrc', 'only_service_manager: found systemd, not openrc'],
    [[], 'systemd', 'only_service_manager: found none, not systemd'],
    [['bin/systemctl', 'sbin/openrc'], 'systemd', 'only_service_manager: found systemd and openrc, not systemd'],
    [['bin/systemctl'], 'upstart', 'only_service_manager: found systemd, not upstart'],
  ])('%j and %s: %s', async (programs, wanted, outcome) => {
    const files = Object.fromEntries(programs.map((program) => [program, '']));
    expect((await ask(`only_service_manager: ${wanted}`, files)).outcome).toBe(outcome);
  });
});

it('the first condition that is not met is the reason, in the order of the originals', async () => {
  const all = 'if_files: {all: [/no]}, only_arch: no, only_os: no, if: "false", node: no-such';
  expect((await ask(all)).outcome).toMatch(/^node: /);
  expect((await ask(all.replace(', node: no-such', ''), {}, new Root('/'))).outcome).toBe('if: false (status 1)');
});

it('os-release is read with its quotes', () => {
  expect([...parseOsRelease(`# c\nA=1\nB="x y"\nC='z'\nD="a \\"q\\" \\$"\nbroken\n`)]).toEqual([
    ['A', '1'],
    ['B', 'x y'],
    ['C', 'z'],
    ['D', 'a "q" $'],
  ]);
});
