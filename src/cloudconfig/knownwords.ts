// The words that certain texts of a stage file choose from: what editors offer, and what a misspelling is compared with.

/** Stages that something runs, with when. Each also has `.before` and `.after`; other names are free. */
export const STAGES: Readonly<Record<string, string>> = {
  'pre-rootfs': 'In the initramfs, before the root file system is looked for (Elemental 2).',
  rootfs: 'In the initramfs, when the root file system is mounted; it still acts on the initramfs.',
  initramfs: 'In the initramfs, with the mounted system as the root. Programs of the system run, its services do not.',
  fs: 'Early at boot, when the local file systems are mounted.',
  boot: 'At boot, while services start.',
  network: 'At boot, when the network is up.',
  reconcile: 'Five minutes after boot, and then every hour.',
  'before-install': 'On the installing system, before an installation writes anything.',
  'after-install-chroot': 'Inside of the new system, when its files are in place.',
  'after-install': 'On the installing system, after the installation.',
  'post-install': 'On the installing system, as the last thing of an installation.',
  'before-upgrade': 'On the running system, before an upgrade writes anything.',
  'after-upgrade-chroot': 'Inside of the new system, when its files are in place.',
  'after-upgrade': 'On the running system, after the upgrade.',
  'post-upgrade': 'On the running system, as the last thing of an upgrade.',
  'before-reset': 'On the running system, before a reset writes anything.',
  'after-reset-chroot': 'Inside of the new system, when its files are in place.',
  'after-reset': 'On the running system, after the reset.',
  'post-reset': 'On the running system, as the last thing of a reset.',
  'after-deploy-chroot': 'Inside of the deployed system, when its files are in place.',
  'after-deploy': 'On the running system, after a deployment.',
  'before-disk': 'Before a disk image is built (Elemental 2).',
  'after-disk-chroot': 'Inside of the system of a disk image that is built (Elemental 2).',
  'after-disk': 'After a disk image was built (Elemental 2).',
  'post-disk': 'As the last thing of building a disk image (Elemental 2).',
  'kairos-install.pre': 'Before an installation by Kairos.',
  'kairos-install.after': 'After an installation by Kairos.',
  'kairos-uki-install.pre': 'Before an installation of a unified kernel image by Kairos.',
  'kairos-uki-install.after': 'After an installation of a unified kernel image by Kairos.',
  'kairos-uki-upgrade.pre': 'Before an upgrade of a unified kernel image by Kairos.',
  'kairos-uki-upgrade.after': 'After an upgrade of a unified kernel image by Kairos.',
  'kairos-uki-reset.pre': 'Before a reset of a unified kernel image by Kairos.',
  'kairos-uki-reset.after': 'After a reset of a unified kernel image by Kairos.',
  partitioning: 'Run by cos-installer on the file that --partition-layout names.',
  default: 'The stage that `holdfast cloud-init` and yip run when none is named.',
};

/** Keys that Kairos and its kin keep at the top of the same file; they are none of our business. */
export const FOREIGN_KEYS: Readonly<Record<string, string>> = {
  install: 'Settings of the installer (Kairos, Elemental, Harvester).',
  reset: 'Settings of a reset (Kairos, Elemental).',
  upgrade: 'Settings of an upgrade (Kairos, Elemental).',
  config_url: 'Where Kairos fetches more configuration.',
  k3s: 'Settings of k3s (Kairos).',
  'k3s-agent': 'Settings of a k3s agent (Kairos).',
  k0s: 'Settings of k0s (Kairos).',
  'k0s-worker': 'Settings of a k0s worker (Kairos).',
  kubevip: 'Settings of KubeVIP (Kairos).',
  kcrypt: 'Settings of disk encryption (Kairos).',
  p2p: 'Settings of the peer to peer network (Kairos).',
  vpn: 'Settings of the virtual private network (Kairos).',
  cluster: 'Settings of the cluster (Kairos).',
  bundles: 'Bundles of files to install (Kairos).',
  grub_options: 'Variables of the GRUB environment (Kairos).',
  elemental: 'Settings of Elemental.',
  options: 'Further settings (Kairos).',
  strict: 'Whether Kairos fails on what it does not know.',
  debug: 'Whether Kairos says more.',
  rancherd: 'Settings of rancherd (Harvester, os2).',
};

export const ENCODINGS = [
  'b64',
  'base64',
  'gz',
  'gzip',
  'gz+b64',
  'gz+base64',
  'gzip+b64',
  'gzip+base64',
  'text/plain',
] as const;

export const PROVIDERS = [
  'aws',
  'azure',
  'cdrom',
  'config-drive',
  'digitalocean',
  'file',
  'gcp',
  'hetzner',
  'metaldata',
  'openstack',
  'packet',
  'scaleway',
  'vmware',
  'vultr',
] as const;

export const FILESYSTEMS = [
  'ext4',
  'xfs',
  'btrfs',
  'vfat',
  'swap',
  'ext2',
  'ext3',
  'fat',
  'fat16',
  'fat32',
  '-',
  'none',
  'noformat',
] as const;

/** Go's names. */
export const ARCHITECTURES = ['amd64', 'arm64', 'arm', '386', 'riscv64', 'ppc64le', 's390x', 'loong64'] as const;

/** What else architectures are called → Go's name. */
export const ARCHITECTURE_SYNONYMS: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  x64: 'amd64',
  aarch64: 'arm64',
  armv7: 'arm',
  armv7l: 'arm',
  armhf: 'arm',
  i386: '386',
  i686: '386',
  x86: '386',
};

export const SERVICE_MANAGERS = ['systemd', 'openrc'] as const;

/** systemd.unit(5). */
export const UNIT_SUFFIXES = [
  'service',
  'socket',
  'device',
  'mount',
  'automount',
  'swap',
  'target',
  'path',
  'timer',
  'slice',
  'scope',
] as const;

/** Fields of an entity by kind. */
export const ENTITY_FIELDS: Readonly<Record<string, readonly string[]>> = {
  user: ['username', 'password', 'uid', 'gid', 'group', 'info', 'homedir', 'shell'],
  shadow: [
    'username',
    'password',
    'last_changed',
    'minimum_changed',
    'maximum_changed',
    'warn',
    'inactive',
    'expire',
    'reserved',
  ],
  group: ['group_name', 'password', 'gid', 'users'],
  gshadow: ['name', 'password', 'administrators', 'members'],
};
