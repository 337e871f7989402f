// What is said about single texts of a stage file: to people who write it, with the place inside of the text.

import { describe, expect, it } from 'vitest';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { examiner } from '../../../src/cloudconfig/examiner.ts';
import { renderLocation } from '../../../src/system/errors.ts';

/** Problems of one step of the stage boot, that `key: value` is the only line of. */
const remarks = (line: string, indent = '      ') =>
  parseCloudConfig(`stages:\n  boot:\n    - name: a\n${indent}${line}\n`, 'a.yaml', examiner).problems.map(
    ({ severity, message, hint }) => `${severity}: ${message}${hint === undefined ? '' : ` (${hint})`}`,
  );

describe('words', () => {
  it.each([
    ['only_service_manager: systmd', 'did you mean "systemd"?'],
    ['only_arch: x86_64', 'did you mean "amd64"? Go\'s names are used'],
    ['only_arch: "^amd46$"', 'did you mean "amd64"? Go\'s names are used'],
    ['files: [{path: /a, permissions: 0644, encoding: base-64}]', 'did you mean "base64"?'],
    ['files: [{path: /a, permissions: 0644, encoding: rot13}]', 'known: b64, base64, '],
    ['datasource: {providers: [aws, openstak]}', 'did you mean "openstack"?'],
    ['layout: {device: {label: A}, add_partitions: [{fsLabel: A, filesystem: ext5}]}', 'did you mean "ext4"?'],
    ['systemctl: {enable: [a.servise]}', 'did you mean "a.service"?'],
    ['hostname: my_host', 'a host name has at most 64'],
    ['directories: [{path: etc/a, permissions: 0755}]', 'paths begin with "/": "/etc/a"'],
  ])('%s', (line, hint) => {
    expect(remarks(line)).toEqual([expect.stringContaining(hint)]);
    expect(remarks(line)[0]).toMatch(/^warning: /);
  });

  it.each([
    'only_service_manager: OpenRC',
    'only_arch: (amd|arm)64',
    'only_arch: arm',
    'files: [{path: /a, permissions: 0644, encoding: gzip+b64, content: aGFsbG8=}]',
    'systemctl: {enable: [a, b.timer, dbus-org.freedesktop.login1, getty@tty1.service], overrides: [{service: c.mount}]}',
    'hostname: "node-{{ trunc 4 .MachineID }}"',
    'layout: {device: {path: "script:///bin/find-disk"}}',
  ])('%s is fine', (line) => {
    expect(remarks(line)).toEqual([]);
  });
});

describe('patterns', () => {
  it('one that nobody can read skips the step for ever: an error', () => {
    expect(remarks('node: "node[0-"')).toEqual([
      expect.stringMatching(/^error: node: "node\[0-" is no pattern, .*missing closing \]/),
    ]);
  });

  it('one that only JavaScript can read is evaluated: a warning', () => {
    expect(remarks('only_os: "^(?!ubuntu).*"')).toEqual([expect.stringMatching(/^warning: .*the originals/)]);
  });

  it.each(['node: "(?i)^Node-[0-9]+$"', 'only_os: "\\\\A\\\\Qopen.suse\\\\E"', 'only_os_version: "[[:digit:]]+"'])(
    '%s is fine',
    (line) => {
      expect(remarks(line)).toEqual([]);
    },
  );
});

describe('entities', () => {
  it.each([
    [
      'entity: "kind: usr\\nusername: a"',
      'error: ensure_entities[0].entity: there is no kind of entity "usr" (did you',
    ],
    ['entity: "username: a"', 'error: ensure_entities[0].entity: the entity has no kind (kinds are user, shadow,'],
    ['entity: "kind: group\\ngid: 5"', 'error: ensure_entities[0].entity: the entity has no group_name'],
    ['entity: "kind: user\\nusername: a\\nuid: x"', 'error: ensure_entities[0].entity: uid: "x" is not a whole number'],
    [
      'entity: "kind: user\\nusername: a\\nhome: /a"',
      'warning: ensure_entities[0].entity: the key "home" is not known',
    ],
    ['entity: just text', 'error: ensure_entities[0].entity: this must be the YAML of one entity'],
    ['entity: "a: [b"', 'error: ensure_entities[0].entity: the YAML is broken'],
  ])('%s', (entity, expected) => {
    expect(remarks(`ensure_entities: [{${entity}}]`)).toEqual([expect.stringContaining(expected)]);
  });

  it('a template is not taken for the YAML that it will be', () => {
    expect(remarks('ensure_entities: [{entity: "kind: {{ .Values.kind }}"}]')).toEqual([]);
  });
});

describe('stages', () => {
  const stage = (name: string) =>
    parseCloudConfig(`stages:\n  ${name}: []\n`, 'a.yaml', examiner).problems.map(({ hint }) => hint?.split('?')[0]);

  it.each([
    ['boots', 'did you mean "boot"'],
    ['netwrok', 'did you mean "network"'],
    ['after-upgrade-chrot', 'did you mean "after-upgrade-chroot"'],
    ['rootf.before', 'did you mean "rootfs.before"'],
    ['boot.befor', 'did you mean "boot.before"'],
  ])('%s', (name, hint) => {
    expect(stage(name)).toEqual([hint]);
  });

  it.each([
    'boot',
    'boot.before',
    'network.after',
    'kairos-install.pre',
    'kairos-install.pre.before',
    'my-own',
    'fs',
    'x',
  ])('%s is fine', (name) => {
    expect(stage(name)).toEqual([]);
  });
});

describe('places inside of texts', () => {
  const at = (text: string) => {
    const [problem] = parseCloudConfig(text, 'a.yaml', examiner).problems;
    return problem && renderLocation(problem.location);
  };

  it('in a block', () => {
    expect(
      at('stages:\n  boot:\n    - commands:\n        - |\n          echo fine\n\n          echo {{ nofunc\n'),
    ).toBe('a.yaml:7:19\n            echo {{ nofunc\n                    ^');
  });

  it('in a block whose own first line is indented', () => {
    expect(at('stages:\n  boot:\n    - commands:\n        - |2\n            {{ a {{\n')).toMatch(/^a\.yaml:5:16\n/);
  });

  it('in a line, with and without quotes', () => {
    expect(at("stages: {boot: [{commands: ['a {{ b']}]}")).toMatch(/^a\.yaml:1:35\n/);
    expect(at('stages:\n  boot:\n    - commands:\n        - a {{ b\n')).toMatch(/^a\.yaml:4:16\n/);
  });

  it('in a text whose lines were joined: where it begins', () => {
    expect(at('stages:\n  boot:\n    - commands:\n        - >-\n          a\n          {{ b\n')).toMatch(
      /^a\.yaml:4:11\n/,
    );
  });
});
