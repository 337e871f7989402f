// The iPXE script of a network boot, and the kernel arguments in it. iPXE resolves names against the script's own address; an
// address that the kernel gets must be whole.

import { CONSOLES } from './live-arguments.ts';
import { ROOT_IN_INITRAMFS, type RootWay } from './netboot-root.ts';

/** The files of a network boot; the root has one of two names. */
export const NETBOOT_FILES = {
  kernel: 'kernel',
  initrd: 'initrd',
  http: 'rootfs.squashfs',
  /** The same in an archive that the kernel unpacks into its initramfs. */
  initrdRoot: 'rootfs.cpio',
  cloudConfig: 'cloud-config.yaml',
  script: 'boot.ipxe',
  sums: 'SHA256SUMS',
} as const;

/** Where the machine's own copy of the address is kept; whoever chains to the script may have set it. */
const BASE = 'holdfast-base';

export interface NetbootOptions {
  way: RootWay;
  /** Of {@link parseBaseAddress}; without it iPXE tells where the script came from. */
  base: string | undefined;
  /** `beside`: the file of {@link NETBOOT_FILES}. */
  cloudConfig: 'beside' | { address: string } | undefined;
  /** The interactive installer comes up in place of a login. */
  install: boolean;
  extra: readonly string[];
  /** `sha256:…` of the root, where the initramfs compares it. */
  rootDigest: string | undefined;
}

export interface NetbootFacts {
  /** The system's name and version. */
  name: string;
  memoryMiB: number;
}

export function rootFileName(way: RootWay): string {
  return way === 'http' ? NETBOOT_FILES.http : NETBOOT_FILES.initrdRoot;
}

/**
 * The kernel's arguments.
 * @param base what stands for the address of the files, with a slash at the end.
 */
export function netbootArguments(options: NetbootOptions, base: string): string[] {
  const { way, cloudConfig, install, extra, rootDigest } = options;
  const root =
    way === 'http' ? [`root=live:${base}${NETBOOT_FILES.http}`, 'ip=dhcp'] : [`root=live:/${ROOT_IN_INITRAMFS}`];
  const config = cloudConfig === 'beside' ? `${base}${NETBOOT_FILES.cloudConfig}` : cloudConfig?.address;
  return [
    ...root,
    'rd.cos.disable',
    ...(rootDigest === undefined ? [] : [`rd.holdfast.rootdigest=${rootDigest}`]),
    ...CONSOLES,
    ...(config === undefined ? [] : [`cos.setup=${config}`]),
    ...(install ? ['holdfast.install'] : []),
    ...extra,
  ];
}

/** Whether the kernel is told an address of one of the files. */
export function needsAddress({ way, cloudConfig }: Pick<NetbootOptions, 'way' | 'cloudConfig'>): boolean {
  return way === 'http' || cloudConfig === 'beside';
}

export function ipxeScript(options: NetbootOptions, facts: NetbootFacts): string {
  const { kernel, initrd, initrdRoot } = NETBOOT_FILES;
  const initrds = options.way === 'http' ? [initrd] : [initrd, initrdRoot];
  // By these names a kernel that UEFI starts asks for them; one that a BIOS starts ignores the words.
  const words = [...initrds.map((name) => `initrd=${name}`), ...netbootArguments(options, `\${${BASE}}`)];
  const lines = [
    '#!ipxe',
    `# ${oneLine(facts.name)}, started over the network.`,
    `# A machine needs ${facts.memoryMiB} MiB of memory or more: the system is in it as long as it runs.`,
    '',
    ...(needsAddress(options) ? addressLines(options.base) : []),
    'imgfree',
    `kernel ${kernel} ${words.join(' ')} || goto failed`,
    ...initrds.map((name) => `initrd ${name} || goto failed`),
    'boot || goto failed',
    '',
    ':failed',
    `echo The system could not be started: the line before says why. It needs ${facts.memoryMiB} MiB of memory.`,
    'prompt --timeout 30000 Press a key for a shell, or wait for the next boot device. && shell ||',
    'exit 1',
    ...(needsAddress(options) && options.base === undefined
      ? [
          '',
          ':nowhere',
          'echo This iPXE is too old to say where this script came from. Build with --url, or set',
          `echo ${BASE} to the address of its directory, with a slash at the end, before this script is chained to.`,
          'prompt --timeout 30000 Press a key for a shell, or wait for the next boot device. && shell ||',
          'exit 1',
        ]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

function addressLines(base: string | undefined): string[] {
  if (base !== undefined) return [`isset \${${BASE}} || set ${BASE} ${base}`, ''];
  return [`isset \${${BASE}} || isset \${cwduri} || goto nowhere`, `isset \${${BASE}} || set ${BASE} \${cwduri}/`, ''];
}

/** An image's own words, which must not become lines of the script. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200);
}
