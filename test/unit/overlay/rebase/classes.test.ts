// The table of classes: which paths are whose.

import { describe, expect, it } from 'vitest';
import { classOf, patternOf } from '../../../../src/overlay/rebase/classes.ts';

describe('the class of a path', () => {
  it.each([
    ['etc/chrony.conf', 'configuration'],
    ['etc', 'configuration'],
    ['var/lib/app/data', 'configuration'],
    ['root/.bashrc', 'configuration'],
    ['usr/local/bin/tool', 'configuration'],
    ['data/file', 'configuration'],
    ['usr/bin/vim', 'vendor'],
    ['lib/systemd/system/a.service', 'vendor'],
    ['lib64', 'vendor'],
    ['etc/passwd', 'record'],
    ['etc/subgid', 'record'],
    ['etc/passwd-', 'regenerated'],
    ['etc/machine-id', 'identity'],
    ['etc/ssh/ssh_host_ed25519_key.pub', 'identity'],
    ['etc/ssh/sshd_config', 'configuration'],
    ['boot/vmlinuz-6.1', 'kernel-bound'],
    ['usr/lib/modules/6.1/extra/mine.ko', 'kernel-bound'],
    ['etc/selinux/targeted/policy/policy.33', 'kernel-bound'],
    ['etc/selinux/config', 'configuration'],
    ['etc/fstab', 'boot-generated'],
    ['etc/fstab.d/x', 'configuration'],
    ['etc/ld.so.cache', 'regenerated'],
    ['var/cache/apt/archives/x.deb', 'regenerated'],
    ['usr/lib/python3/dist-packages/a/__pycache__/b.pyc', 'regenerated'],
    ['usr/lib/python3/dist-packages/a/__pycache__', 'regenerated'],
    ['tmp/x', 'regenerated'],
    ['tmpfile', 'configuration'],
    ['var/lib/dpkg/status', 'package-database'],
    ['usr/lib/sysimage/rpm/rpmdb.sqlite', 'package-database'],
    ['lib/apk/db/installed', 'package-database'],
    ['var/log/dpkg.log', 'log'],
    ['etc/\xff\n', 'configuration'],
    ['', 'configuration'],
  ])('of %s is %s', (path, name) => {
    expect(classOf(path)).toBe(name);
  });
});

describe('a pattern', () => {
  it.each([
    ['/etc/*.conf', 'etc/a.conf', true],
    ['/etc/*.conf', 'etc/a/b.conf', false],
    ['/etc/**', 'etc', true],
    ['/etc/**', 'etcetera', false],
    ['/etc/**', 'etc/a\nb', true],
    ['etc/**/x', 'etc/x', true],
    ['etc/**/x', 'etc/a/b/x', true],
    ['etc/a.c', 'etc/abc', false],
    ['**', 'anything/at/all', true],
  ])('%s fits %j: %s', (pattern, path, fits) => {
    expect(patternOf(pattern).test(path)).toBe(fits);
  });
});
