// `hostname`: the kernel's name through the root's own /proc, /etc/hostname and /etc/hosts.

import { expect, it } from 'vitest';
import { hostsWithName } from '../../../../src/stages/steps/hostname.ts';
import { failuresOf, runSteps, temporaryRoot } from '../temporary-root.ts';

it('sets all three places', async () => {
  const root = temporaryRoot({
    'proc/sys/kernel/hostname': 'old\n',
    'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
  });
  const result = await runSteps(root, '- hostname: node-1.example.org');
  expect(failuresOf(result)).toEqual([]);
  expect(root.readText('/proc/sys/kernel/hostname')).toBe('node-1.example.org');
  expect(root.readText('/etc/hostname')).toBe('node-1.example.org\n');
  expect(root.readText('/etc/hosts')).toBe('127.0.0.1 localhost node-1.example.org\n::1 localhost\n');
  expect(result.steps[0]?.changedFiles).toEqual(['/etc/hostname', '/etc/hosts']);
  expect((await runSteps(root, '- hostname: node-1.example.org')).steps[0]?.changedFiles).toEqual([]);
});

it('a missing /etc/hosts is made', async () => {
  const root = temporaryRoot();
  expect(failuresOf(await runSteps(root, '- hostname: n1'))).toEqual([]);
  expect(root.readText('/etc/hosts')).toBe('127.0.0.1 localhost n1\n');
});

it('a name in a block scalar is the name', async () => {
  const root = temporaryRoot();
  expect(failuresOf(await runSteps(root, '- hostname: |\n    n1\n'))).toEqual([]);
  expect(root.readText('/etc/hostname')).toBe('n1\n');
});

it('a template with the machine id is expanded', async () => {
  const id = '0123456789abcdef0123456789abcdef';
  const root = temporaryRoot({ 'etc/machine-id': `${id}\n` });
  await runSteps(root, '- hostname: "n-{{ .MachineID }}"');
  expect(root.readText('/etc/hostname')).toBe(`n-${id}\n`);
});

it.each([
  ['the UUID of the firmware', { 'sys/class/dmi/id/product_uuid': '5B0F3C9E-7A52-4E0E-9D0A-0C8C6B1C1E77\n' }],
  ['a serial number', { 'proc/device-tree/serial-number': '10000000abcdef01\0' }],
])('a machine without an id gets a name of its own from %s, the same each time', async (_, files) => {
  const names = new Set<string>();
  for (const boot of [1, 2]) {
    const root = temporaryRoot({ ...files, 'etc/machine-id': boot === 1 ? '' : 'uninitialized\n' });
    const result = await runSteps(root, '- hostname: "n-{{ .MachineID }}"');
    expect(failuresOf(result)).toEqual([]);
    expect(result.problems.map(({ message }) => message)).toEqual([
      "hostname: the machine has no id yet; one made of its hardware's numbers is used in the name",
    ]);
    names.add(root.readText('/etc/hostname'));
  }
  expect([...names]).toEqual([expect.stringMatching(/^n-[0-9a-f]{32}\n$/)]);
  expect([...names].join()).not.toContain('5b0f3c9e');
});

it('a machine without an id and without numbers is told so', async () => {
  const result = await runSteps(temporaryRoot(), '- hostname: "n-{{ .MachineID }}"');
  expect(failuresOf(result)[0]).toContain(`"n-" can't be a host name`);
  expect(result.problems.map(({ message }) => message)).toEqual([
    'hostname: the machine has no id yet, and nothing else that tells it from others',
  ]);
});

it.each([
  ['"a b"', 'letters, digits'],
  ['-a', 'letters, digits'],
  ['a..b', 'letters, digits'],
  ['x'.repeat(65), 'letters, digits'],
  ['"{{ nofunc 4 .MachineID }}"', 'its template is broken: 1:'],
])('%s changes nothing', async (name, failure) => {
  const root = temporaryRoot({ 'proc/sys/kernel/hostname': 'old\n' });
  expect(failuresOf(await runSteps(root, `- hostname: ${name}`))[0]).toContain(failure);
  expect(root.list('/')).toEqual(['proc']);
  expect(root.readText('/proc/sys/kernel/hostname')).toBe('old\n');
});

it.each([
  ['127.0.0.1 localhost db cache\n', '127.0.0.1 localhost db cache n1\n'],
  ['127.0.0.1\tlocalhost # here\n', '127.0.0.1\tlocalhost n1 # here\n'],
  ['# 127.0.0.1 x\n127.0.0.1 a\n127.0.0.1 b\n', '# 127.0.0.1 x\n127.0.0.1 localhost a n1\n127.0.0.1 b\n'],
  ['127.0.0.1 a localhost\n127.0.0.1 n1\n', '127.0.0.1 a localhost\n127.0.0.1 n1\n'],
  ['127.0.0.1 n1 # here\n', '127.0.0.1 localhost n1 # here\n'],
  ['127.0.0.11 a\n::1 b\n', '127.0.0.11 a\n::1 b\n'],
  ['', ''],
])('/etc/hosts %j becomes %j', (before, after) => {
  expect(hostsWithName(before, 'n1')).toBe(after);
});

it.each([
  ['127.0.0.1 localhost old cache\n', '127.0.0.1 localhost n1 cache\n'],
  ['127.0.0.1  older old # old\n', '127.0.0.1 localhost  older n1 # old\n'],
  ['127.0.0.1 localhost n1 old\n', '127.0.0.1 localhost n1 old\n'],
])('the name of before gives way: %j becomes %j', (before, after) => {
  expect(hostsWithName(before, 'n1', 'old')).toBe(after);
});

it('a machine that is renamed has one name in /etc/hosts', async () => {
  const root = temporaryRoot({ 'etc/hosts': '127.0.0.1 localhost db\n', 'etc/hostname': 'localhost\n' });
  await runSteps(root, '- hostname: one\n- hostname: two');
  expect(root.readText('/etc/hosts')).toBe('127.0.0.1 localhost db two\n');
});
