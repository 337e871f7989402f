// The Debian packages that the lab needs on its host, each with what for, and their installation when one is missing.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChildFailed, runChild } from './child.mjs';

const PACKAGES = {
  attr: 'getfattr and setfattr: extended attributes of unpacked images',
  'btrfs-progs': 'mkfs.btrfs, btrfs: the partitions of a layout',
  'docker-registry': 'a registry on loopback that images are pulled from',
  dosfstools: 'mkfs.vfat: the EFI system partition',
  'erofs-utils': 'mkfs.erofs: the root of a live system',
  e2fsprogs: 'mkfs.ext4, e2fsck, debugfs: slot files and partitions',
  fdisk: 'sfdisk: partition tables',
  fish: 'a shell that completes our command line',
  git: 'repositories that stages follow, and its server side',
  'grub-common': 'grub-mkimage, and grub-fstest, which shows a disk as GRUB sees it',
  'grub-efi-amd64-bin': 'the modules that GRUB is put together from',
  'grub-pc-bin': 'the same for machines with BIOS',
  'ipxe-qemu': 'iPXE in the network cards of virtual machines',
  iproute2: 'ip: networks of a test of its own',
  mandoc: 'reads our manual pages',
  mmdebstrap: 'the demo system from Debian packages',
  mount: 'mount, losetup',
  mtools: 'mcopy: files of the EFI system partition without mounting it',
  notary: 'a Notary server on loopback and the client that signs images on it',
  'openssh-client': 'ssh and keys for it',
  'openssh-server': 'repositories that are reached by ssh',
  openssl: 'certificates of a test of its own',
  ovmf: 'UEFI firmware for virtual machines',
  passwd: 'pwck, grpck, useradd: what our account files are held against',
  procps: 'what processes a test left behind',
  'qemu-system-x86': 'virtual machines',
  'qemu-utils': 'qemu-img: throw-away copies of disks',
  runc: 'the OCI runtime that a guest starts pods with',
  skopeo: 'fills registries with images',
  'squashfs-tools': 'mksquashfs and unsquashfs: the root of a live system',
  systemd: 'systemctl and systemd-firstboot, which stages call in the root of a system',
  time: 'processor time and memory of a command, for the benchmarks',
  tzdata: 'time zones of such a root',
  umoci: 'unpacks images as the reference that ours is compared with',
  'util-linux': 'blkid, flock, fsfreeze, setpriv',
  xfsprogs: 'mkfs.xfs: the state partition',
  xorriso: 'CD images: live media, and those that carry user data',
  zsh: 'a shell that completes our command line',
  zstd: 'layers of images',
};

/** Services that such a package starts when it is installed; here only tests do that. */
const SERVICES = { 'docker-registry': 'docker-registry.service', 'openssh-server': 'ssh.service' };

/** How often what is going on is said when nobody watches a terminal. */
const SAY_MS = 15_000;

/** Installs what is missing; runs one short query and nothing else when nothing is. */
export async function installDebianPackages({ step }) {
  const missing = missingPackages();
  if (missing.length === 0) return;
  step('Debian packages');
  for (const name of missing) process.stdout.write(`    ${name.padEnd(20)} ${PACKAGES[name]}\n`);
  const byHand = `apt-get update && apt-get install --no-install-recommends ${missing.join(' ')}`;
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  let updated = false;
  if (!allKnown(missing)) {
    await apt(['update'], byHand);
    updated = true;
  }
  try {
    await apt(install, byHand, { quiet: !updated });
  } catch (error) {
    // The lists may name versions that the archive doesn't have any more.
    if (updated || !(error instanceof ChildFailed) || error.status >= 128) throw error;
    await apt(['update'], byHand);
    await apt(install, byHand);
  }
  const started = missing.flatMap((name) => SERVICES[name] ?? []);
  if (started.length > 0 && existsSync('/run/systemd/system')) {
    await runChild(['systemctl', 'disable', '--now', ...started], { onOutput: () => {} });
  }
}

function missingPackages() {
  const names = Object.keys(PACKAGES);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: these are dpkg-query's own placeholders
  const format = '${Package} ${db:Status-Status}\\n';
  const query = spawnSync('dpkg-query', ['-W', '-f', format, ...names], { encoding: 'utf8' });
  const installed = new Set(query.stdout.split('\n').filter((line) => line.endsWith(' installed')));
  return names.filter((name) => !installed.has(`${name} installed`));
}

/** Whether apt's lists name a version of each package. */
function allKnown(names) {
  const policy = execFileSync('apt-cache', ['policy', ...names], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return (policy.match(/^ {2}Candidate: (?!\(none\))/gm) ?? []).length === names.length;
}

/** Runs apt-get with its output kept; what it does now is shown, and the end of it when it fails. */
async function apt(args, byHand, { quiet = false } = {}) {
  let log = '';
  let rest = '';
  let last = '';
  let saidAt = Date.now();
  const say = (line) => {
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K    ${line.slice(0, (process.stdout.columns ?? 80) - 6)}`);
    else if (Date.now() - saidAt > SAY_MS) {
      saidAt = Date.now();
      process.stdout.write(`    ${line}\n`);
    }
  };
  const timer = setInterval(() => say(last), 1000);
  try {
    await runChild(['apt-get', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3', ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
      onOutput: (chunk) => {
        log += chunk;
        const lines = (rest + chunk).split(/[\r\n]+/);
        rest = lines.pop() ?? '';
        last = lines.findLast((line) => line.trim() !== '') ?? last;
        say(last);
      },
    });
  } catch (error) {
    if (!(error instanceof ChildFailed) || error.status >= 128 || quiet) throw error;
    const file = join(mkdtempSync(join(tmpdir(), 'holdfast-apt-')), 'apt.log');
    writeFileSync(file, log);
    const tail = log.trimEnd().split('\n').slice(-20).join('\n');
    throw new ChildFailed(
      `${tail}\n\napt-get ${args[0]} failed with status ${error.status} (all of it: ${file}).\nBy hand: ${byHand}`,
      error.status,
    );
  } finally {
    clearInterval(timer);
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  }
}
