// The demo system's base: a Debian 12 root made by mmdebstrap from wherever this host's own apt gets its packages. It is
// the only part that needs a network and takes more than seconds, so it is kept as a tar archive and made again only
// when the lists below change.

import { HoldfastError } from '../../src/system/errors.ts';
import { commandFailed, run } from '../../src/system/process.ts';
import { requireTools } from '../../src/system/tools.ts';
import { cacheDirectory, cached, keyOf, pruneCache } from '../cache.ts';

/** What the demo system consists of beside Debian's required packages and apt. */
export const BASE_PACKAGES: readonly string[] = [
  // Boot: kernel, initramfs, the modules that GRUB is put together from, and what an installation needs.
  'linux-image-cloud-amd64',
  'dracut',
  'dracut-live',
  'grub-efi-amd64-bin',
  'grub-pc-bin',
  'grub-common',
  'kmod',
  'systemd-sysv',
  'udev',
  'dbus',
  'dmsetup',
  // Disks and filesystems.
  'dosfstools',
  'e2fsprogs',
  'fdisk',
  'xfsprogs',
  'mount',
  'mtools',
  'squashfs-tools',
  'attr',
  'zstd',
  // Network, and apt over TLS.
  'systemd-resolved',
  'iproute2',
  'netbase',
  'ca-certificates',
  // Not enabled: for whoever wants it, and for its host keys.
  'openssh-server',
  // For whoever looks around in it.
  'less',
  'procps',
];

/** Left out of the packages: nobody reads them here, and they are a sixth of the bytes. Licences stay. */
const EXCLUDED_PATHS: readonly string[] = [
  '/usr/share/doc/*',
  '/usr/share/info/*',
  '/usr/share/lintian/*',
  '/usr/share/locale/*',
  '/usr/share/man/*',
];

const OPTIONS: readonly string[] = [
  '--mode=root',
  '--variant=minbase',
  '--format=tar',
  ...EXCLUDED_PATHS.map((path) => `--dpkgopt=path-exclude=${path}`),
  '--dpkgopt=path-include=/usr/share/doc/*/copyright',
  '--aptopt=APT::Install-Recommends "false"',
  '--aptopt=Acquire::Languages "none"',
  '--aptopt=Acquire::Retries "3"',
  // With the lists, `apt-get update` in the guest fetches only what has changed since.
  '--skip=cleanup/apt/lists',
  `--include=${BASE_PACKAGES.join(',')}`,
];

export interface BuildOptions {
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/** The key of what {@link ensureBaseTar} makes. */
export function baseKey(): string {
  return keyOf('bookworm', ...OPTIONS);
}

/**
 * Returns the base as an uncompressed tar archive, making it when the cache doesn't have it (about 70 s).
 * @throws HoldfastError HF-COMMAND with the end of mmdebstrap's log.
 */
export async function ensureBaseTar({ log, signal }: BuildOptions): Promise<{ path: string; made: boolean }> {
  const key = baseKey();
  const result = await cached(`base-${key}.tar`, async (path) => {
    requireTools(['mmdebstrap']);
    log('building the Debian base from the host’s package sources (about 70 s, once)');
    // Without a mirror argument mmdebstrap takes the host's apt sources. INITRD=No: the kernel package would have an
    // initramfs made that `holdfast init` makes again.
    const made = await run(['mmdebstrap', ...OPTIONS, 'bookworm', path], {
      env: { ...process.env, INITRD: 'No', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
      signal,
      // It unmounts what it has mounted in its chroot.
      graceMs: 30_000,
      onLine: (line) => {
        const step = /^I: (.+?)\.\.\.$/.exec(line)?.[1];
        if (step !== undefined) log(`  ${step}`);
      },
    });
    if (made.status === 0) return;
    throw new HoldfastError('HF-COMMAND', 'the Debian base could not be built', {
      cause: commandFailed(made),
      outputTail: made.stderr.trimEnd().split('\n').slice(-20).join('\n'),
      hint: 'mmdebstrap uses the apt sources of this host: check that `apt-get update` works here, then try again',
    });
  });
  if (result.made) await pruneCache(cacheDirectory(), /^base-[0-9a-f]{16}\.tar$/, 2);
  return result;
}
