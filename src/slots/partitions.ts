// Which partitions a disk gets: pure arithmetic. Names, labels and order are those of elemental-toolkit 1.x, sizes its
// defaults where the disk has room for them and what the image needs where it hasn't, unless the owner chose others.

import { HoldfastError } from '../system/errors.ts';
import { PARTITION_LABELS, PARTITION_ROLES, type PartitionRole } from './names.ts';
import { checkWishes, type PartitionFilesystem, type PartitionWishes } from './partition-wishes.ts';

export type { ExtraPartition, PartitionFilesystem, PartitionWishes } from './partition-wishes.ts';

export const MIB = 1 << 20;
const SECTOR_BYTES = 512;

/** GPT partition types; no discoverable-partition types, as in every generation before (systemd must not mount these). */
const TYPE_EFI_SYSTEM = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
const TYPE_BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649';
const TYPE_LINUX = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';

export interface PlannedPartition {
  /** Absent for one beside the layout. */
  role?: PartitionRole;
  /** In the table. */
  name: string;
  label?: string;
  filesystem?: PartitionFilesystem;
  typeId: string;
  startBytes: number;
  sizeBytes: number;
}

/** A partition of the layout, which always has a label and a file system. */
export type RolePartition = PlannedPartition & {
  role: PartitionRole;
  label: string;
  filesystem: PartitionFilesystem;
};

export const isRolePartition = (partition: PlannedPartition): partition is RolePartition =>
  partition.role !== undefined;

/**
 * Where GRUB for BIOS lies: between the partition table and the first MiB, which nothing else uses. As the last number,
 * so that the other partitions have the numbers that they have without it; the name is elemental-toolkit 1.x's.
 */
export const BIOS_PARTITION = { name: 'bios', startBytes: 34 * SECTOR_BYTES, sizeBytes: 2014 * SECTOR_BYTES } as const;

/** elemental-toolkit's default sizes in MiB. */
export const DEFAULT_MIB = { efi: 64, oem: 64, recovery: 4096, state: 8192 };
/** What is left for the owner's data at least, both with the default sizes and on a small disk. */
const PERSISTENT_MIN_MIB = { roomy: 2048, small: 512 };
/** Filesystem overhead of a partition that holds slot files. */
const OVERHEAD_MIB = 256;

/** GRUB reads XFS, and a copy of a slot file on it is a clone: no time, no bytes. */
export const DEFAULT_FILESYSTEMS: Readonly<Record<PartitionRole, PartitionFilesystem>> = {
  efi: 'vfat',
  oem: 'ext4',
  recovery: 'ext4',
  state: 'xfs',
  persistent: 'ext4',
};

export interface PartitionRequest {
  diskBytes: number;
  /** Of one slot file on STATE; there it has room for three (active, passive and the transition of an upgrade). */
  slotBytes: number;
  /** Of the recovery system; default as the slot file. RECOVERY gets room for two where the disk has it: an upgrade of
   * recovery is built beside the old one. */
  recoveryBytes?: number;
  wishes?: PartitionWishes;
}

/**
 * Partitions for a disk, in the order in which they lie on it.
 * @throws HoldfastError HF-TARGET with the figures when something doesn't fit, HF-CONFIG for wishes that contradict each
 *   other or the boot.
 */
export function planPartitions(request: PartitionRequest): PlannedPartition[] {
  const { wishes = {} } = request;
  const extra = wishes.extra ?? [];
  const label = (role: PartitionRole) => wishes.labels?.[role] ?? PARTITION_LABELS[role];
  const filesystem = (role: PartitionRole) => wishes.filesystems?.[role] ?? DEFAULT_FILESYSTEMS[role];
  const sizesMib = chooseSizes(request);
  const layout = PARTITION_ROLES.map((role) => ({
    role,
    name: role as string,
    label: label(role),
    filesystem: filesystem(role),
    sizeMib: sizesMib[role],
  }));
  // elemental-toolkit 1.x: what takes the rest of the disk is last, so that it can grow with it.
  const takesRest = !wishes.sizesMib?.persistent;
  checkWishes(layout, extra, { persistentTakesRest: takesRest });

  const [persistent, ...others] = layout.toReversed();
  const sized = extra.map((partition) => ({ ...partition, sizeMib: partition.sizeMib || sizesMib.rest }));
  const fixed = sized.filter((_, index) => extra[index]?.sizeMib !== 0);
  const rest = sized.filter((_, index) => extra[index]?.sizeMib === 0);
  const last = persistent === undefined ? [] : [persistent];
  const ordered = [...others.reverse(), ...(takesRest ? [...fixed, ...last] : [...last, ...fixed]), ...rest];

  let startMib = 1;
  return ordered.map(({ sizeMib, ...partition }) => {
    const startBytes = startMib * MIB;
    startMib += sizeMib;
    // sgdisk as elemental-toolkit 2.x calls it: every FAT is an EFI system partition.
    const typeId = partition.filesystem === 'vfat' ? TYPE_EFI_SYSTEM : TYPE_LINUX;
    return { ...partition, typeId, startBytes, sizeBytes: sizeMib * MIB };
  });
}

/** The smallest disk that {@link planPartitions} finds room on. */
export function smallestDiskBytes({
  slotBytes,
  recoveryBytes = slotBytes,
  wishes = {},
}: Omit<PartitionRequest, 'diskBytes'>): number {
  const { sizesMib: wished = {}, extra = [] } = wishes;
  const needed = neededMib(slotBytes, recoveryBytes);
  const mib =
    2 +
    (wished.efi || DEFAULT_MIB.efi) +
    (wished.oem || DEFAULT_MIB.oem) +
    (wished.recovery || needed.recovery) +
    (wished.state || needed.state) +
    (wished.persistent || PERSISTENT_MIN_MIB.small) +
    extra.reduce((sum, { sizeMib }) => sum + (sizeMib || 1), 0);
  return mib * MIB;
}

/** What the partitions with slot files must have at least. */
export function neededMib(slotBytes: number, recoveryBytes: number): { recovery: number; state: number } {
  return {
    recovery: Math.ceil(recoveryBytes / MIB) + OVERHEAD_MIB,
    state: 3 * Math.ceil(slotBytes / MIB) + OVERHEAD_MIB,
  };
}

/** All sizes in MiB; `rest` is for the extra partition that takes what is left. */
function chooseSizes(request: PartitionRequest): Record<PartitionRole | 'rest', number> {
  const { diskBytes, slotBytes, recoveryBytes = slotBytes, wishes = {} } = request;
  const wished = wishes.sizesMib ?? {};
  const extra = wishes.extra ?? [];
  const diskMib = Math.floor(diskBytes / MIB);
  // The first MiB aligns the first partition, the last one holds the backup table.
  const usableMib = diskMib - 2;
  const recoveryMib = Math.ceil(recoveryBytes / MIB);
  const needed = neededMib(slotBytes, recoveryBytes);
  requireWished('state', wished.state, needed.state, 'three slots: the active, the passive and the next one');
  requireWished('recovery', wished.recovery, needed.recovery, 'the recovery system');

  const efi = wished.efi || DEFAULT_MIB.efi;
  const oem = wished.oem || DEFAULT_MIB.oem;
  const fixedMib = efi + oem + extra.reduce((sum, { sizeMib }) => sum + (sizeMib || (sizeMib === 0 ? 1 : 0)), 0);
  const persistentMib = (size: 'roomy' | 'small') => wished.persistent || PERSISTENT_MIN_MIB[size];

  let recovery = wished.recovery || Math.max(DEFAULT_MIB.recovery, needed.recovery + recoveryMib);
  let state = wished.state || Math.max(DEFAULT_MIB.state, needed.state);
  if (fixedMib + recovery + state + persistentMib('roomy') > usableMib) {
    recovery = wished.recovery || needed.recovery;
    state = wished.state || needed.state;
    let spareMib = usableMib - fixedMib - recovery - state - persistentMib('small');
    if (spareMib < 0) {
      throw new HoldfastError(
        'HF-TARGET',
        `the disk is too small: it has ${diskMib} MiB, and this image needs at least ${diskMib - spareMib} MiB`,
        {
          hint: `use a larger disk or ${hasSizes(wishes) ? 'smaller partitions' : 'a smaller image'}; the disk was not changed`,
        },
      );
    }
    if (!wished.recovery && spareMib >= recoveryMib) {
      recovery += recoveryMib;
      spareMib -= recoveryMib;
    }
    // What a small disk can spare goes half to STATE (room for growing images) and half to the owner's data.
    if (!wished.state) state += Math.min(Math.floor(spareMib / 2), Math.max(0, DEFAULT_MIB.state - state));
  }
  const rest = usableMib - fixedMib - recovery - state;
  const persistent = wished.persistent || rest;
  return { efi, oem, recovery, state, persistent, rest: 1 + rest - persistent };
}

function hasSizes({ sizesMib = {}, extra = [] }: PartitionWishes): boolean {
  return extra.length > 0 || Object.values(sizesMib).some((size) => size > 0);
}

function requireWished(role: PartitionRole, wishedMib: number | undefined, neededMib: number, purpose: string): void {
  if (!wishedMib || wishedMib >= neededMib) return;
  throw new HoldfastError(
    'HF-TARGET',
    `the partition ${role} is to have ${wishedMib} MiB, and needs at least ${neededMib} MiB for ${purpose}`,
    { hint: `make install.partitions.${role}.size larger or leave it out; the disk was not changed` },
  );
}

/** The numbers of a table and its partitions, where they are not to be drawn by lot. */
export interface TableIds {
  disk: string;
  partition: (name: string) => string;
}

/**
 * The input of sfdisk(8) that writes this table.
 * @param options.bios with {@link BIOS_PARTITION}.
 */
export function sfdiskScript(
  partitions: readonly PlannedPartition[],
  options: { bios?: boolean; ids?: TableIds | undefined } = {},
): string {
  const { ids } = options;
  const line = (entry: { name: string; typeId: string; startBytes: number; sizeBytes: number }) => {
    const uuid = ids === undefined ? '' : `, uuid=${ids.partition(entry.name)}`;
    return `start=${entry.startBytes / SECTOR_BYTES}, size=${entry.sizeBytes / SECTOR_BYTES}, type=${entry.typeId}${uuid}, name="${entry.name}"`;
  };
  return [
    'label: gpt',
    ...(ids === undefined ? [] : [`label-id: ${ids.disk}`]),
    'unit: sectors',
    ...(options.bios ? [`first-lba: ${BIOS_PARTITION.startBytes / SECTOR_BYTES}`] : []),
    ...partitions.map(line),
    ...(options.bios ? [line({ ...BIOS_PARTITION, typeId: TYPE_BIOS_BOOT })] : []),
    '',
  ].join('\n');
}
