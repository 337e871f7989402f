// The filesystems that a layout can make: their tools, partition types, and what a label of theirs may look like. A label
// is set by a tool of its own after mkfs, since it is what says that a filesystem is complete (see plan.ts).

import { MIB } from '../../slots/partitions.ts';

/** `none`: the partition is left as it is (`-`, `none`, `noformat`). */
export type Filesystem = 'ext2' | 'ext3' | 'ext4' | 'xfs' | 'btrfs' | 'vfat' | 'fat16' | 'fat32' | 'swap' | 'none';

type Argv = readonly [string, ...string[]];

export interface Format {
  /** What blkid calls it. */
  type: string;
  /** Longest label in bytes. */
  labelBytes: number;
  /** Characters that a label can't have. */
  labelExcludes?: RegExp;
  /** Less than this no version of its mkfs takes. */
  minBytes: number;
  gptType: string;
  mbrType: string;
  /** Makes it, without a label. */
  make: (device: string, sizeBytes: number) => Argv;
  /** Labels it, not mounted. */
  label: (device: string, label: string) => Argv;
}

const GPT_LINUX = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
const GPT_SWAP = '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F';
export const GPT_EFI_SYSTEM = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
export const GPT_BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649';
const MBR_LINUX = '83';
const MBR_SWAP = '82';
const MBR_FAT = 'c';

/** A FAT32 with fewer clusters is taken for a FAT16 by firmware; then mkfs.fat chooses. */
const FAT32_MIN_BYTES = 34 * MIB;

function ext(version: 2 | 3 | 4): Format {
  return {
    type: `ext${version}`,
    labelBytes: 16,
    minBytes: MIB,
    gptType: GPT_LINUX,
    mbrType: MBR_LINUX,
    // Once -F: over a signature, but never over a mounted filesystem.
    make: (device) => [`mkfs.ext${version}`, '-q', '-F', device],
    label: (device, label) => ['tune2fs', '-L', label, device],
  };
}

function fat(bits?: 16 | 32): Format {
  return {
    type: 'vfat',
    labelBytes: 11,
    labelExcludes: /[^ -~]|["*+,./:;<=>?[\\\]|]/,
    minBytes: MIB,
    // Any FAT is an EFI system partition, as with sgdisk in yip up to 1.18: such files have no other way to make one.
    gptType: GPT_EFI_SYSTEM,
    mbrType: MBR_FAT,
    make: (device, sizeBytes) => {
      const type = bits !== undefined && (bits === 16 || sizeBytes >= FAT32_MIN_BYTES) ? ['-F', String(bits)] : [];
      return ['mkfs.fat', ...type, device];
    },
    label: (device, label) => ['fatlabel', device, label],
  };
}

export const FORMATS: Readonly<Record<Exclude<Filesystem, 'none'>, Format>> = {
  ext2: ext(2),
  ext3: ext(3),
  ext4: ext(4),
  xfs: {
    type: 'xfs',
    labelBytes: 12,
    minBytes: 16 * MIB,
    gptType: GPT_LINUX,
    mbrType: MBR_LINUX,
    make: (device) => ['mkfs.xfs', '-q', '-f', device],
    label: (device, label) => ['xfs_admin', '-L', label, device],
  },
  btrfs: {
    type: 'btrfs',
    labelBytes: 255,
    labelExcludes: /\//,
    // mkfs.btrfs 6.2: 114294784 bytes.
    minBytes: 109 * MIB,
    gptType: GPT_LINUX,
    mbrType: MBR_LINUX,
    make: (device) => ['mkfs.btrfs', '-q', '-f', device],
    label: (device, label) => ['btrfs', 'filesystem', 'label', device, label],
  },
  vfat: fat(),
  fat16: fat(16),
  fat32: fat(32),
  swap: {
    type: 'swap',
    labelBytes: 15,
    minBytes: MIB,
    gptType: GPT_SWAP,
    mbrType: MBR_SWAP,
    make: (device) => ['mkswap', device],
    label: (device, label) => ['swaplabel', '-L', label, device],
  },
};

/** What stage files call them. */
const NAMES: Readonly<Record<string, Filesystem>> = {
  ext2: 'ext2',
  ext3: 'ext3',
  ext4: 'ext4',
  xfs: 'xfs',
  btrfs: 'btrfs',
  vfat: 'vfat',
  fat: 'vfat',
  fat16: 'fat16',
  fat32: 'fat32',
  swap: 'swap',
  '-': 'none',
  none: 'none',
  noformat: 'none',
};

/** Where none is given: Elemental's ext4 (the comments of cOS's own files promise it); yip makes ext2. */
export const DEFAULT_FILESYSTEM: Filesystem = 'ext4';

export const FILESYSTEM_NAMES: readonly string[] = Object.keys(NAMES);

/** The filesystem that a stage file means; undefined when there is none of that name. */
export function filesystemNamed(name: string): Filesystem | undefined {
  return name === '' ? DEFAULT_FILESYSTEM : Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
}

/** The type of a partition that holds it. */
export function partitionType(filesystem: Filesystem, table: 'gpt' | 'dos', bootable: boolean): string {
  if (filesystem !== 'none' && table === 'dos') {
    // On an msdos table the boot flag says that it is bootable; only a FAT is then what firmware looks for.
    return FORMATS[filesystem].type === 'vfat' && bootable ? 'ef' : FORMATS[filesystem].mbrType;
  }
  if (table === 'dos') return MBR_LINUX;
  const type = filesystem === 'none' ? GPT_LINUX : FORMATS[filesystem].gptType;
  // yip 1.19: bootable and not FAT means the partition that grub-install writes its core image to.
  return bootable && type !== GPT_EFI_SYSTEM ? GPT_BIOS_BOOT : type;
}

/** How a filesystem that is there can grow, by blkid's name of it. */
export function growsBy(type: string): 'ext' | 'xfs' | 'btrfs' | undefined {
  if (/^ext[234]$/.test(type)) return 'ext';
  return type === 'xfs' || type === 'btrfs' ? type : undefined;
}
