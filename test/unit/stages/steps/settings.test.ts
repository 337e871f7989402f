// The small keys that write settings: dns, sysctl, timesyncd, systemctl's drop-ins, and firstboot's arguments.

import { mkdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sysctlPaths } from '../../../../src/stages/steps/sysctl.ts';
import { overridePath } from '../../../../src/stages/steps/systemctl.ts';
import { firstbootArguments } from '../../../../src/stages/steps/systemdfirstboot.ts';
import { mergeTimeSection } from '../../../../src/stages/steps/timesyncd.ts';
import { failuresOf, runSteps, temporaryRoot } from '../temporary-root.ts';
import { standInRoot } from './standin-root.ts';

describe('dns', () => {
  it.each([
    [
      'nameservers: [9.9.9.9, 1.1.1.1], search: [a, b], options: [rotate]',
      'search a b\nnameserver 9.9.9.9\nnameserver 1.1.1.1\noptions rotate\n',
    ],
    ['nameservers: [9.9.9.9], search: ["."]', 'nameserver 9.9.9.9\n'],
    ['search: [a]', 'search a\nnameserver 10.0.0.1\noptions edns0\n'],
    ['options: [rotate]', 'search old.example\nnameserver 10.0.0.1\noptions rotate\n'],
    ['nameservers: []', '# old\nsearch old.example\nnameserver 10.0.0.1\noptions edns0\n'],
  ])('%s', async (value, expected) => {
    const root = temporaryRoot({
      'etc/resolv.conf': '# old\nsearch old.example\nnameserver 10.0.0.1\noptions edns0\n',
    });
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
    ['net.ipv4.conf.eth0/100.mtu', '/proc/sys/net/ipv4/conf/eth0.100/mtu', '/proc/sys/net/ipv4/conf/eth0/100/mtu'],
    ['net.ipv4/ip_forward', '/proc/sys/net/ipv4.ip_forward', '/proc/sys/net/ipv4/ip_forward'],
    ['../../etc/passwd', '/proc/sys/etc/passwd'],
    ['/../../etc/passwd'],
    ['net/../../x'],
    [''],
  ])('%s is %s', (key, ...paths) => {
    expect(sysctlPaths(key)).toEqual(paths);
  });
  it('a name with a dot is found in both ways of writing it', async () => {
    const file = 'proc/sys/net/ipv4/conf/eth0.100/forwarding';
    const root = temporaryRoot({ [file]: '0\n', 'proc/sys/net/ipv4/ip_forward': '0\n' });
    const keys = 'net.ipv4.conf.eth0/100.forwarding: 1, net.ipv4/ip_forward: 1';
    expect(failuresOf(await runSteps(root, `- sysctl: {${keys}}`))).toEqual([]);
    expect([root.readText(`/${file}`), root.readText('/proc/sys/net/ipv4/ip_forward')]).toEqual(['1', '1']);
  });
  it('values are written without a line end, an unknown key fails alone', async () => {
    const root = temporaryRoot({ 'proc/sys/net/ipv4/ip_forward': '0\n', 'proc/sys/vm/swappiness': '60\n' });
    const result = await runSteps(root, '- sysctl: {net.ipv4.ip_forward: 1, no.such: 1, vm.swappiness: 10}');
    expect(failuresOf(result)).toEqual(['sysctl: the kernel has no setting no.such']);
    expect(root.readText('/proc/sys/net/ipv4/ip_forward')).toBe('1');
    expect(root.readText('/proc/sys/vm/swappiness')).toBe('10');
    expect(root.exists('/proc/sys/no')).toBe(false);
    expect(result.steps[0]?.changedFiles).toEqual(['/proc/sys/net/ipv4/ip_forward', '/proc/sys/vm/swappiness']);
  });
  it('a setting that has its value already is written, but is no change', async () => {
    const root = temporaryRoot({ 'proc/sys/net/ipv4/tcp_rmem': '4096\t131072\t6291456\n' });
    const result = await runSteps(root, '- systctl: {net.ipv4.tcp_rmem: 4096 131072 6291456}');
    expect(result.steps[0]?.changedFiles).toEqual([]);
    expect(root.readText('/proc/sys/net/ipv4/tcp_rmem')).toBe('4096 131072 6291456');
    expect(result.problems.map(({ message }) => message)).toEqual(['the key "systctl" is read as "sysctl"']);
  });
  it('a value that the kernel refuses is told with its key', async () => {
    const root = temporaryRoot();
    mkdirSync(join(root.directory, 'proc/sys/vm/swappiness'), { recursive: true });
    expect(failuresOf(await runSteps(root, '- sysctl: {vm.swappiness: high}'))).toEqual([
      `sysctl: the kernel doesn't take "high" for vm.swappiness (EISDIR)`,
    ]);
  });
  it('a root without /proc is told so', async () => {
    expect(failuresOf(await runSteps(temporaryRoot(), '- sysctl: {vm.swappiness: 10}'))).toEqual([
      'sysctl: the kernel has no setting vm.swappiness (no /proc is mounted in this root)',
    ]);
  });
  it('settings are made in the order of the file', async () => {
    const root = temporaryRoot({ 'proc/sys/a': '', 'proc/sys/b': '' });
    const result = await runSteps(root, '- sysctl: {b: 1, a: 1}');
    expect(result.steps[0]?.changedFiles).toEqual(['/proc/sys/b', '/proc/sys/a']);
  });
});

describe('modules', () => {
  const proc = { 'proc/modules': 'br_netfilter 32768 0 - Live 0x0\nloop 40960 2 - Live 0x0\n' };
  it('one that is loaded is left alone, however its name is written', async () => {
    const root = temporaryRoot({
      ...proc,
      'sys/module/loop/parameters/max_loop': '8\n',
      'sys/module/loop/parameters/hw_queue_depth': '128\n',
      'sys/module/br_netfilter/parameters/on': 'Y\n',
    });
    const result = await runSteps(
      root,
      '- modules: [br-netfilter, "br_netfilter on=1", "loop max_loop=8", "loop nope=1"]',
    );
    expect(failuresOf(result)).toEqual([]);
    expect(result.problems).toEqual([]);
    const other = await runSteps(root, '- modules: ["loop max_loop=16 hw-queue-depth=128"]');
    expect(other.problems.map(({ message }) => message)).toEqual([
      'modules: loop is loaded already, without max_loop=16',
    ]);
  });
  it("the others are loaded by the root's own modprobe, and one that fails does not stop the next", async () => {
    const root = standInRoot('ID=x\n', { modprobe: 'exit 1' });
    const result = await runSteps(root, '- modules: [overlay, "dummy numdummies=2", ""]');
    expect(root.calls()).toEqual(['modprobe [--] [overlay]', 'modprobe [--] [dummy] [numdummies=2]']);
    expect(failuresOf(result)).toEqual([
      'modules: modprobe -- overlay failed with status 1; modprobe -- dummy numdummies=2 failed with status 1',
    ]);
  });
});

describe('timesyncd', () => {
  it.each([
    ['', '[Time]\nNTP=a b\n'],
    ['[Time]\n#NTP=\nNTP = old\nFallbackNTP=x\n', '[Time]\n#NTP=\nNTP=a b\nFallbackNTP=x\n'],
    ['[Other]\nNTP=x\n', '[Other]\nNTP=x\n[Time]\nNTP=a b\n'],
    ['[Time]\nNTP=x\nFallbackNTP=y\nNTP=z\n', '[Time]\nNTP=a b\nFallbackNTP=y\n'],
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

it('a setting of timesyncd with a line end of its own is refused, the others are made', async () => {
  const root = temporaryRoot();
  const result = await runSteps(root, '- timesyncd: {NTP: "a\\n[Other]", FallbackNTP: b}');
  expect(failuresOf(result)).toEqual([String.raw`timesyncd: "NTP=a\n[Other]" can't be a setting of systemd-timesyncd`]);
  expect(root.readText('/etc/systemd/timesyncd.conf.d/10-yip.conf')).toBe('[Time]\nFallbackNTP=b\n');
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
  it('an entry of several words is several arguments, as a shell splits it', async () => {
    const root = standInRoot('ID=x\n', { systemctl: '' });
    const result = await runSteps(root, '- systemctl: {enable: [a b.socket, --now c], mask: ["d; e"]}');
    expect(failuresOf(result)).toEqual([]);
    expect(root.calls()).toEqual([
      'systemctl [enable] [a] [b.socket]',
      'systemctl [enable] [--now] [c]',
      'systemctl [mask] [d;] [e]',
    ]);
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

describe('systemd_firstboot', () => {
  it('gets one call with sorted options', () => {
    const settings = new Map([
      ['Timezone', 'UTC'],
      ['force', 'true'],
      ['locale', 'en_US.UTF-8'],
      ['root-shell', '/bin/my shell'],
    ]);
    expect(firstbootArguments(settings)).toEqual([
      '--force',
      '--locale=en_US.UTF-8',
      '--root-shell=/bin/my shell',
      '--timezone=UTC',
    ]);
    expect(firstbootArguments(new Map([['force', 'false']]))).toEqual([]);
  });
  const zones = { 'usr/share/zoneinfo/UTC': '', 'usr/share/zoneinfo/Europe/Berlin': '' };
  const settings = 'keymap: us, locale: en_US.UTF-8, locale-messages: "a b", timezone: Europe/Berlin, hostname: n1';
  it('without the tool, the files that it would write are written', async () => {
    const root = temporaryRoot(zones);
    const result = await runSteps(root, `- systemd_firstboot: {${settings}, machine-id: ${'0a'.repeat(16)}}`);
    expect(failuresOf(result)).toEqual([]);
    expect(root.readText('/etc/vconsole.conf')).toBe('KEYMAP=us\n');
    expect(root.readText('/etc/locale.conf')).toBe('LANG=en_US.UTF-8\nLC_MESSAGES="a b"\n');
    expect(readlinkSync(join(root.directory, 'etc/localtime'))).toBe('../usr/share/zoneinfo/Europe/Berlin');
    expect(root.readText('/etc/hostname')).toBe('n1\n');
    expect(root.readText('/etc/machine-id')).toBe(`${'0a'.repeat(16)}\n`);
    expect(result.steps[0]?.changedFiles).toEqual([
      '/etc/vconsole.conf',
      '/etc/locale.conf',
      '/etc/localtime',
      '/etc/hostname',
      '/etc/machine-id',
    ]);
    const again = await runSteps(root, `- systemd_firstboot: {${settings}, force: true}`);
    expect([failuresOf(again), again.steps[0]?.changedFiles]).toEqual([[], []]);
  });
  it.each([
    ['', 'KEYMAP=de\nFONT=x\n', '../usr/share/zoneinfo/UTC'],
    [', force: true', 'KEYMAP=us\nFONT=x\n', '../usr/share/zoneinfo/Europe/Berlin'],
    [', force: "false"', 'KEYMAP=de\nFONT=x\n', '../usr/share/zoneinfo/UTC'],
  ])('what is there stays unless force is given (%s)', async (force, keymap, timezone) => {
    const root = temporaryRoot({ ...zones, 'etc/vconsole.conf': 'KEYMAP=de\nFONT=x\n', 'etc/default/locale': '' });
    symlinkSync('../usr/share/zoneinfo/UTC', join(root.directory, 'etc/localtime'));
    expect(failuresOf(await runSteps(root, `- systemd_firstboot: {${settings}${force}}`))).toEqual([]);
    expect(root.readText('/etc/vconsole.conf')).toBe(keymap);
    expect(root.readText('/etc/default/locale')).toBe('LANG=en_US.UTF-8\nLC_MESSAGES="a b"\n');
    expect(readlinkSync(join(root.directory, 'etc/localtime'))).toBe(timezone);
  });
  it.each([
    ['timezone: ../../etc/passwd', 'there is no time zone "../../etc/passwd"'],
    ['timezone: Nowhere', 'there is no time zone "Nowhere"'],
    [
      'root-password: secret',
      '"root-password" needs the program systemd-firstboot, which isn\'t there (install the package systemd)',
    ],
    ['machine-id: x', "x can't be a machine id"],
  ])('without the tool, %s fails alone', async (setting, failure) => {
    const root = temporaryRoot(zones);
    const result = await runSteps(root, `- systemd_firstboot: {${setting}, keymap: us}`);
    expect(failuresOf(result)[0]).toContain(failure);
    expect(JSON.stringify(result)).not.toContain('secret');
    expect(root.list('/etc')).toEqual(['vconsole.conf']);
  });
});
