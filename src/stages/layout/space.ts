// The disk that a layout is planned on: what was found, what a plan consists of, and the arithmetic of its free space.
// All in bytes; partitions start and end at whole MiB unless a size says otherwise.

import { MIB } from '../../slots/partitions.ts';
import { HoldfastError } from '../../system/errors.ts';
import type { Action } from '../../system/plan.ts';
import type { Filesystem } from './formats.ts';
import type { PartitionRequest } from './request.ts';
import type { FoundPartition, PartitionTable, TablePartition } from './table.ts';

/** What uses a part of the disk: something mounted, swap, or another device on top. */
export interface DiskUse {
  /** "/dev/sda2 is mounted at /oem". */
  what: string;
  startBytes: number;
  sizeBytes: number;
  /** Where its filesystem can be grown: mounted for writing from the kernel's own partition. */
  mountPoint?: string;
}

export interface FoundDisk {
  path: string;
  sizeBytes: number;
  sectorBytes: number;
  table?: PartitionTable<FoundPartition>;
  /** There is something like a table, which can't be used: why. */
  damaged?: string;
  /** Nothing at all is on it. */
  blank: boolean;
  uses: readonly DiskUse[];
  /** A random UUID, for a table that is to be made. */
  freshId: string;
}

export type LayoutAction =
  | (Action<'create-table'> & { id: string })
  /** Writes a partition to the table; in progress when it will be formatted. */
  | (Action<'add'> & { partition: TablePartition })
  | (Action<'format'> & { partition: TablePartition; filesystem: Exclude<Filesystem, 'none'>; label: string })
  /** Gives a partition its final type, name and flags. */
  | (Action<'finish'> & { partition: TablePartition })
  | (Action<'grow-partition'> & { partition: TablePartition })
  | (Action<'grow-filesystem'> & {
      partition: TablePartition;
      type: string;
      mountPoint?: string;
      /** btrfs. */
      deviceId?: number;
    });

export interface LayoutPlan {
  title: string;
  actions: LayoutAction[];
  warnings: string[];
}

/** With less than this nothing is added (all implementations of yip). */
export const MIN_FREE_BYTES = 32 * MIB;

/** A partition as it will be. */
export interface Draft {
  at: TablePartition;
  /** As it is now; absent: new. */
  found?: FoundPartition;
  /** The entry that it is made for, while it isn't finished. */
  entry?: PartitionRequest;
  /** What expands it, when it is there and finished. */
  expansion?: LayoutAction[];
}

export interface Space {
  table: PartitionTable<FoundPartition>;
  disk: FoundDisk;
  drafts: Draft[];
}

/** @throws HoldfastError HF-TARGET when something uses a part of the area. */
export function refuseUses(disk: FoundDisk, area: { startBytes: number; sizeBytes: number }, refusal: string): void {
  const uses = usesWithin(disk, area);
  if (uses.length === 0) return;
  throw new HoldfastError('HF-TARGET', `${refusal}: ${uses.map(({ what }) => what).join(', ')}`, {
    hint: 'nothing was changed',
  });
}

export function usesWithin({ uses }: FoundDisk, area: { startBytes: number; sizeBytes: number }): DiskUse[] {
  return uses.filter(
    (use) => use.startBytes < area.startBytes + area.sizeBytes && area.startBytes < use.startBytes + use.sizeBytes,
  );
}

/** Where the next partition starts. */
export function endOf({ drafts }: Space): number {
  return alignUp(Math.max(MIB, ...drafts.map(({ at }) => at.startBytes + at.sizeBytes)));
}

/** What is left behind the last partition. */
export function freeBytes(space: Space): number {
  return Math.max(0, space.table.endBytes - endOf(space));
}

export function mib(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / MIB) * MIB;
}

export function alignDown(bytes: number): number {
  return Math.floor(bytes / MIB) * MIB;
}
