// A partition by its name in the partition table: what is left of it while its file system is being made anew.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listLoops } from '../system/loopdevices.ts';
import { run } from '../system/process.ts';
import type { PartitionRole } from './names.ts';

const SYS = '/sys/class/block';
const SECTOR_BYTES = 512;

/** elemental's names for a role: those of 1.x, which `install` writes, and those of May 2022. */
export function partitionNames(role: PartitionRole): string[] {
  return role === 'efi' ? ['efi', 'p.grub'] : [role, `p.${role}`];
}

/** Reads `sfdisk --json`: where the partitions start, in bytes, by name. */
export function startsByName(json: string): Map<string, number> {
  const starts = new Map<string, number>();
  const table: unknown = JSON.parse(json);
  if (typeof table !== 'object' || table === null || !('partitiontable' in table)) return starts;
  const { partitiontable } = table;
  if (typeof partitiontable !== 'object' || partitiontable === null || !('partitions' in partitiontable)) return starts;
  if (!Array.isArray(partitiontable.partitions)) return starts;
  for (const entry of partitiontable.partitions as readonly unknown[]) {
    if (typeof entry !== 'object' || entry === null || !('name' in entry) || !('start' in entry)) continue;
    if (typeof entry.name === 'string' && typeof entry.start === 'number') {
      starts.set(entry.name, entry.start * SECTOR_BYTES);
    }
  }
  return starts;
}

/** Where the named partitions of a disk or an image file start; undefined without a table. */
export async function readPartitionStarts(path: string): Promise<Map<string, number> | undefined> {
  const result = await run(['sfdisk', '--json', path]);
  return result.status === 0 ? startsByName(result.stdout) : undefined;
}

/**
 * The block device of the partition that is named after a role.
 * @param disk a kernel name or an image file, as describeBlockDevice gives it.
 */
export async function partitionByName(disk: string, role: PartitionRole): Promise<string | undefined> {
  const path = disk.startsWith('/') ? disk : `/dev/${disk}`;
  if (!existsSync(path)) return undefined;
  const starts = await readPartitionStarts(path);
  if (starts === undefined) return undefined;
  const name = partitionNames(role).find((each) => starts.has(each));
  const startBytes = name === undefined ? undefined : starts.get(name);
  if (startBytes === undefined) return undefined;
  if (disk.startsWith('/')) {
    return listLoops().find(
      ({ device, file }) => file === disk && numberIn(join(SYS, device.slice(5), 'loop/offset')) === startBytes,
    )?.device;
  }
  const child = readdirSync(join(SYS, disk)).find(
    (entry) =>
      existsSync(join(SYS, disk, entry, 'partition')) &&
      (numberIn(join(SYS, disk, entry, 'start')) ?? 0) * SECTOR_BYTES === startBytes,
  );
  return child === undefined ? undefined : `/dev/${child}`;
}

function numberIn(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8').trim());
  } catch {
    return undefined;
  }
}
