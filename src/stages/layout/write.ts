// The programs that write to a disk, each under the disk's lock (flock, as udev and systemd take it): the lock is held by
// the program itself, so that one which outlives a killed run is waited for by the next run.

import { fsyncPath } from '../../system/durable.ts';
import { HoldfastError } from '../../system/errors.ts';
import { attachLoop } from '../../system/loopdevices.ts';
import type { UndoStack } from '../../system/plan.ts';
import { commandFailed, type RunOptions, type RunResult, run } from '../../system/process.ts';
import { findProgram } from '../../system/tools.ts';
import { kernelDevice, kernelName } from './blockdevices.ts';
import { readTable } from './inspect.ts';
import { sfdiskLine, type TablePartition, tableDifference } from './table.ts';

type Argv = readonly [string, ...string[]];

/** Chosen so that it can't be mistaken for a status of mkfs or sfdisk. */
const CONFLICT_STATUS = 75;
/** A mkfs that a killed run left behind may take this long. */
const LOCK_SECONDS = 300;
/** How often it is looked for a new partition's node, and how long in between. */
const NODE_TRIES = 20;
const NODE_MS = 100;

/** Runs a program while it holds the disk's lock, whatever its status. */
export async function runLocked(disk: string, argv: Argv, options: RunOptions = {}): Promise<RunResult> {
  const [program, ...args] = argv;
  const lock = ['--exclusive', '--no-fork', '--wait', String(LOCK_SECONDS)];
  const conflict = ['--conflict-exit-code', String(CONFLICT_STATUS)];
  const result = await run(['flock', ...lock, ...conflict, disk, findProgram(program) ?? program, ...args], options);
  if (result.status === CONFLICT_STATUS) {
    throw new HoldfastError('HF-LOCKED', `another program holds the lock of ${disk}`, {
      hint: 'wait until it is done',
    });
  }
  return { ...result, argv };
}

/** @throws HoldfastError HF-COMMAND unless the status is 0. */
export async function runLockedChecked(disk: string, argv: Argv, options: RunOptions = {}): Promise<void> {
  const result = await runLocked(disk, argv, options);
  if (result.status !== 0) throw commandFailed(result);
}

/** Neither sfdisk nor its exit status shall depend on what the kernel thinks of a disk that is in use. */
const QUIET = ['--quiet', '--no-reread', '--no-tell-kernel'];
const KEEP = ['--wipe', 'never', '--wipe-partitions', 'never'];

export interface WritableDisk {
  path: string;
  sizeBytes: number;
  sectorBytes: number;
}

/** Writes an empty GPT; what was on the disk is lost. */
export async function writeEmptyTable(disk: WritableDisk, id: string): Promise<void> {
  const input = `label: gpt\nlabel-id: ${id}\n`;
  await runLockedChecked(disk.path, ['sfdisk', ...QUIET, '--wipe', 'always', disk.path], { input });
  await checkTable(disk, []);
}

/** Adds a partition at its number; signatures of what was in its place before are wiped first. */
export async function addPartition(disk: WritableDisk, partition: TablePartition): Promise<void> {
  const before = await currentPartitions(disk);
  const wipe = ['--wipe', 'never', '--wipe-partitions', 'always'];
  const input = sfdiskLine(partition, disk.sectorBytes, disk.path);
  await runLockedChecked(disk.path, ['sfdisk', ...QUIET, ...wipe, '--append', disk.path], { input });
  await checkTable(disk, [...before, partition]);
}

/** Changes an entry of the table; the partition's content stays as it is. */
export async function changePartition(disk: WritableDisk, partition: TablePartition): Promise<void> {
  const before = await currentPartitions(disk);
  const others = before.filter(({ number }) => number !== partition.number);
  const old = before.find(({ number }) => number === partition.number);
  if (old?.startBytes !== partition.startBytes || old.sizeBytes > partition.sizeBytes) {
    throw new HoldfastError('HF-TARGET', `partition ${partition.number} of ${disk.path} is not where it was`);
  }
  const input = sfdiskLine(partition, disk.sectorBytes);
  await runLockedChecked(disk.path, ['sfdisk', ...QUIET, ...KEEP, '-N', String(partition.number), disk.path], {
    input,
  });
  await checkTable(disk, [...others, partition]);
}

async function currentPartitions(disk: WritableDisk): Promise<readonly TablePartition[]> {
  const table = await readTable(disk.path, disk.sizeBytes);
  return table === undefined || 'other' in table ? [] : table.partitions;
}

/** Reads the table back. */
async function checkTable(disk: WritableDisk, expected: readonly TablePartition[]): Promise<void> {
  fsyncPath(disk.path);
  const difference = tableDifference(expected, await currentPartitions(disk));
  if (difference === undefined) return;
  throw new HoldfastError('HF-TARGET', `the partition table of ${disk.path} is not as it was written: ${difference}`, {
    hint: 'look at it with sfdisk --dump before anything else is done to the disk',
  });
}

/**
 * Tells the kernel about one partition; a kernel or a loop device that has no partitions is no error.
 * @returns whether the kernel has it now.
 */
export async function announcePartition(disk: string, partition: TablePartition): Promise<boolean> {
  if (kernelName(disk) === undefined) return false;
  const result = await run(['partx', '--update', '--nr', `${partition.number}:${partition.number}`, disk]);
  for (let attempt = 0; result.status === 0 && attempt < NODE_TRIES; attempt++) {
    if (kernelDevice(disk, partition) !== undefined) return true;
    await new Promise((resolve) => setTimeout(resolve, NODE_MS));
  }
  return kernelDevice(disk, partition) !== undefined;
}

/** Runs `work` on a device for the partition: the kernel's own, or a loop device for its place on the disk. */
export async function withPartition<T>(
  disk: string,
  partition: TablePartition,
  undo: UndoStack,
  work: (device: string) => Promise<T>,
): Promise<T> {
  const known = kernelDevice(disk, partition);
  if (known !== undefined) return await work(known.node);
  const { device, detach } = await attachLoop(undo, disk, {
    offsetBytes: partition.startBytes,
    sizeBytes: partition.sizeBytes,
  });
  const result = await work(device);
  await detach();
  return result;
}
