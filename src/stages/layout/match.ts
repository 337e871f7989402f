// Which of a layout's entries are on the disk already, which were begun by a run that was interrupted, and which are
// missing. Pure.

import { MIB } from '../../slots/partitions.ts';
import { FORMATS, partitionType } from './formats.ts';
import { isInProgress, markerUuid, progressType } from './progress.ts';
import type { PartitionRequest } from './request.ts';
import type { FoundPartition, PartitionTable } from './table.ts';

export interface EntryState {
  entry: PartitionRequest;
  /** The partition that is it; absent: missing. */
  partition?: FoundPartition;
  /** Its filesystem isn't complete, or its type, name and flags aren't set yet. */
  unfinished: boolean;
}

/** One state for each entry, in order. A second entry with a label of the first counts as being there as well. */
export function matchEntries(
  entries: readonly PartitionRequest[],
  table: PartitionTable<FoundPartition>,
): EntryState[] {
  const taken = new Set<FoundPartition>();
  return entries.map((entry): EntryState => {
    const begun = table.partitions.find((partition) => !taken.has(partition) && isBegun(entry, partition, table));
    const there = table.partitions.find((partition) => isThere(entry, partition, table, taken));
    const partition = there ?? begun;
    if (partition !== undefined) taken.add(partition);
    return { entry, unfinished: there === undefined && begun !== undefined, ...(partition && { partition }) };
  });
}

function isBegun(entry: PartitionRequest, partition: FoundPartition, { kind }: PartitionTable): boolean {
  if (partition.typeId !== progressType(kind, entry)) return false;
  // On an msdos table the type doesn't say which entry it is. They are made one after the other: the first that isn't
  // there is meant; it may have been expanded.
  return kind === 'gpt' || partition.sizeBytes >= entry.sizeMib * MIB;
}

function isThere(
  entry: PartitionRequest,
  partition: FoundPartition,
  table: PartitionTable,
  taken: ReadonlySet<FoundPartition>,
): boolean {
  const { fsLabel, pLabel, filesystem, sizeMib, bootable } = entry;
  if (isInProgress(table.kind, partition)) return false;
  if (pLabel !== '' && partition.name === pLabel) return true;
  if (fsLabel !== '' && hasLabel(partition, fsLabel)) return true;
  if (fsLabel !== '') return false;
  if (pLabel !== '' && table.kind === 'gpt') return false;
  if (table.kind === 'gpt') return partition.uuid === markerUuid(table, entry);
  // An msdos table has no place for a name or a mark: a partition of this size and kind, without a label, is taken for it.
  // (One that takes all that is left is kept from being made again by the disk being full.)
  return (
    !taken.has(partition) &&
    partition.filesystem.label === undefined &&
    partition.sizeBytes === sizeMib * MIB &&
    partition.typeId === partitionType(filesystem, table.kind, bootable) &&
    (filesystem === 'none' || partition.filesystem.type === FORMATS[filesystem].type)
  );
}

/** Whether a partition's filesystem has the label; those of FAT have no case. */
export function hasLabel({ filesystem }: FoundPartition, label: string): boolean {
  if (filesystem.label === undefined) return false;
  if (filesystem.type === 'vfat') return filesystem.label.toUpperCase() === label.toUpperCase();
  return filesystem.label === label;
}
