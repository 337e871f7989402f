// What init decides to do to a root file system that needs everything, nothing, or has an owner's own configuration.

import { expect, test } from 'vitest';
import { DIRECTORIES, type FoundPath, type InitFound, planInit } from '../../../src/boot/init-plan.ts';
import type { OsFile } from '../../../src/boot/os-files.generated.ts';

const FILES: Record<string, OsFile> = {
  '/etc/cos/bootargs.cfg': { mode: 0o644, text: 'new' },
  '/etc/systemd/system/x.wants/a.service': { link: '/usr/lib/systemd/system/a.service' },
  '/usr/sbin/cos-upgrade': { mode: 0o755, text: 'script' },
};
const options = { initrd: true, digestOf: (text: string) => `digest of ${text}` };
const file = (text: string, mode = 0o644): FoundPath => ({
  type: 'file',
  digest: `digest of ${text}`,
  mode,
  empty: text === '',
});

/** A root that is ready; each test breaks one thing. */
const ready = (changes: Partial<InitFound> = {}, paths: Record<string, FoundPath> = {}): InitFound => ({
  kernel: { version: '6.1', path: '/boot/vmlinuz-6.1' },
  initrdPath: '/boot/initrd.img-6.1',
  paths: new Map(
    Object.entries<FoundPath>({
      ...Object.fromEntries(Object.keys(DIRECTORIES).map((path) => [path, { type: 'directory' }])),
      '/etc/cos/bootargs.cfg': file('new'),
      '/etc/systemd/system/x.wants/a.service': { type: 'link', target: '/usr/lib/systemd/system/a.service' },
      '/usr/sbin/cos-upgrade': file('script', 0o755),
      '/boot/vmlinuz': { type: 'link', target: 'vmlinuz-6.1' },
      '/boot/initrd': { type: 'link', target: 'initrd.img-6.1' },
      '/etc/fstab': file(''),
      '/etc/machine-id': file(''),
      ...paths,
    }),
  ),
  record: {
    files: { '/etc/cos/bootargs.cfg': 'digest of new', '/usr/sbin/cos-upgrade': 'digest of script' },
    grub: 'g',
    initrd: 'i',
  },
  grubFingerprint: 'g',
  grubNotice: undefined,
  initrdFingerprint: 'i',
  canBuildInitrd: true,
  hasGrub: true,
  hasInitrd: true,
  secrets: [],
  executable: undefined,
  uselessUnits: [],
  ...changes,
});
const summaries = (found: InitFound, initrd = true) =>
  planInit(FILES, found, { ...options, initrd }).actions.map(({ summary }) => summary);

test('a root that is ready needs nothing', () => {
  expect(summaries(ready())).toEqual([]);
});

test.each<[string, Partial<InitFound>, Record<string, FoundPath>, string[]]>([
  ['a missing directory', {}, { '/oem': { type: 'none' } }, ['Make /oem']],
  ['a file that lost its mode', {}, { '/usr/sbin/cos-upgrade': file('script') }, ['Write /usr/sbin/cos-upgrade']],
  ['a foreign program under our name', {}, { '/usr/sbin/cos-upgrade': file('?') }, ['Write /usr/sbin/cos-upgrade']],
  [
    'a unit that is not enabled',
    {},
    { '/etc/systemd/system/x.wants/a.service': { type: 'none' } },
    ['Link /etc/systemd/system/x.wants/a.service to /usr/lib/systemd/system/a.service'],
  ],
  [
    'another kernel',
    { kernel: { version: '6.2', path: '/usr/lib/modules/6.2/vmlinuz' } },
    {},
    ['Link /boot/vmlinuz to ../usr/lib/modules/6.2/vmlinuz'],
  ],
  ['an fstab', {}, { '/etc/fstab': file('UUID=x /') }, ['Empty /etc/fstab: it is written at each boot']],
  [
    'a machine id',
    {},
    { '/etc/machine-id': file('0123') },
    ['Empty /etc/machine-id: each machine gets one at its first boot'],
  ],
  [
    'SSH host keys',
    { secrets: ['/etc/ssh/ssh_host_rsa_key'] },
    {},
    ['Remove /etc/ssh/ssh_host_rsa_key, which must differ on every machine'],
  ],
  [
    'a unit that scrubs what can’t change',
    { uselessUnits: ['e2scrub_reap.service'] },
    {},
    ['Mask e2scrub_reap.service: it has nothing to do here'],
  ],
  ['an executable', { executable: '/x/holdfast' }, {}, ['Copy /x/holdfast to /usr/bin/holdfast']],
  ['another GRUB', { grubFingerprint: 'g2' }, {}, ['Build GRUB’s programs']],
  ['a lost EFI program', { hasGrub: false }, {}, ['Build GRUB’s programs']],
  ['other initramfs inputs', { initrdFingerprint: 'i2' }, {}, ['Build the initramfs for 6.1 with dracut']],
  ['a lost initramfs', { hasInitrd: false }, {}, ['Build the initramfs for 6.1 with dracut']],
])('%s is put right, and nothing else is touched', (_, changes, paths, expected) => {
  expect(summaries(ready(changes, paths))).toEqual(expected);
});

test('the initramfs is left alone when it is somebody else’s', () => {
  expect(summaries(ready({ hasInitrd: false }), false)).toEqual([]);
});

test('configuration that the image’s builder changed is kept and named', () => {
  const plan = planInit(FILES, ready({}, { '/etc/cos/bootargs.cfg': file('mine') }), options);
  expect(plan.notices).toEqual(["/etc/cos/bootargs.cfg is the image's own and was kept"]);
  expect(plan.actions.map(({ kind }) => kind)).toEqual(['record-files']);
});

test('configuration that an older holdfast wrote is renewed', () => {
  const files = { '/etc/cos/bootargs.cfg': 'digest of old', '/usr/sbin/cos-upgrade': 'digest of script' };
  const found = ready({ record: { files, grub: 'g', initrd: 'i' } }, { '/etc/cos/bootargs.cfg': file('old') });
  expect(summaries(found)).toEqual(['Write /etc/cos/bootargs.cfg', 'Note which files are holdfast’s']);
});

test('manual pages and completion scripts are one action, for those that are not as they should be', () => {
  const documents = {
    '/usr/share/man/man8/a.8': 'new',
    '/usr/share/man/man8/b.8': 'same',
    '/usr/share/man/man8/c.8': 'c',
  };
  const found = ready({}, { '/usr/share/man/man8/a.8': file('old'), '/usr/share/man/man8/b.8': file('same') });
  expect(planInit(FILES, found, { ...options, documents }).actions).toEqual([
    {
      kind: 'write-documents',
      summary: 'Write 2 manual pages and completion scripts below /usr/share',
      documents: { '/usr/share/man/man8/a.8': 'new', '/usr/share/man/man8/c.8': 'c' },
    },
  ]);
});
