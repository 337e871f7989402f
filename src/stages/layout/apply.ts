// Carries out a layout's plan: one function per action. The table is read back after each write, and a filesystem is made
// only where a plan says that the partition is one of its own.

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIB } from '../../slots/partitions.ts';
import { fsyncPath } from '../../system/durable.ts';
import { HoldfastError } from '../../system/errors.ts';
import type { EventSink } from '../../system/events.ts';
import { type ApplyContext, apply, type Performers } from '../../system/plan.ts';
import { commandFailed, run } from '../../system/process.ts';
import { findProgram, requireTools } from '../../system/tools.ts';
import { kernelDevice, kernelName } from './blockdevices.ts';
import { settle } from './device.ts';
import { FORMATS } from './formats.ts';
import { growFilesystem, growTools } from './grow.ts';
import type { FoundDisk, LayoutAction, LayoutPlan } from './space.ts';
import type { TablePartition } from './table.ts';
import {
  addPartition,
  announcePartition,
  changePartition,
  runLockedChecked,
  withPartition,
  writeEmptyTable,
} from './write.ts';

export interface LayoutOptions {
  events: EventSink;
  signal?: AbortSignal | undefined;
  /** Called before each action; crash tests throw from here. */
  beforeAction?: (index: number) => Promise<void> | void;
}

const performers: Performers<LayoutAction, FoundDisk> = {
  'create-table': async ({ id }, _, disk) => {
    await writeEmptyTable(disk, id);
    if (kernelName(disk.path) !== undefined) await run(['partx', '--delete', disk.path]);
  },
  add: async ({ partition }, _, disk) => {
    await addPartition(disk, partition);
    await tellKernel(disk, partition);
  },
  'grow-partition': async ({ partition }, _, disk) => {
    await changePartition(disk, partition);
    await tellKernel(disk, partition);
  },
  finish: async ({ partition }, _, disk) => {
    await changePartition(disk, partition);
    await tellUdev(disk, partition);
  },
  format: ({ partition, filesystem, label }, context, disk) =>
    withPartition(disk.path, partition, context.undo, async (device) => {
      const format = FORMATS[filesystem];
      const { signal } = context;
      await runLockedChecked(disk.path, format.make(device, partition.sizeBytes), { signal });
      fsyncPath(device);
      // The label comes last: it says that all before it is on the disk.
      if (label !== '') await runLockedChecked(disk.path, format.label(device, label));
      fsyncPath(device);
    }),
  'grow-filesystem': growOne,
};

async function growOne(
  { partition, ...filesystem }: Extract<LayoutAction, { kind: 'grow-filesystem' }>,
  { undo, warn }: ApplyContext,
  disk: FoundDisk,
): Promise<void> {
  if (filesystem.mountPoint === undefined) {
    await withPartition(disk.path, partition, undo, (device) => growFilesystem(disk.path, device, filesystem, undo));
    return;
  }
  const device = kernelDevice(disk.path, partition);
  if (device === undefined) {
    warn(
      `layout: the kernel keeps the old size of partition ${partition.number} of ${disk.path} while it is mounted; its filesystem grows when this runs again after a reboot`,
    );
    return;
  }
  await growFilesystem(disk.path, device.node, filesystem, undo);
}

async function tellKernel(disk: FoundDisk, partition: TablePartition): Promise<void> {
  await announcePartition(disk.path, partition);
  await settle();
}

/** udev may have looked at the partition while it was locked or not labelled yet. */
async function tellUdev(disk: FoundDisk, partition: TablePartition): Promise<void> {
  await announcePartition(disk.path, partition);
  const device = kernelDevice(disk.path, partition);
  if (device !== undefined && findProgram('udevadm') !== undefined) {
    await run(['udevadm', 'trigger', '--action=change', `/sys/class/block/${device.name}`]);
  }
  await settle();
}

/**
 * Carries out the plan.
 * @throws HoldfastError HF-TOOL-MISSING and HF-NO-SPACE before the first write; else what the failing action threw.
 */
export async function applyLayout(plan: LayoutPlan, disk: FoundDisk, options: LayoutOptions): Promise<void> {
  requireTools([...toolsOf(plan.actions, disk)]);
  await tryFormats(plan.actions);
  await apply(plan, performers, { state: disk, ...optionsOf(options) });
}

function optionsOf({ events, signal, beforeAction }: LayoutOptions) {
  return { events, ...(signal && { signal }), ...(beforeAction && { beforeAction }) };
}

function toolsOf(actions: readonly LayoutAction[], { path }: FoundDisk): Set<string> {
  const tools = new Set(['sfdisk', 'blkid', 'flock', 'losetup']);
  if (kernelName(path) !== undefined) tools.add('partx');
  for (const action of actions) {
    if (action.kind === 'format') {
      const { make, label } = FORMATS[action.filesystem];
      tools.add(make('', 0)[0]);
      if (action.label !== '') tools.add(label('', '')[0]);
    } else if (action.kind === 'grow-filesystem') {
      for (const tool of growTools(action)) tools.add(tool);
    }
  }
  return tools;
}

/** mkfs.xfs 5.19 and later takes no less than 300 MB, earlier ones do: the one that is there is asked, before any write. */
async function tryFormats(actions: readonly LayoutAction[]): Promise<void> {
  for (const action of actions) {
    if (action.kind !== 'format' || action.filesystem !== 'xfs' || action.partition.sizeBytes > 300 * MIB) continue;
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-layout-'));
    try {
      const file = join(directory, 'trial');
      writeFileSync(file, '');
      truncateSync(file, action.partition.sizeBytes);
      const result = await run(['mkfs.xfs', '-N', file]);
      if (result.status === 0) continue;
      throw new HoldfastError(
        'HF-NO-SPACE',
        `partition ${action.partition.number} would have ${action.partition.sizeBytes / MIB} MiB, too little for mkfs.xfs: ${result.stderr.trim().split('\n')[0]}`,
        { cause: commandFailed(result), hint: 'nothing was changed' },
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  }
}
