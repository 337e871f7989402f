// Decides how a partition is expanded: the table, then the filesystem. Nothing to grow is success, and a filesystem that
// an interrupted run left smaller than its partition is grown by the next one. Pure.

import { MIB } from '../../slots/partitions.ts';
import { HoldfastError } from '../../system/errors.ts';
import { FORMATS, growsBy } from './formats.ts';
import { describePartition, type PartitionRequest } from './request.ts';
import {
  alignDown,
  type Draft,
  type LayoutAction,
  type LayoutPlan,
  MIN_FREE_BYTES,
  mib,
  refuseUses,
  type Space,
  usesWithin,
} from './space.ts';
import { BTRFS_MIN_BYTES } from './superblock.ts';
import { type FoundPartition, isExtended } from './table.ts';

const UNCHANGED = { hint: 'nothing was changed' };

/**
 * Sets the size of `target`, and what grows its filesystem if it has one already.
 * @param sizeMib 0: all that is left behind it.
 * @throws HoldfastError HF-NO-SPACE with the figures, HF-TARGET when what it holds can't grow or is used in a way that
 *   forbids it, HF-CONFIG when what it will hold can't.
 */
export function planExpansion(space: Space, target: Draft, sizeMib: number, plan: LayoutPlan): void {
  const sizeBytes = grownSize(space, target, sizeMib, plan);
  if (target.entry !== undefined) {
    if (sizeBytes > target.at.sizeBytes) refuseFixed(target.entry);
    target.at = { ...target.at, sizeBytes };
    return;
  }
  if (target.found === undefined) return;
  target.expansion = expandFound(space, target.found, sizeBytes, plan);
  target.at = { ...target.at, sizeBytes };
}

/** The size that it gets: never less than it has. */
function grownSize({ disk, table, drafts }: Space, { at, entry }: Draft, sizeMib: number, plan: LayoutPlan): number {
  const behind = drafts.map((draft) => draft.at.startBytes).filter((startBytes) => startBytes > at.startBytes);
  const limit = Math.min(table.endBytes, ...behind);
  const end = at.startBytes + at.sizeBytes;
  const left = Math.max(0, limit - end);
  const name = `partition ${at.number} of ${disk.path}`;
  const wanted = sizeMib === 0 ? alignDown(limit) - at.startBytes : sizeMib * MIB;
  if (wanted <= at.sizeBytes) {
    if (sizeMib > 0 && at.sizeBytes - wanted >= MIB && entry === undefined) {
      plan.warnings.push(
        `layout: ${name} has ${mib(at.sizeBytes)}, more than the ${sizeMib} MiB of expand_partition; it is never shrunk`,
      );
    }
    return at.sizeBytes;
  }
  if (left < MIN_FREE_BYTES && (sizeMib === 0 || wanted - at.sizeBytes > left)) {
    if (sizeMib > 0) {
      plan.warnings.push(
        `layout: ${name} can't grow to ${sizeMib} MiB: ${mib(left)} are left behind it, less than 32 MiB`,
      );
    }
    return at.sizeBytes;
  }
  if (wanted - at.sizeBytes > left) {
    throw new HoldfastError(
      'HF-NO-SPACE',
      `${name} can't grow to ${sizeMib} MiB: it has ${mib(at.sizeBytes)}, and ${mib(left)} are left behind it`,
      UNCHANGED,
    );
  }
  if (table.kind === 'dos' && (at.number > table.maxPartitions || isExtended(table, at))) {
    throw new HoldfastError(
      'HF-TARGET',
      `${name} can't be expanded: it is an extended partition, or a logical one inside of it`,
      UNCHANGED,
    );
  }
  refuseUses(disk, { startBytes: end, sizeBytes: wanted - at.sizeBytes }, `${name} can't be expanded`);
  return wanted;
}

/** All implementations refuse to expand swap and FAT. */
function refuseFixed(entry: PartitionRequest): void {
  if (entry.filesystem === 'none' || growsBy(FORMATS[entry.filesystem].type) !== undefined) return;
  throw new HoldfastError('HF-CONFIG', `${describePartition(entry)} can't be expanded as the last partition`, {
    hint: 'give it its size in add_partitions, or put it before a partition that can grow (ext2-4, xfs, btrfs)',
  });
}

function expandFound({ disk }: Space, found: FoundPartition, sizeBytes: number, plan: LayoutPlan): LayoutAction[] {
  const grows = sizeBytes > found.sizeBytes;
  const { type, size } = found.filesystem;
  const lags = size !== undefined && size.grownBytes - size.sizeBytes >= MIB;
  if (!grows && !lags) return [];
  const name = `partition ${found.number} of ${disk.path}`;
  if (type !== undefined && size === undefined) {
    throw new HoldfastError('HF-TARGET', `${name} can't be expanded: it holds ${type}, which can't grow`, {
      hint: 'nothing was changed; ext2, ext3, ext4, xfs and btrfs can be expanded',
    });
  }
  if (type === 'btrfs' && sizeBytes < BTRFS_MIN_BYTES) {
    throw new HoldfastError(
      'HF-NO-SPACE',
      `${name} can't grow to ${mib(sizeBytes)}: a btrfs takes no new size below ${mib(BTRFS_MIN_BYTES)}`,
      UNCHANGED,
    );
  }
  const uses = usesWithin(disk, found);
  const mountPoint = uses.find((use) => use.mountPoint !== undefined)?.mountPoint;
  if (mountPoint === undefined) refuseUses(disk, found, `${name} can't be expanded while it is used like this`);
  const { filesystem: _, ...before } = found;
  const partition = { ...before, sizeBytes };
  const actions: LayoutAction[] = [];
  if (grows) {
    const summary = `grow ${name} from ${mib(found.sizeBytes)} to ${mib(sizeBytes)}`;
    actions.push({ kind: 'grow-partition', summary, partition });
  }
  if (type === undefined) {
    plan.warnings.push(`layout: ${name} holds no filesystem that is known; only the partition grows`);
    return actions;
  }
  actions.push({
    kind: 'grow-filesystem',
    summary: `grow the ${type} on ${name}${mountPoint === undefined ? '' : `, mounted at ${mountPoint}`}`,
    partition,
    type,
    ...(mountPoint === undefined ? {} : { mountPoint }),
    ...(size?.deviceId === undefined ? {} : { deviceId: size.deviceId }),
  });
  return actions;
}
