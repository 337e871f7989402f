// A disk as a planner sees it, and what an action would make of it: no bytes, only the facts that inspecting would find.

import { MIB } from '../../../../src/slots/partitions.ts';
import { FORMATS } from '../../../../src/stages/layout/formats.ts';
import { planLayout } from '../../../../src/stages/layout/plan.ts';
import { type LayoutRequest, readRequest } from '../../../../src/stages/layout/request.ts';
import type { FoundDisk, LayoutAction, LayoutPlan } from '../../../../src/stages/layout/space.ts';
import { emptyGpt, type FoundPartition, type PartitionTable } from '../../../../src/stages/layout/table.ts';
import type { StepValue } from '../../../../src/stages/steps/handler.ts';

export const DISK_ID = '9F2C37C1-8D5B-4B22-8C7E-0D4D2E7E9A11';
const LINUX = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';

export interface ModelPartition {
  number?: number;
  startMib: number;
  sizeMib: number;
  name?: string;
  type?: string;
  label?: string;
  typeId?: string;
  /** How large its filesystem is, when not as large as it. */
  filesystemMib?: number;
}

export function modelDisk(
  sizeMib: number,
  partitions: readonly ModelPartition[] | undefined,
  options: Partial<FoundDisk> & { kind?: 'gpt' | 'dos' } = {},
): FoundDisk {
  const { kind = 'gpt', ...rest } = options;
  const sizeBytes = sizeMib * MIB;
  const disk: FoundDisk = {
    path: '/dev/sdx',
    sizeBytes,
    sectorBytes: 512,
    blank: partitions === undefined,
    uses: [],
    freshId: DISK_ID,
    ...rest,
  };
  if (partitions === undefined) return disk;
  const gpt = emptyGpt(DISK_ID, sizeBytes, 512);
  const table: PartitionTable<FoundPartition> = {
    ...gpt,
    kind,
    ...(kind === 'dos' ? { endBytes: sizeBytes, maxPartitions: 4, id: '0XBCE58B4F' } : {}),
    partitions: partitions.map((model, index) => found(model, index, kind)),
  };
  return { ...disk, table };
}

function found(model: ModelPartition, index: number, kind: 'gpt' | 'dos'): FoundPartition {
  const { number = index + 1, startMib, sizeMib, name, type, label, typeId, filesystemMib = sizeMib } = model;
  return {
    number,
    startBytes: startMib * MIB,
    sizeBytes: sizeMib * MIB,
    typeId: typeId ?? (kind === 'gpt' ? LINUX : '83'),
    ...(kind === 'gpt' ? { uuid: `00000000-0000-4000-8000-00000000000${number}` } : {}),
    ...(name === undefined ? {} : { name }),
    filesystem: filesystem(type, label, filesystemMib * MIB, sizeMib * MIB),
  };
}

function filesystem(type: string | undefined, label: string | undefined, sizeBytes: number, grownBytes: number) {
  if (type === undefined) return {};
  const grows = /^(?:ext[234]|xfs|btrfs)$/.test(type);
  return { type, ...(label ? { label } : {}), ...(grows ? { size: { sizeBytes, grownBytes } } : {}) };
}

/** The disk after an action. */
export function afterAction(disk: FoundDisk, action: LayoutAction): FoundDisk {
  if (action.kind === 'create-table') {
    return { ...disk, blank: false, table: emptyGpt(action.id, disk.sizeBytes, disk.sectorBytes) };
  }
  const { table } = disk;
  if (table === undefined) throw new Error('there is no table');
  const { partition } = action;
  const old = table.partitions.find(({ number }) => number === partition.number);
  const others = table.partitions.filter(({ number }) => number !== partition.number);
  const uuid =
    partition.uuid ?? old?.uuid ?? `10000000-0000-4000-8000-0000000000${String(partition.number).padStart(2, '0')}`;
  const changed: FoundPartition = {
    ...(action.kind === 'format' || action.kind === 'grow-filesystem' ? (old ?? partition) : partition),
    ...(table.kind === 'gpt' ? { uuid } : {}),
    filesystem: filesystemAfter(old, action),
  };
  const partitions = [...others, changed].sort((a, b) => a.number - b.number);
  return { ...disk, table: { ...table, partitions } };
}

function filesystemAfter(old: FoundPartition | undefined, action: Exclude<LayoutAction, { kind: 'create-table' }>) {
  const { partition } = action;
  if (action.kind === 'format') {
    const { type } = FORMATS[action.filesystem];
    return filesystem(type, action.label, partition.sizeBytes, partition.sizeBytes);
  }
  const before = old?.filesystem ?? {};
  if (before.size === undefined) return before;
  const sizeBytes = action.kind === 'grow-filesystem' ? partition.sizeBytes : before.size.sizeBytes;
  return { ...before, size: { ...before.size, sizeBytes, grownBytes: partition.sizeBytes } };
}

export type Layout = Omit<StepValue<'layout'>, 'device'> & { device?: StepValue<'layout'>['device'] };

/** A request for the disk, which can't be one for nothing. */
export function requestOf({ device = { path: '/dev/sdx' }, ...layout }: Layout): LayoutRequest {
  const request = readRequest({ device, ...layout });
  if ('nothing' in request) throw new Error(request.nothing);
  return request;
}

export function planOf(layout: Layout, disk: FoundDisk): LayoutPlan {
  return planLayout(requestOf(layout), disk);
}

/** Plans and does it: the disk afterwards. */
export function applied(layout: Layout, disk: FoundDisk): FoundDisk {
  return planOf(layout, disk).actions.reduce(afterAction, disk);
}

/** "1 oem 1+64", one line per partition, in the order of the table. */
export function tableText({ table }: FoundDisk): string[] {
  return (table?.partitions ?? []).map(({ number, startBytes, sizeBytes, name, filesystem: { type, label } }) =>
    [number, name ?? '-', `${startBytes / MIB}+${sizeBytes / MIB}`, type ?? '-', label ?? '-'].join(' '),
  );
}
