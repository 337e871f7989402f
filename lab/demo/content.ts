// What makes Debian's packages the demo system: its name and version, a network, and a root shell on the serial port.
// Version 2 is version 1 with a few files changed, one added and one removed, all of them to be seen from inside.

import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A file of an image: text or bytes with permission bits (default 0644), a symbolic link, or a name that a layer removes. */
export type DemoFile = { text: string | Uint8Array; mode?: number } | { link: string } | 'removed';

/** By path in the image, without a leading slash. */
export type DemoFiles = Readonly<Record<string, DemoFile>>;

/** Services that would only wake up in the middle of a demonstration. */
const MASKED_UNITS = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  // No binary needs it, and on a busy host it runs into its time limit.
  'systemd-binfmt.service',
];

const UNITS = 'etc/systemd/system';
const NETWORKD = '/lib/systemd/system/systemd-networkd';

/** The system's own description, os-release(5). */
function osRelease(version: number): string {
  return [
    `PRETTY_NAME="Holdfast demo ${version}"`,
    'NAME="Holdfast demo"',
    // It is Debian 12, for whoever picks packages by these; what it is beyond that is in IMAGE_ID and IMAGE_VERSION.
    'ID=debian',
    'VERSION_ID="12"',
    'VERSION_CODENAME=bookworm',
    `VERSION="${version}"`,
    'IMAGE_ID=holdfast-demo',
    `IMAGE_VERSION="${version}"`,
    '',
  ].join('\n');
}

function versionFiles(version: number): DemoFiles {
  return {
    'usr/lib/os-release': { text: osRelease(version) },
    'usr/share/holdfast-demo/version': { text: `${version}\n` },
    'etc/motd': { text: `This is Holdfast demo ${version}.\n` },
  };
}

/** Drivers that a virtual machine loads, tests for seconds under software emulation, and never uses. */
const USELESS_DRIVERS = [
  'kvm',
  'kvm_amd',
  'kvm_intel',
  'powernow_k8',
  'aesni_intel',
  'ghash_clmulni_intel',
  'sha512_ssse3',
  'crct10dif_pclmul',
  'crc32_pclmul',
  'psmouse',
  'pcspkr',
  'iTCO_wdt',
];

/**
 * Kernel arguments that the demo system is installed with beside those of bootargs.cfg. The last one is for services such as
 * the installer's: what an optimising compiler makes at run time is translated once more under software emulation.
 */
export const DEMO_KERNEL_ARGUMENTS = [
  `modprobe.blacklist=${USELESS_DRIVERS.join(',')}`,
  'cryptomgr.notests',
  'systemd.setenv=BUN_JSC_useDFGJIT=0',
].join(' ');

/** What an installation of the demo system does beside unpacking it. */
function installStages(): string {
  const argument = `extra_cmdline=${DEMO_KERNEL_ARGUMENTS}`;
  return `name: Demo
stages:
  after-install-chroot:
    - name: A short boot menu, and a fast boot in a virtual machine
      commands:
        - holdfast grubenv set timeout=1 "${argument}"
`;
}

/** What version 1 adds to the packages. */
export function version1Files(): DemoFiles {
  const masked = MASKED_UNITS.map((unit) => [`${UNITS}/${unit}`, { link: '/dev/null' }] as const);
  return {
    ...versionFiles(1),
    'usr/share/holdfast-demo/only-in-version-1': { text: 'version 2 removes this file\n' },
    'etc/hostname': { text: 'holdfast-demo\n' },
    'etc/hosts': { text: '127.0.0.1 localhost\n127.0.1.1 holdfast-demo\n::1 localhost ip6-localhost\n' },
    // A stage file that comes with the image.
    'system/oem/50_demo.yaml': { text: installStages() },
    // Empty means that each machine gets its own.
    'etc/machine-id': { text: '', mode: 0o444 },
    'etc/fstab': { text: '' },
    'etc/default/locale': { text: 'LANG=C.UTF-8\n' },
    [`${UNITS}/multi-user.target.wants/ssh.service`]: 'removed',
    [`${UNITS}/sshd.service`]: 'removed',
    'etc/systemd/network/20-wired.network': {
      // IPv4 alone: waiting for a router's advertisement would delay "online" by seconds.
      text: '[Match]\nName=en* eth*\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n',
    },
    [`${UNITS}/dbus-org.freedesktop.network1.service`]: { link: `${NETWORKD}.service` },
    [`${UNITS}/multi-user.target.wants/systemd-networkd.service`]: { link: `${NETWORKD}.service` },
    [`${UNITS}/sockets.target.wants/systemd-networkd.socket`]: { link: `${NETWORKD}.socket` },
    [`${UNITS}/network-online.target.wants/systemd-networkd-wait-online.service`]: {
      link: `${NETWORKD}-wait-online.service`,
    },
    [`${UNITS}/serial-getty@ttyS0.service.d/autologin.conf`]: {
      text: '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200 %I vt100\n',
    },
    // A busy host makes an emulated machine so slow that udev takes longer than the usual 90 s; there would be no login.
    [`${UNITS}/dev-ttyS0.device.d/patience.conf`]: { text: '[Unit]\nJobRunningTimeoutSec=10min\n' },
    // The same for an address: two minutes are its default, and then it counts as failed.
    [`${UNITS}/systemd-networkd-wait-online.service.d/patience.conf`]: {
      text: `[Service]\nExecStart=\nExecStart=/lib/systemd/systemd-networkd-wait-online --timeout=600\n`,
    },
    // Without these two each boot counts as the first after an update of /usr, and rebuilds caches: a read-only
    // system's /etc and /var begin anew each time.
    'etc/.updated': { text: '' },
    'var/.updated': { text: '' },
    ...Object.fromEntries(masked),
  };
}

/** What version 2 is on top of version 1. */
export function version2Files(): DemoFiles {
  return {
    ...versionFiles(2),
    'usr/share/holdfast-demo/new-in-version-2': { text: 'version 1 does not have this file\n' },
    'usr/share/holdfast-demo/only-in-version-1': 'removed',
  };
}

/**
 * Writes files into a tree.
 * @param options.timeSeconds modification time of everything that is written.
 * @param options.whiteouts removed files become `.wh.NAME` files, as in an image's layer; else they are deleted.
 */
export function writeDemoFiles(
  tree: string,
  files: DemoFiles,
  { timeSeconds, whiteouts }: { timeSeconds: number; whiteouts: boolean },
): void {
  for (const [path, file] of Object.entries(files)) {
    const target = join(tree, path);
    mkdirSync(dirname(target), { recursive: true });
    rmSync(target, { recursive: true, force: true });
    if (file === 'removed') {
      if (whiteouts) writeFileSync(join(dirname(target), `.wh.${target.slice(dirname(target).length + 1)}`), '');
    } else if ('link' in file) {
      symlinkSync(file.link, target);
    } else {
      writeFileSync(target, file.text);
      chmodSync(target, file.mode ?? 0o644);
      utimesSync(target, timeSeconds, timeSeconds);
    }
  }
}
