// A plan as a large upgrade makes it: some of everything, names as long as they get, and one that would be markup. Tests change
// one thing of it each.

import type { EtcFile, PackageChange, PathChange, PlanDocument } from '../../../src/preview/document.ts';

const packages: PackageChange[] = [
  { name: 'base-files', architecture: 'amd64', from: '12.4+deb12u8', to: '12.4+deb12u9', change: 'upgraded' },
  { name: 'linux-image-6.1.0-32-amd64', architecture: 'amd64', to: '6.1.129-1', change: 'added' },
  { name: 'linux-image-6.1.0-28-amd64', architecture: 'amd64', from: '6.1.119-1', change: 'removed' },
  { name: 'containerd.io', architecture: 'amd64', from: '1.7.25-1', to: '1.7.24-1', change: 'downgraded' },
  {
    name: 'python3-a-name-of-a-package-that-goes-on-and-on-and-on',
    architecture: 'all',
    from: '1:20240101.1.0.0~rc3+dfsg1-0+deb12u1',
    to: '1:20250202.1.0.0~rc4+dfsg1-0+deb12u1~bpo12+1',
    change: 'upgraded',
  },
  { name: '<script>alert(1)</script>', from: '"1"', to: "'2' & more", change: 'changed' },
  ...Array.from(
    { length: 70 },
    (_, index): PackageChange => ({
      name: `libexample${index}`,
      architecture: 'amd64',
      from: `2.${index}-1`,
      to: `2.${index}-2`,
      change: 'upgraded',
    }),
  ),
];

const etc: EtcFile[] = [
  {
    path: '/etc/ssh/sshd_config',
    change: 'changed',
    what: ['content'],
    winner: 'image',
    because: 'the image changed it',
    hunks: [
      '@@ -12,7 +12,7 @@',
      ' #AddressFamily any',
      ' #ListenAddress 0.0.0.0',
      ' ',
      '-#PermitRootLogin prohibit-password',
      '+PermitRootLogin no',
      ' #StrictModes yes',
      ' #MaxAuthTries 6',
      ' #MaxSessions 10',
    ],
  },
  {
    path: '/etc/motd',
    change: 'changed',
    what: ['content', 'mode'],
    winner: 'owner',
    because: 'you asked for it; the image changed it, too, and loses',
    step: { file: '/oem/90_holdfast_owner.yaml', line: 14, name: 'keep /etc/motd' },
    hunks: [
      '@@ -1 +1,2 @@',
      '-Welcome to Demo 1.',
      '+This is the machine in the cellar.',
      `+A line that is much longer than a phone is wide: ${'word '.repeat(30)}end`,
    ],
  },
  {
    path: '/etc/sysctl.d/90-site.conf',
    change: 'added',
    what: [],
    winner: 'stage-file',
    because: 'a stage file makes it so',
    step: { file: '/oem/90_site.yaml', line: 3, name: 'tune the kernel <b>' },
    hunks: ['@@ -0,0 +1,2 @@', '+net.ipv4.ip_forward = 1', '+vm.swappiness = 10'],
  },
  {
    path: '/etc/ssl/private/site.key',
    change: 'changed',
    what: ['content'],
    winner: 'stage-file',
    because: 'a stage file makes it so',
    hidden: 'it holds secrets',
  },
  {
    path: '/etc/hosts',
    change: 'changed',
    what: ['content'],
    winner: 'merged',
    because: 'the root overlay’s and the image’s changes: different lines',
    hunks: ['@@ -1 +1,2 @@', ' 127.0.0.1 localhost', '+192.0.2.7 registry'],
  },
  {
    path: '/etc/old-daemon.conf',
    change: 'removed',
    what: [],
    winner: 'image',
    because: 'the image no longer has it',
    hunks: ['@@ -1 +0,0 @@', '-enabled = yes'],
  },
  {
    path: '/etc/ld.so.cache',
    change: 'changed',
    what: ['content'],
    winner: 'unknown',
    because: 'a hook, or a package that it installs, makes it so',
  },
];

const paths: PathChange[] = [
  ...etc.map(({ path, change, what }): PathChange => ({ path, change, what })),
  ...Array.from(
    { length: 130 },
    (_, index): PathChange => ({
      path: `/usr/share/locale/xx/LC_MESSAGES/a-rather-long-name-of-a-catalogue-${index}.mo`,
      change: index % 3 === 0 ? 'added' : 'changed',
      what: index % 3 === 0 ? [] : ['content', 'time'],
    }),
  ),
  { path: '/boot/vmlinuz', change: 'changed', what: ['content'] },
];

export const samplePlan: PlanDocument = {
  format: 'holdfast-plan',
  version: 1,
  id: '3f9c1ab27d04',
  created: '2026-11-21T21:45:12.345Z',
  command: 'holdfast upgrade --plan --html plan.html registry.example.com/demo/os:2.0',
  running: {
    slot: 'active',
    name: 'Demo 1 (bookworm)',
    version: '1.0',
    source: 'docker:registry.example.com/demo/os:1.0',
    digest: `sha256:${'1'.repeat(64)}`,
    uuid: '0c7c0d1e-1111-4222-8333-944455566677',
  },
  next: {
    name: 'Demo 2 (bookworm)',
    version: '2.0',
    source: 'docker:registry.example.com/demo/os:2.0',
    digest: `sha256:${'2'.repeat(64)}`,
    uuid: '1d8d1e2f-2222-4333-9444-a55566677788',
  },
  passive: 'the system that is running now',
  trust: {
    verified: true,
    by: 'notary',
    words: 'digests of all layers; signed in Notary at notary.example.com as registry.example.com/demo/os:2.0',
  },
  packages: { manager: 'dpkg', changes: packages },
  kernel: {
    from: ['6.1.0-28-amd64'],
    to: ['6.1.0-32-amd64'],
    imageChanged: true,
    initramfsChanged: true,
    arguments: {
      from: ['root=LABEL=$state_label', 'console=ttyS0,115200', 'panic=5'],
      to: ['root=LABEL=$state_label', 'console=ttyS0,115200', 'panic=10', 'quiet'],
      added: ['panic=10', 'quiet'],
      removed: ['panic=5'],
    },
  },
  units: [
    { name: 'containerd.service', change: 'changed', system: 'systemd' },
    { name: 'old-daemon.service', change: 'disabled', wantedBy: 'multi-user.target', system: 'systemd' },
    { name: 'old-daemon.service', change: 'removed', system: 'systemd' },
    { name: 'systemd-timesyncd.service', change: 'enabled', wantedBy: 'sysinit.target', system: 'systemd' },
  ],
  etc: { files: etc, omitted: 0 },
  stages: [
    {
      hook: 'after-upgrade-chroot',
      where: 'new system',
      when: 'while planning',
      steps: [
        {
          stage: 'after-upgrade-chroot',
          file: '/oem/90_site.yaml',
          line: 3,
          name: 'tune the kernel <b>',
          outcome: 'ran',
          changedFiles: ['/etc/sysctl.d/90-site.conf'],
        },
        {
          stage: 'after-upgrade-chroot',
          file: '/oem/90_holdfast_owner.yaml',
          line: 14,
          name: 'keep /etc/motd',
          outcome: 'ran',
          changedFiles: ['/etc/motd'],
        },
        {
          stage: 'after-upgrade-chroot',
          file: '/oem/91_gpu.yaml',
          line: 7,
          outcome: 'skipped',
          reason: 'if: lspci | grep -qi nvidia (status 1)',
        },
      ],
    },
    { hook: 'before-upgrade', where: 'this machine', when: 'when it is applied', steps: [] },
    {
      hook: 'post-upgrade',
      where: 'this machine',
      when: 'when it is applied',
      steps: [
        {
          stage: 'post-upgrade',
          file: '/oem/90_site.yaml',
          line: 21,
          name: 'tell the monitoring',
          outcome: 'depends',
          reason: 'if: systemctl is-active monitoring',
        },
      ],
    },
  ],
  files: { added: 48, removed: 1, changed: 89, contentBytes: 193_986_560, paths, omitted: 0 },
  overlay: {
    place: 'LABEL=COS_PERSISTENT:/overlay.img',
    action: 'carried',
    decided: 1,
    report: [
      'overlay LABEL=COS_PERSISTENT:/overlay.img, changes over 3f9c',
      '  apply        12   9 added, 3 changed, 0 deleted',
    ],
  },
  writes: [
    { partition: 'oem', path: '/oem/made-by-hook', what: 'written', own: false },
    { partition: 'oem', path: '/oem/holdfast/packages.lock', what: 'written', own: true },
  ],
  cost: {
    fetchedBytes: 48_234_496,
    toFetchBytes: 0,
    imageBytes: 612_368_384,
    writtenBytes: 193_986_560,
    filesystems: [
      {
        name: 'COS_STATE',
        sizeBytes: 15_032_385_536,
        freeBytes: 9_663_676_416,
        heldBytes: 442_499_072,
        peakBytes: 490_733_568,
        applyBytes: 0,
      },
    ],
    planning: { seconds: 48.3, basis: 'measured' },
    applying: { seconds: 8.6, basis: 'record' },
  },
  apply: [
    { kind: 'open-state', summary: 'Open the state partition (/dev/vda4) for writing' },
    { kind: 'take-plan', summary: 'Check that everything is as it was when the plan was made, and take what it built' },
    { kind: 'copy-to-passive', summary: 'Keep the running system as passive (the fallback)' },
    { kind: 'activate', summary: 'Switch: the new system becomes active' },
  ],
  warnings: ['/oem/91_gpu.yaml:9:5: "permission" is not known here; did you mean "permissions"?'],
};
