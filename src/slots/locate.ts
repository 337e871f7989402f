// Where the partitions of this machine's system are. A label alone is no answer: a second disk may carry the same ones,
// and writing to it would cost a system that has nothing to do with this one. So those on the disk that was booted from
// come first, and where nothing was booted from a disk a label that is there twice is a refusal.

import { existsSync, realpathSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { devicesWithLabel } from '../system/filesystems.ts';
import { listMounts, type Mount, mountAt } from '../system/mounts.ts';
import { run } from '../system/process.ts';
import { type BlockDevice, describeBlockDevice, withoutPaths } from './block-device.ts';
import { BOOTED_PARTITION, type Labels, LIVE_PARTITION, PARTITION_ROLES, type PartitionRole } from './names.ts';
import { partitionByName } from './partition-name.ts';

/** Where a partition is, and where it is mounted if it is. */
export interface LocatedPartition {
  device: string;
  mountPoint: string | undefined;
  /** It has no label, only its name in the partition table: the making of its file system was cut off. */
  blank?: boolean;
}

export type Partitions = Readonly<Partial<Record<PartitionRole, LocatedPartition>>>;

/** What the choice depends on. */
export interface LabelledDevices {
  /** The disk that the running system came from; undefined on live media and in containers. */
  bootedDisk: string | undefined;
  found: Readonly<Record<PartitionRole, readonly BlockDevice[]>>;
}

/**
 * Chooses one device per role. Pure.
 * @throws HoldfastError HF-STATE when a label is on several disks and none of them is this machine's.
 */
export function choosePartitions(
  { bootedDisk, found }: LabelledDevices,
  labels: Labels,
): Partial<Record<PartitionRole, string>> {
  const candidates = (role: PartitionRole) => withoutPaths(found[role]);
  const isOn = (role: PartitionRole, disk: string) => candidates(role).some((device) => device.disk === disk);
  // Live media are disks too; the one that counts holds a system.
  const ownDisk = bootedDisk !== undefined && (isOn('state', bootedDisk) || isOn('recovery', bootedDisk));
  const state = ownDisk ? undefined : only('state', candidates('state'), labels);
  const home = ownDisk ? bootedDisk : state?.disk;

  const chosen: Partial<Record<PartitionRole, string>> = {};
  for (const role of PARTITION_ROLES) {
    const all = candidates(role);
    const here = all.filter(({ disk }) => disk === home);
    // Another disk may hold the owner's data, but not if it is an installation of its own.
    const elsewhere = all.filter(({ disk }) => disk !== home && (home === undefined || !isOn('state', disk)));
    const device = only(role, here.length > 0 ? here : elsewhere, labels);
    if (device !== undefined) chosen[role] = device.path;
  }
  return chosen;
}

function only(role: PartitionRole, devices: readonly BlockDevice[], labels: Labels): BlockDevice | undefined {
  const [device, second] = devices;
  if (second === undefined) return device;
  const label = labels.partitions[role];
  const places = devices.map(({ path, disk }) => `${path} (disk ${disk})`).join(', ');
  throw new HoldfastError('HF-STATE', `the label ${label} is on several partitions: ${places}`, {
    hint: 'detach the disks that are not meant, then try again',
  });
}

/**
 * Finds this machine's partitions.
 * @throws HoldfastError HF-STATE as {@link choosePartitions}.
 */
export async function locatePartitions(labels: Labels): Promise<Partitions> {
  const found: Partial<Record<PartitionRole, BlockDevice[]>> = {};
  for (const role of PARTITION_ROLES) {
    found[role] = (await devicesWithLabel(labels.partitions[role])).map((path) => describeBlockDevice(path));
  }
  const { efi = [], oem = [], recovery = [], state = [], persistent = [] } = found;
  const bootedDisk = await findBootedDisk();
  const chosen = choosePartitions({ bootedDisk, found: { efi, oem, recovery, state, persistent } }, labels);
  const home = chosen.state ?? chosen.recovery;
  // A file system whose making was cut off has no label yet; its partition still has its name.
  const disk = home === undefined ? bootedDisk : describeBlockDevice(home).disk;
  const blank: Partial<Record<PartitionRole, string>> = {};
  for (const role of PARTITION_ROLES) {
    if (chosen[role] !== undefined || disk === undefined) continue;
    const device = await partitionByName(disk, role);
    if (device !== undefined) blank[role] = device;
  }
  const mounts = listMounts();
  return Object.fromEntries([
    ...Object.entries(chosen).map(([role, device]) => [role, { device, mountPoint: mountPointOf(device, mounts) }]),
    ...Object.entries(blank).map(([role, device]) => [role, { device, mountPoint: undefined, blank: true }]),
  ]);
}

/**
 * One of the partitions that an action can't do without.
 * @throws HoldfastError HF-STATE when it wasn't found.
 */
export function requirePartition(partitions: Partitions, role: PartitionRole, labels: Labels): LocatedPartition {
  const partition = partitions[role];
  if (partition !== undefined) return partition;
  throw new HoldfastError('HF-STATE', `no partition with the label ${labels.partitions[role]} was found`, {
    hint: 'is an installed system attached to this machine?',
  });
}

/** The disk behind the running root: through its slot file, if it is one, to the partition and its disk. */
async function findBootedDisk(): Promise<string | undefined> {
  for (const mountPoint of ['/', '/run/rootfsbase']) {
    const source = mountAt(mountPoint)?.source;
    if (source === undefined || !/^\/dev\/loop\d+$/.test(source)) continue;
    const device = await deviceBelowLoop(source);
    if (device !== undefined) return describeBlockDevice(device).disk;
  }
  // An overlay as root doesn't say what is below it.
  for (const mountPoint of [BOOTED_PARTITION, LIVE_PARTITION]) {
    const source = mountAt(mountPoint)?.source;
    if (source?.startsWith('/dev/')) return describeBlockDevice(source).disk;
  }
  return undefined;
}

/** The block device with the file system that holds a loop device's file. */
async function deviceBelowLoop(loop: string): Promise<string | undefined> {
  const result = await run(['losetup', '--noheadings', '--raw', '--output', 'BACK-MAJ:MIN', loop]);
  const number = /\d+:\d+/.exec(result.stdout.replaceAll('\\x20', ' '))?.[0];
  if (result.status !== 0 || number === undefined) return undefined;
  return listMounts().find(({ device, source }) => device === number && source.startsWith('/dev/'))?.source;
}

/** Where a device's whole filesystem is mounted, if anywhere. */
export function mountPointOf(device: string, mounts: readonly Mount[] = listMounts()): string | undefined {
  const real = realOf(device);
  const places = mounts.filter(
    ({ source, rootPath }) => rootPath === '/' && source.startsWith('/') && realOf(source) === real,
  );
  // In a hook, or after one that was killed, a partition shows up in a second place.
  return (places.find(({ mountPoint }) => !mountPoint.startsWith('/run/cos/')) ?? places[0])?.mountPoint;
}

function realOf(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
