// Why a disk must not be overwritten now: what is mounted from it, swapped to it, or built on it (LVM, RAID, encryption,
// a disk of a virtual machine). The disk that this machine runs from is among them, since its state partition is mounted.

import { readFileSync, realpathSync } from 'node:fs';
import { errnoOf } from '../system/errors.ts';
import { listLoops } from '../system/loopdevices.ts';
import { listMounts, type Mount } from '../system/mounts.ts';
import { runChecked } from '../system/process.ts';
import type { Disk } from './disk.ts';

/** A device that lies on the disk, as lsblk(8) names it; the disk itself is among them. */
export interface DependentDevice {
  path: string;
  /** `major:minor` */
  number: string;
  /** `disk`, `part`, `loop`, `lvm`, `crypt`, `raid1`, … */
  type: string;
}

/** Why the disk is in use, one sentence each. Empty when it is free. */
export async function usersOfDisk(disk: Disk): Promise<string[]> {
  const attachedTo = (files: readonly string[]) =>
    listLoops()
      .filter((loop) => files.includes(loop.file))
      .map(({ device }) => `${device} is attached to it`);
  if (disk.kind === 'image') return attachedTo([realpathSync(disk.path)]);
  const columns = ['lsblk', '--list', '--noheadings', '--paths', '--output', 'NAME,MAJ:MIN,TYPE', disk.path] as const;
  const devices = parseDependents(await runChecked(columns));
  const loops = attachedTo([realpathSync(disk.path), ...devices.map(({ path }) => path)]);
  return [...describeUsers(devices, listMounts(), readSwaps()), ...loops];
}

/** The lines of lsblk with the columns NAME, MAJ:MIN and TYPE. */
export function parseDependents(text: string): DependentDevice[] {
  return text.split('\n').flatMap((line) => {
    const [path, number, type] = line.trim().split(/\s+/);
    return path === undefined || number === undefined || type === undefined ? [] : [{ path, number, type }];
  });
}

/** What uses these devices, of which the first is the disk itself. Pure. */
export function describeUsers(
  devices: readonly DependentDevice[],
  mounts: readonly Mount[],
  swaps: readonly string[],
): string[] {
  const users = new Set<string>();
  for (const [index, { path, number, type }] of devices.entries()) {
    // btrfs and overlays have numbers of their own, so the name counts as well.
    for (const { source, device, mountPoint } of mounts) {
      if (source === path || device === number) users.add(`${path} is mounted at ${mountPoint}`);
    }
    if (swaps.includes(path)) users.add(`${path} is swap space in use`);
    // The first is the disk itself, which may be a RAID or a multipath device.
    if (index > 0 && !['part', 'loop'].includes(type)) users.add(`${path} (${type}) is built on it`);
  }
  return [...users];
}

/** Devices and files that are swapped to. */
function readSwaps(): string[] {
  try {
    return parseSwaps(readFileSync('/proc/swaps', 'utf8'));
  } catch (error) {
    // A kernel without swap space.
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The text of /proc/swaps: a line of titles, then one line for each. */
export function parseSwaps(text: string): string[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => line.match(/^\S+/)?.[0] ?? [])
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
}
