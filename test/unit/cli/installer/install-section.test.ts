// `install:` of stage files as Kairos and Elemental have it: what is taken, and what is told with its line.

import { expect, test } from 'vitest';
import { NO_SECTION, readInstallSection } from '../../../../src/cli/installer/install-section.ts';

const read = (text: string, before = NO_SECTION) => readInstallSection(before, '/oem/a.yaml', text);
const values = (text: string) => Object.fromEntries(read(text).settings.map(({ key, value }) => [key, value]));

test('a file without the section says nothing', () => {
  expect(read('stages:\n  boot:\n    - commands: [ls]\n')).toBe(NO_SECTION);
  expect(read('#cloud-config\nhostname: x\nreboot: true\n')).toBe(NO_SECTION);
});

test('what Kairos’ users write', () => {
  const text = `#cloud-config
hostname: kelp
install:
  auto: true
  device: auto
  reboot: true
  image: oci:example.org/os:1
  no-format: yes
`;
  expect(read(text)).toMatchObject({ auto: true, device: 'auto', problems: [], files: ['/oem/a.yaml'] });
  expect(values(text)).toEqual({
    reboot: true,
    'install.system': { text: 'oci:example.org/os:1', style: 'uri' },
    'install.no-format': true,
  });
});

test('what Elemental’s users write', () => {
  const text = `install:
  target: /dev/sda
  firmware: efi
  system: {uri: docker:example.org/os:1, size: 4096}
  partitions: {oem: {size: 128}}
  poweroff: true
`;
  expect(read(text)).toMatchObject({ auto: undefined, device: '/dev/sda', problems: [] });
  expect(values(text)).toMatchObject({ 'install.firmware': 'efi', 'partitions.oem.size': 128, poweroff: true });
});

test('an unknown key is told with its line, and the rest counts', () => {
  const { problems, auto } = read('install:\n  auto: true\n  devise: /dev/sda\n  bundles: []\n');
  expect(auto).toBe(true);
  expect(problems.map(({ message, location }) => `${location.line} ${message}`)).toEqual([
    '3 install.devise is no setting and has no effect',
    '4 install.bundles is no setting and has no effect',
  ]);
});

test('a value that can’t be used is an error with its place', () => {
  expect(() => read('install:\n  auto: perhaps\n')).toThrow(/install.auto must be true or false/);
  expect(() => read('install: [auto]\n')).toThrow(/must be a mapping/);
});

test('encryption that is asked for and not made refuses the install', () => {
  expect(() => read('install:\n  encrypted_partitions: [COS_PERSISTENT]\n')).toThrow(
    /encrypted partitions, which are not made/,
  );
  expect(read('install:\n  auto: true\n  encrypted_partitions: []\n').auto).toBe(true);
});

test('of several files the later one counts', () => {
  const first = read('install:\n  auto: true\n  device: auto\n  reboot: true\n');
  const both = readInstallSection(first, '/oem/b.yaml', 'install:\n  device: /dev/sdb\n  auto: false\n');
  expect(both).toMatchObject({ auto: false, device: '/dev/sdb', files: ['/oem/a.yaml', '/oem/b.yaml'] });
  expect(both.settings).toHaveLength(1);
});
