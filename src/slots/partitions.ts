// Which partitions a disk gets: pure arithmetic. Names, labels and order are those of elemental-toolkit 1.x, sizes its
// defaults where the disk has room for them and what the image needs where it hasn't.

import { HoldfastError } from '../system/errors.ts';
import { PARTITION_LABELS, PARTITION_ROLES, type PartitionRole } from './names.ts';

export const MIB = 1 << 20;
const SECTOR_BYTES = 512;

/** GPT partition types; no discoverable-partition types, as in every generation before (systemd must not mount these). */
const TYPE_EFI_SYSTEM = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
const TYPE_BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649';
const TYPE_LINUX = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';

export interface PlannedPartition {
  role: PartitionRole;
  label: string;
  filesystem: 'vfat' | 'ext4' | 'xfs';
  typeId: string;
  startBytes: number;
  sizeBytes: number;
}

/**
 * Where GRUB for BIOS lies: between the partition table and the first MiB, which nothing else uses. As the last number,
 * so that the other partitions have the numbers that they have without it; the name is elemental-toolkit 1.x's.
 */
export const BIOS_PARTITION = { name: 'bios', startBytes: 34 * SECTOR_BYTES, sizeBytes: 2014 * SECTOR_BYTES } as const;

/** elemental-toolkit's default sizes in MiB. */
const DEFAULT_MIB = { efi: 64, oem: 64, recovery: 4096, state: 8192 };
/** What is left for the owner's data at least, both with the default sizes and on a small disk. */
const PERSISTENT_MIN_MIB = { roomy: 2048, small: 512 };
/** Filesystem overhead of a partition that holds slot files. */
const OVERHEAD_MIB = 256;

/**
 * Partitions for a disk of `diskBytes` that shall hold slot files of `slotBytes`: one on RECOVERY, three on STATE
 * (active, passive and the transition of an upgrade).
 * @throws HoldfastError HF-TARGET with both figures when the disk is too small.
 */
export function planPartitions(options: { diskBytes: number; slotBytes: number }): PlannedPartition[] {
  const diskMib = Math.floor(options.diskBytes / MIB);
  // The first MiB aligns the first partition, the last one holds the backup table.
  const usableMib = diskMib - 2;
  const slotMib = Math.ceil(options.slotBytes / MIB);
  const needed = { recovery: slotMib + OVERHEAD_MIB, state: 3 * slotMib + OVERHEAD_MIB };
  const fixedMib = DEFAULT_MIB.efi + DEFAULT_MIB.oem;

  let recovery = Math.max(DEFAULT_MIB.recovery, needed.recovery);
  let state = Math.max(DEFAULT_MIB.state, needed.state);
  if (fixedMib + recovery + state + PERSISTENT_MIN_MIB.roomy > usableMib) {
    ({ recovery, state } = needed);
    // What a small disk can spare goes half to STATE (room for growing images) and half to the owner's data.
    const spareMib = usableMib - fixedMib - recovery - state - PERSISTENT_MIN_MIB.small;
    if (spareMib < 0) {
      const minimumMib = diskMib - spareMib;
      throw new HoldfastError(
        'HF-TARGET',
        `the disk is too small: it has ${diskMib} MiB, and this image needs at least ${minimumMib} MiB`,
        { hint: 'use a larger disk or a smaller image; the disk was not changed' },
      );
    }
    state += Math.min(Math.floor(spareMib / 2), Math.max(0, DEFAULT_MIB.state - state));
  }
  const persistent = usableMib - fixedMib - recovery - state;
  const sizesMib: Record<PartitionRole, number> = { ...DEFAULT_MIB, recovery, state, persistent };

  let startMib = 1;
  return PARTITION_ROLES.map((role) => {
    const partition: PlannedPartition = {
      role,
      label: PARTITION_LABELS[role],
      // GRUB reads XFS, and a copy of a slot file on it is a clone: no time, no bytes.
      filesystem: role === 'efi' ? 'vfat' : role === 'state' ? 'xfs' : 'ext4',
      typeId: role === 'efi' ? TYPE_EFI_SYSTEM : TYPE_LINUX,
      startBytes: startMib * MIB,
      sizeBytes: sizesMib[role] * MIB,
    };
    startMib += sizesMib[role];
    return partition;
  });
}

/**
 * The input of sfdisk(8) that writes this table.
 * @param options.bios with {@link BIOS_PARTITION}.
 */
export function sfdiskScript(partitions: readonly PlannedPartition[], options: { bios?: boolean } = {}): string {
  const line = (entry: { name: string; typeId: string; startBytes: number; sizeBytes: number }) =>
    `start=${entry.startBytes / SECTOR_BYTES}, size=${entry.sizeBytes / SECTOR_BYTES}, type=${entry.typeId}, name="${entry.name}"`;
  return [
    'label: gpt',
    'unit: sectors',
    ...(options.bios ? [`first-lba: ${BIOS_PARTITION.startBytes / SECTOR_BYTES}`] : []),
    ...partitions.map(({ role, ...entry }) => line({ ...entry, name: role })),
    ...(options.bios ? [line({ ...BIOS_PARTITION, typeId: TYPE_BIOS_BOOT })] : []),
    '',
  ].join('\n');
}
