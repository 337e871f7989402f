// Whether the partitions that an owner wishes for can be made and can boot. Everything is refused here, before a disk is
// touched: mkfs would find out when the old table is gone.

import { HoldfastError } from '../system/errors.ts';
import type { PartitionRole } from './names.ts';

export type PartitionFilesystem = 'ext2' | 'ext3' | 'ext4' | 'xfs' | 'btrfs' | 'vfat';

/** A partition beside the five of the layout. */
export interface ExtraPartition {
  /** Its name in the table. */
  name: string;
  /** 0 is what is left of the disk. */
  sizeMib: number;
  label?: string;
  /** Absent: it is made and not formatted. */
  filesystem?: PartitionFilesystem;
}

/** What the owner wants otherwise. */
export interface PartitionWishes {
  /** In MiB; 0 is what is left of the disk, for persistent alone. */
  sizesMib?: Partial<Record<PartitionRole, number>>;
  labels?: Partial<Record<PartitionRole, string>>;
  filesystems?: Partial<Record<PartitionRole, PartitionFilesystem>>;
  extra?: readonly ExtraPartition[];
}

interface LayoutPartition {
  role: PartitionRole;
  label: string;
  filesystem: PartitionFilesystem;
  sizeMib: number;
}

/** Which file systems a partition may have, and why no others. */
const ALLOWED: Readonly<Record<PartitionRole, { filesystems: readonly PartitionFilesystem[]; why: string }>> = {
  efi: { filesystems: ['vfat'], why: 'firmware reads nothing else' },
  // GRUB writes its environment block there.
  oem: { filesystems: ['ext4', 'ext3', 'ext2', 'xfs'], why: 'GRUB reads and writes a file there' },
  recovery: { filesystems: ['ext4', 'xfs'], why: 'GRUB reads the recovery system there' },
  state: { filesystems: ['xfs', 'ext4'], why: 'GRUB reads the slots there and writes a file' },
  persistent: { filesystems: ['ext4', 'ext3', 'ext2', 'xfs', 'btrfs'], why: 'it keeps owners and modes of files' },
};

/** The longest label and the smallest size in MiB: mkfs(8) of Debian 12, whose limits are the strictest in use. */
const LIMITS: Readonly<Record<PartitionFilesystem, { label: number; sizeMib: number }>> = {
  ext2: { label: 16, sizeMib: 4 },
  ext3: { label: 16, sizeMib: 8 },
  ext4: { label: 16, sizeMib: 8 },
  xfs: { label: 12, sizeMib: 300 },
  btrfs: { label: 16, sizeMib: 114 },
  vfat: { label: 11, sizeMib: 34 },
};

/** A GPT as sfdisk(8) makes it has room for 128. */
const MOST_PARTITIONS = 127;

/** @throws HoldfastError HF-CONFIG for what can't be made, can't boot, or contradicts itself. */
export function checkWishes(
  layout: readonly LayoutPartition[],
  extra: readonly ExtraPartition[],
  { persistentTakesRest }: { persistentTakesRest: boolean },
): void {
  for (const { role, label, filesystem, sizeMib } of layout) {
    const { filesystems, why } = ALLOWED[role];
    if (!filesystems.includes(filesystem)) {
      throw refuse(`the partition ${role} can't be ${filesystem}: ${why}`, `use ${filesystems.join(' or ')}`);
    }
    checkFilesystem(`the partition ${role}`, { label, filesystem, sizeMib });
  }
  for (const { name, label, filesystem, sizeMib } of extra) {
    if (filesystem === undefined) continue;
    // What is left is checked by the file system's own mkfs; nobody wrote a figure that could be wrong.
    checkFilesystem(`the extra partition ${name}`, { label, filesystem, sizeMib: sizeMib || Number.POSITIVE_INFINITY });
  }
  if (layout.length + extra.length > MOST_PARTITIONS)
    throw refuse('a disk has room for 128 partitions', 'ask for fewer');
  checkRest(extra, persistentTakesRest);
  const roles = layout.map(({ role }) => role as string);
  refuseTwins('name', [...roles, 'bios', ...extra.map(({ name }) => name)]);
  refuseTwins(
    'label',
    [...layout, ...extra].flatMap(({ label }) => label ?? []),
  );
}

function checkFilesystem(
  what: string,
  { label = '', filesystem, sizeMib }: { label?: string | undefined; filesystem: PartitionFilesystem; sizeMib: number },
): void {
  const limits = LIMITS[filesystem];
  if (label.length > limits.label) {
    const longest = `${filesystem} takes ${limits.label} characters`;
    throw refuse(
      `the label ${label} of ${what} is too long: ${longest}`,
      'choose a shorter label or another file system',
    );
  }
  if (sizeMib < limits.sizeMib) {
    const least = `${filesystem} needs at least ${limits.sizeMib} MiB`;
    throw refuse(`${what} has ${sizeMib} MiB: ${least}`, 'make it larger or choose another file system');
  }
}

/** Only one partition can take what is left, and only where nothing else lies behind it. */
function checkRest(extra: readonly ExtraPartition[], persistentTakesRest: boolean): void {
  const takers = extra.filter(({ sizeMib }) => sizeMib === 0).map(({ name }) => name);
  const all = persistentTakesRest ? ['persistent', ...takers] : takers;
  if (all.length < 2) return;
  throw refuse(
    `${all.join(' and ')} are both to take what is left of the disk`,
    'give all but one of them a size, for example install.partitions.persistent.size: 8192',
  );
}

function refuseTwins(what: string, words: readonly string[]): void {
  const twin = words.find((word, index) => words.indexOf(word) !== index);
  if (twin === undefined) return;
  throw refuse(`two partitions are to have the ${what} ${twin}`, `give each a ${what} of its own`);
}

function refuse(message: string, hint: string): HoldfastError {
  return new HoldfastError('HF-CONFIG', message, { hint: `${hint}; the disk was not changed` });
}
