// The small keys that write settings: dns, sysctl, timesyncd, systemctl's drop-ins, and firstboot's arguments.

import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sysctlPath } from '../../../../src/stages/steps/sysctl.ts';
import { overridePath } from '../../../../src/stages/steps/systemctl.ts';
import { firstbootArguments } from '../../../../src/stages/steps/systemdfirstboot.ts';
import { mergeTimeSection } from '../../../../src/stages/steps/timesyncd.ts';
import { failuresOf, runSteps, temporaryRoot } from '../temporary-root.ts';

describe('dns', () => {
  it.each([
    [
      'nameservers: [9.9.9.9, 1.1.1.1], search: [a, b], options: [rotate]',
      'search a b\nnameserver 9.9.9.9\nnameserver 1.1.1.1\noptions rotate\n',
    ],
    ['nameservers: [9.9.9.9], search: ["."]', 'nameserver 9.9.9.9\n'],
    ['search: [a]', 'search a\nnameserver 10.0.0.1\n'],
    ['options: [rotate]', 'nameserver 10.0.0.1\noptions rotate\n'],
    ['nameservers: []', '# old\nnameserver 10.0.0.1\n'],
  ])('%s', async (value, expected) => {
    const root = temporaryRoot({ 'etc/resolv.conf': '# old\nnameserver 10.0.0.1\n' });
    expect(failuresOf(await runSteps(root, `- dns: {${value}}`))).toEqual([]);
    expect(root.readText('/etc/resolv.conf')).toBe(expected);
  });
  it('a dangling link into /run gets its target', async () => {
    const root = temporaryRoot({ 'etc/x': '' });
    symlinkSync('../run/systemd/resolve/stub-resolv.conf', join(root.directory, 'etc/resolv.conf'));
    expect(failuresOf(await runSteps(root, '- dns: {nameservers: [9.9.9.9]}'))).toEqual([]);
    expect(root.readText('/run/systemd/resolve/stub-resolv.conf')).toBe('nameserver 9.9.9.9\n');
  });
  it('another path may be named', async () => {
    const root = temporaryRoot();
    await runSteps(root, '- dns: {nameservers: [9.9.9.9], path: /etc/dns/own.conf}');
    expect(root.readText('/etc/dns/own.conf')).toBe('nameserver 9.9.9.9\n');
  });
});

describe('sysctl', () => {
  it.each([
    ['net.ipv4.ip_forward', '/proc/sys/net/ipv4/ip_forward'],
    ['net/ipv4/conf/eth0.100/forwarding', '/proc/sys/net/ipv4/conf/eth0.100/forwarding'],
    ['net.ipv4/ip_forward', '/proc/sys/net/ipv4/ip_forward'],
    ['../../etc/passwd', '/proc/sys/etc/passwd'],
    ['/../../etc/passwd', undefined],
    ['net/../../x', undefined],
    ['', undefined],
  ])('%s is %s', (key, path) => {
    expect(sysctlPath(key)).toBe(path);
  });
  it('values are written without a line end, an unknown key fails alone', async () => {
    const root = temporaryRoot({ 'proc/sys/net/ipv4/ip_forward': '0\n', 'proc/sys/vm/swappiness': '60\n' });
    const result = await runSteps(root, '- sysctl: {net.ipv4.ip_forward: 1, no.such: 1, vm.swappiness: 10}');
    expect(failuresOf(result)).toEqual(['sysctl: the kernel has no setting no.such']);
    expect(root.readText('/proc/sys/net/ipv4/ip_forward')).toBe('1');
    expect(root.readText('/proc/sys/vm/swappiness')).toBe('10');
    expect(root.exists('/proc/sys/no')).toBe(false);
  });
});

describe('timesyncd', () => {
  it.each([
    ['', '[Time]\nNTP=a b\n'],
    ['[Time]\n#NTP=\nNTP = old\nFallbackNTP=x\n', '[Time]\n#NTP=\nNTP=a b\nFallbackNTP=x\n'],
    ['[Other]\nNTP=x\n', '[Other]\nNTP=x\n[Time]\nNTP=a b\n'],
    ['[Time]\n[Other]\nNTP=x\n', '[Time]\nNTP=a b\n[Other]\nNTP=x\n'],
  ])('%j becomes %j', (before, after) => {
    expect(mergeTimeSection(before, new Map([['NTP', 'a b']]))).toBe(after);
  });
  it('goes to a drop-in', async () => {
    const root = temporaryRoot();
    await runSteps(root, '- timesyncd: {NTP: 0.pool.example.org, FallbackNTP: ""}');
    expect(root.readText('/etc/systemd/timesyncd.conf.d/10-yip.conf')).toBe(
      '[Time]\nNTP=0.pool.example.org\nFallbackNTP=\n',
    );
  });
});

describe('systemctl', () => {
  it.each([
    [{ service: 'sshd' }, '/etc/systemd/system/sshd.service.d/override-yip.conf'],
    [{ service: 'foo.timer', name: 'x' }, '/etc/systemd/system/foo.timer.d/x.conf'],
    [{ service: 'getty@tty1', name: 'x.conf' }, '/etc/systemd/system/getty@tty1.service.d/x.conf'],
    [{ name: 'x' }, undefined],
  ])('the drop-in of %j is %s', (override, path) => {
    expect(overridePath(override)).toBe(path);
  });
  it('drop-ins are written, incomplete ones skipped with a warning, names with a slash refused', async () => {
    const root = temporaryRoot();
    const result = await runSteps(
      root,
      '- systemctl:\n    overrides:\n    - {service: a, content: "[Service]\\n"}\n    - {service: b}\n    - {service: ../c, content: x}',
    );
    expect(root.readText('/etc/systemd/system/a.service.d/override-yip.conf')).toBe('[Service]\n');
    expect(result.problems.map(({ message }) => message)).toEqual([
      'systemctl: an override without service or content is skipped',
    ]);
    expect(failuresOf(result)).toEqual(['systemctl: ../c: the name of a unit or a drop-in has no "/"']);
  });
});

it('systemd-firstboot gets one call with sorted options', () => {
  const settings = new Map([
    ['Timezone', 'UTC'],
    ['force', 'true'],
    ['locale', 'en_US.UTF-8'],
  ]);
  expect(firstbootArguments(settings)).toEqual(['--force', '--locale=en_US.UTF-8', '--timezone=UTC']);
});
