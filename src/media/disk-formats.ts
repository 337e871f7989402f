// The forms in which disk images are handed out, and what each platform demands of them.

import { HoldfastError } from '../system/errors.ts';

const MIB = 1 << 20;

export const DISK_FORMATS = ['raw', 'qcow2', 'azure', 'gce', 'ova'] as const;
export type DiskFormat = (typeof DISK_FORMATS)[number];

export interface FormatFacts {
  /** What names of such files end in. */
  suffix: string;
  /** The disk's size is a whole multiple of it. */
  stepBytes: number;
  tools: readonly string[];
  /** For people. */
  about: string;
}

export const FORMAT_FACTS: Readonly<Record<DiskFormat, FormatFacts>> = {
  raw: { suffix: '.raw', stepBytes: MIB, tools: [], about: 'the disk, byte for byte, with holes' },
  qcow2: { suffix: '.qcow2', stepBytes: MIB, tools: ['qemu-img'], about: 'QEMU, libvirt, OpenStack' },
  // Azure wants whole MiB and a footer behind them, and nothing else than a fixed VHD.
  azure: { suffix: '.vhd', stepBytes: MIB, tools: ['qemu-img'], about: 'Azure: a VHD of fixed size' },
  // Google Cloud wants disk.raw in whole GiB in a tar of GNU's kind.
  gce: { suffix: '.tar.gz', stepBytes: 1024 * MIB, tools: ['tar', 'gzip'], about: 'Google Cloud: disk.raw in a tar' },
  ova: { suffix: '.ova', stepBytes: MIB, tools: ['qemu-img', 'tar'], about: 'VMware, VirtualBox: an OVF package' },
};

/** @throws HoldfastError HF-USAGE */
export function parseDiskFormat(text: string): DiskFormat {
  const found = DISK_FORMATS.find((each) => each === text);
  if (found !== undefined) return found;
  throw new HoldfastError('HF-USAGE', `there is no type ${JSON.stringify(text)} of disk images`, {
    hint: DISK_FORMATS.map((each) => `${each}: ${FORMAT_FACTS[each].about}`).join('\n'),
  });
}

/** A size of a disk, as qemu-img and truncate take it: `20G`, `20GiB`, `20480M`; a bare number is in MiB, as elemental has it. */
export function parseDiskSize(text: string): number {
  const match = /^(\d{1,9})(?:([MGT])(?:i?B)?)?$/i.exec(text);
  const number = Number(match?.[1]);
  if (match === null || number === 0) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(text)} is no size`, { hint: 'for example 20G or 8192M' });
  }
  const units: Readonly<Record<string, number>> = { M: MIB, G: 1024 * MIB, T: 1024 * 1024 * MIB };
  const bytes = number * (units[match[2]?.toUpperCase() ?? 'M'] ?? MIB);
  if (bytes <= 64 * 1024 ** 4) return bytes;
  throw new HoldfastError('HF-USAGE', `${text} is more than 64 TiB`);
}

/** Beside a raw disk: `disk.raw` becomes `disk.vhd`. */
export function convertedName(raw: string, format: DiskFormat): string {
  return `${raw.replace(/\.(?:raw|img)$/, '')}${FORMAT_FACTS[format].suffix}`;
}
