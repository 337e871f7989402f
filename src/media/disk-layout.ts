// The partitions of a disk image: those of `install`, as small as the system allows, or the first three of them on a disk
// that makes the others itself at its first boot. Pure arithmetic.

import { PARTITION_ROLES, type PartitionRole } from '../slots/names.ts';
import {
  BIOS_PARTITION,
  DEFAULT_MIB,
  isRolePartition,
  MIB,
  neededMib,
  type PartitionWishes,
  planPartitions,
  type RolePartition,
  smallestDiskBytes,
} from '../slots/partitions.ts';
import { HoldfastError } from '../system/errors.ts';
import { mediumUuid } from './identity.ts';

/** What a partition needs besides its place, to be made without drawing lots. */
export interface DiskPartition extends RolePartition {
  /** Of its file system, and for the ESP the seed of its serial number. */
  uuid: string;
}

export interface DiskLayout {
  sizeBytes: number;
  partitions: readonly DiskPartition[];
  bios: boolean;
  /** Of the table, and by partition name. */
  ids: { disk: string; partition: (name: string) => string };
}

export interface DiskLayoutRequest {
  expandable: boolean;
  /** Of one slot file. */
  slotBytes: number;
  recoveryBytes: number;
  bios: boolean;
  wishes: PartitionWishes;
  /** The owner's size of the whole disk. */
  sizeBytes?: number | undefined;
  /** Sizes of whole multiples of this alone. */
  stepBytes: number;
  identity: { seed: string; options: Readonly<Record<string, unknown>> };
}

/** Partitions that an expandable disk has from the beginning. */
const BEFORE_FIRST_BOOT: readonly PartitionRole[] = ['efi', 'oem', 'recovery'];

/**
 * @throws HoldfastError HF-TARGET with the figures for a size that is too small; otherwise as {@link planPartitions}.
 */
export function layOutDisk(request: DiskLayoutRequest): DiskLayout {
  const { expandable, slotBytes, recoveryBytes, wishes, stepBytes, identity, bios } = request;
  const found = expandable ? expandablePartitions(request) : undefined;
  const least = roundUp(found?.leastBytes ?? smallestDiskBytes({ slotBytes, recoveryBytes, wishes }), stepBytes);
  const wanted = request.sizeBytes ?? least;
  const sizeBytes = roundUp(wanted, stepBytes);
  if (sizeBytes < least) {
    throw new HoldfastError(
      'HF-TARGET',
      `--size is ${Math.floor(wanted / MIB)} MiB, and this disk needs at least ${least / MIB} MiB`,
      { hint: `leave --size out for the smallest disk, or say --size ${least / MIB}M` },
    );
  }
  const partitions = found?.partitions ?? planPartitions({ diskBytes: sizeBytes, slotBytes, recoveryBytes, wishes });
  const uuid = (purpose: string) => mediumUuid({ ...identity, purpose });
  return {
    sizeBytes,
    bios,
    partitions: partitions
      .filter(isRolePartition)
      .map((partition) => ({ ...partition, uuid: uuid(`file system ${partition.role}`) })),
    ids: { disk: uuid('table'), partition: (name) => uuid(`partition ${name}`) },
  };
}

function expandablePartitions({ slotBytes, recoveryBytes, wishes }: DiskLayoutRequest) {
  const recovery = wishes.sizesMib?.recovery || neededMib(slotBytes, recoveryBytes).recovery;
  const all = { ...wishes, sizesMib: { ...wishes.sizesMib, recovery, state: 0, persistent: 0 } };
  // Of a disk that has room for all five, the first three.
  const diskBytes = smallestDiskBytes({ slotBytes, recoveryBytes, wishes: all });
  const partitions = planPartitions({ diskBytes, slotBytes, recoveryBytes, wishes: all })
    .filter(isRolePartition)
    .filter(({ role }) => BEFORE_FIRST_BOOT.includes(role));
  const end = Math.max(...partitions.map(({ startBytes, sizeBytes }) => startBytes + sizeBytes));
  // The last MiB holds the backup table.
  return { partitions, leastBytes: end + MIB };
}

/** What the first boot of an expandable disk adds, by how large the disk turns out to be. In MiB. */
export interface FirstBootSizes {
  /** COS_STATE on a disk that can spare it: `install`'s default. */
  roomyStateMib: number;
  /** The disk must have this much for that. */
  roomyDiskMib: number;
  /** COS_STATE on any other: room for three slots. */
  smallStateMib: number;
}

/** @param layout of the expandable disk. */
export function firstBootSizes(layout: Pick<DiskLayout, 'partitions'>, request: DiskLayoutRequest): FirstBootSizes {
  const { slotBytes, recoveryBytes, wishes } = request;
  const wished = wishes.sizesMib?.state;
  const smallStateMib = wished || neededMib(slotBytes, recoveryBytes).state;
  const roomyStateMib = wished || Math.max(DEFAULT_MIB.state, smallStateMib);
  const end = Math.max(...layout.partitions.map(({ startBytes, sizeBytes }) => startBytes + sizeBytes));
  // 2 GiB are left for the owner, as install leaves them.
  return { roomyStateMib, smallStateMib, roomyDiskMib: Math.ceil(end / MIB) + roomyStateMib + 2048 + 1 };
}

export function partitionOf(layout: DiskLayout, role: PartitionRole): DiskPartition {
  const found = layout.partitions.find((partition) => partition.role === role);
  if (found === undefined) throw new HoldfastError('HF-TARGET', `the disk has no partition ${role}`);
  return found;
}

/** For people: `efi 64 MiB, oem 64 MiB, …` in the order of the table. */
export function describeLayout({ partitions, bios }: DiskLayout): string {
  const texts = PARTITION_ROLES.flatMap((role) => {
    const partition = partitions.find((each) => each.role === role);
    return partition === undefined ? [] : [`${partition.name} ${partition.sizeBytes / MIB} MiB`];
  });
  return [...texts, ...(bios ? [BIOS_PARTITION.name] : [])].join(', ');
}

function roundUp(bytes: number, step: number): number {
  return Math.ceil(bytes / step) * step;
}
