// A disk to install on: a block device or an image file. Its partitions are attached as loop devices by offset and
// size, for both kinds alike, so that nothing depends on the kernel reading the new table or on udev making nodes.

import { closeSync, fsyncSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { type FilesystemIdentity, parseBlkidExport } from '../system/filesystems.ts';
import { run, runChecked } from '../system/process.ts';
import { MARK_OFFSET, markSector } from './install-mark.ts';
import { type PlannedPartition, sfdiskScript } from './partitions.ts';

export interface Disk {
  path: string;
  kind: 'device' | 'image';
  sizeBytes: number;
}

export interface FoundPartition extends FilesystemIdentity {
  number: number;
  startBytes: number;
  sizeBytes: number;
  /** The identity that a GPT gives it; firmware's boot entries name partitions by it. */
  partitionUuid?: string;
  /** Its name in a GPT. */
  name?: string;
}

/**
 * What `path` is.
 * @throws HoldfastError HF-TARGET when it is neither a whole block device nor a file.
 */
export async function openDisk(path: string): Promise<Disk> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new HoldfastError('HF-TARGET', `${path} does not exist`, {
      hint: 'name a disk (lsblk lists them), or make an image file first: truncate --size 16G disk.img',
    });
  }
  if (stat.isFile()) return { path, kind: 'image', sizeBytes: stat.size };
  if (!stat.isBlockDevice()) {
    throw new HoldfastError('HF-TARGET', `${path} is neither a disk nor an image file`, {
      hint: 'lsblk lists the disks',
    });
  }
  const sizeBytes = Number((await runChecked(['blockdev', '--getsize64', path])).trim());
  const type = (await runChecked(['lsblk', '--nodeps', '--noheadings', '--output', 'TYPE', path])).trim();
  if (type === 'part') {
    throw new HoldfastError('HF-TARGET', `${path} is a partition; a whole disk is needed`, {
      hint: 'lsblk lists the disks',
    });
  }
  return { path, kind: 'device', sizeBytes };
}

/** The partitions that are on a disk now, with what their filesystems say of themselves; none without a table. */
export async function readPartitions(disk: Disk): Promise<FoundPartition[]> {
  const result = await run(['sfdisk', '--json', disk.path]);
  if (result.status !== 0) return [];
  const table: unknown = JSON.parse(result.stdout);
  const found: FoundPartition[] = [];
  for (const [index, entry] of partitionEntries(table).entries()) {
    const startBytes = entry.start * 512;
    const sizeBytes = entry.size * 512;
    const probe = await run([
      'blkid',
      '--probe',
      '--output',
      'export',
      '--offset',
      String(startBytes),
      '--size',
      String(sizeBytes),
      disk.path,
    ]);
    found.push({
      number: entry.number ?? index + 1,
      startBytes,
      sizeBytes,
      ...(entry.uuid === undefined ? {} : { partitionUuid: entry.uuid }),
      ...(entry.name === undefined ? {} : { name: entry.name }),
      ...parseBlkidExport(probe.stdout),
    });
  }
  return found;
}

interface TableEntry {
  number?: number;
  start: number;
  size: number;
  uuid?: string;
  name?: string;
}

/** sfdisk's JSON, reduced to what is used here; start and size are in sectors of 512 bytes. */
function partitionEntries(json: unknown): TableEntry[] {
  if (typeof json !== 'object' || json === null || !('partitiontable' in json)) return [];
  const table = json.partitiontable;
  if (typeof table !== 'object' || table === null || !('partitions' in table) || !Array.isArray(table.partitions))
    return [];
  return table.partitions.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || !('start' in entry) || !('size' in entry)) return [];
    const { start, size } = entry;
    if (typeof start !== 'number' || typeof size !== 'number') return [];
    // A table with gaps: the node's name ends in the partition's number.
    const number = 'node' in entry && typeof entry.node === 'string' ? /(\d+)$/.exec(entry.node)?.[1] : undefined;
    return [
      {
        start,
        size,
        ...(number !== undefined && { number: Number(number) }),
        ...('uuid' in entry && typeof entry.uuid === 'string' && { uuid: entry.uuid }),
        ...('name' in entry && typeof entry.name === 'string' && { name: entry.name }),
      },
    ];
  });
}

/**
 * Writes a new GPT; what was on the disk is lost. The mark of an unfinished install is there afterwards.
 * @param options.found what is on it now: firmware must find nothing to start there before the new table is written.
 */
export async function writePartitionTable(
  disk: Disk,
  partitions: readonly PlannedPartition[],
  options: { bios?: boolean; found?: readonly FoundPartition[] } = {},
): Promise<void> {
  clear(disk, options.found ?? []);
  await runChecked(
    ['sfdisk', '--wipe', 'always', '--wipe-partitions', 'always', '--no-reread', '--no-tell-kernel', disk.path],
    {
      input: sfdiskScript(partitions, options),
    },
  );
}

/** Overwrites boot code, tables and superblocks: the first MiB of the disk, with the mark in it, and of each partition. */
function clear(disk: Disk, partitions: readonly FoundPartition[]): void {
  const zeros = Buffer.alloc(1 << 20);
  const head = Buffer.concat([zeros.subarray(0, MARK_OFFSET), markSector()]);
  const fd = openSync(disk.path, 'r+');
  try {
    // The mark first: while the old table is there, the disk is what it was.
    writeSync(fd, head.subarray(MARK_OFFSET), 0, head.length - MARK_OFFSET, MARK_OFFSET);
    fsyncSync(fd);
    for (const { startBytes, sizeBytes } of partitions) {
      writeSync(fd, zeros, 0, Math.min(zeros.length, sizeBytes), startBytes);
    }
    writeSync(fd, head, 0, head.length, 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Tells the kernel about a device's new table, so that its partition nodes appear. A kernel that can't is no error. */
export async function announcePartitions(disk: Disk): Promise<{ warning?: string }> {
  if (disk.kind === 'image') return {};
  const result = await run(['partx', '--update', disk.path]);
  return result.status === 0
    ? {}
    : { warning: `the kernel did not take the new table of ${disk.path}; reboot to see it` };
}

/** Whether a BIOS would find a program in the first sector; 440 bytes hold one, the rest belongs to the table. */
export function hasBootCode(disk: Disk): boolean {
  return readHead(disk, 440).some((byte) => byte !== 0);
}

/** Whether the disk already has a partition table or filesystem of any kind in its first MiB. */
export function looksUsed(disk: Disk): boolean {
  return readHead(disk, 1 << 20).some((byte) => byte !== 0);
}

function readHead(disk: Disk, bytes: number): Buffer {
  const fd = openSync(disk.path, 'r');
  try {
    const head = Buffer.alloc(bytes);
    return head.subarray(0, readSync(fd, head, 0, head.length, 0));
  } finally {
    closeSync(fd);
  }
}
