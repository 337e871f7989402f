// Block devices as the kernel lists them in /sys: which disk a partition belongs to, which loop devices show a part of a
// disk, and what uses any of them. Nothing here depends on udev.

import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../../system/errors.ts';
import { listMounts, type Mount } from '../../system/mounts.ts';

/** The kernel counts in these, whatever the disk's sectors are. */
const KERNEL_SECTOR_BYTES = 512;

/** A device that shows a part of a disk: a partition of the kernel, or a loop device with an offset. */
export interface PartDevice {
  /** The kernel's name: `sda3`. */
  name: string;
  node: string;
  kind: 'partition' | 'loop';
  startBytes: number;
  sizeBytes: number;
}

/** The node of a kernel name; `cciss!c0d0` is `/dev/cciss/c0d0`. */
export function nodeOf(name: string): string {
  return `/dev/${name.replaceAll('!', '/')}`;
}

/** The kernel's name of a block device node, or undefined when it is none. */
export function kernelName(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isBlockDevice()) return undefined;
  return nameOfNumber(deviceNumber(stat.rdev));
}

function nameOfNumber(number: string): string | undefined {
  try {
    return basename(realpathSync(`/sys/dev/block/${number}`));
  } catch {
    return undefined;
  }
}

/** `major:minor` of a device number as stat(2) gives it (Linux, makedev). */
export function deviceNumber(rdev: number): string {
  const low = rdev % 2 ** 32;
  const high = Math.floor(rdev / 2 ** 32);
  const major = ((low >>> 8) & 0xfff) | (high & ~0xfff);
  const minor = (low & 0xff) | ((low >>> 12) & 0xfff00);
  return `${major}:${minor}`;
}

/** The disk of a partition, by the kernel's names; undefined when it is none. */
export function parentDisk(name: string): string | undefined {
  if (!existsSync(`/sys/class/block/${name}/partition`)) return undefined;
  return basename(dirname(realpathSync(`/sys/class/block/${name}`)));
}

export interface LoopBacking {
  file: string;
  offsetBytes: number;
  /** 0: to the end of the file. */
  limitBytes: number;
}

/** What a loop device shows; undefined when it is none, or nothing is attached. */
export function loopBacking(name: string): LoopBacking | undefined {
  const read = (attribute: string) => readAttribute(`/sys/class/block/${name}/loop/${attribute}`);
  const file = read('backing_file');
  if (file === undefined) return undefined;
  return { file, offsetBytes: Number(read('offset')), limitBytes: Number(read('sizelimit')) };
}

/** The loop device that shows a whole file, if there is one. */
export function wholeLoopOf(file: string): string | undefined {
  return blockNames().find((name) => {
    const backing = loopBacking(name);
    return backing?.file === file && backing.offsetBytes === 0 && backing.limitBytes === 0;
  });
}

/** All devices that show a part of the disk. */
export function partDevices(diskPath: string): PartDevice[] {
  const disk = kernelName(diskPath);
  const parts = disk === undefined ? [] : kernelPartitions(disk);
  // A disk that is a loop device over an image is the image as well.
  const aliases = new Set([diskPath, ...(disk === undefined ? [] : [loopBacking(disk)?.file ?? diskPath])]);
  for (const name of blockNames()) {
    const backing = loopBacking(name);
    if (backing === undefined || name === disk) continue;
    const base = aliases.has(backing.file) ? 0 : parts.find(({ node }) => node === backing.file)?.startBytes;
    if (base === undefined || (base === 0 && backing.offsetBytes === 0 && backing.limitBytes === 0)) continue;
    parts.push({
      name,
      node: nodeOf(name),
      kind: 'loop',
      startBytes: base + backing.offsetBytes,
      sizeBytes: sizeOf(name),
    });
  }
  return parts;
}

/** The partitions that the kernel knows of a disk, whatever its table says by now. */
export function kernelPartitions(disk: string): PartDevice[] {
  const directory = `/sys/class/block/${disk}`;
  return list(directory)
    .filter((name) => existsSync(join(directory, name, 'partition')))
    .map((name) => ({
      name,
      node: nodeOf(name),
      kind: 'partition',
      startBytes: Number(readAttribute(join(directory, name, 'start'))) * KERNEL_SECTOR_BYTES,
      sizeBytes: sizeOf(name),
    }));
}

export function sizeOf(name: string): number {
  return Number(readAttribute(`/sys/class/block/${name}/size`) ?? 0) * KERNEL_SECTOR_BYTES;
}

export function isReadOnly(name: string): boolean {
  return readAttribute(`/sys/class/block/${name}/ro`) === '1';
}

/** One use of a device, in words; with the mount if it is one. */
export interface DeviceUse {
  what: string;
  mount?: Mount;
}

/** What uses exactly this device: mounts, swap, devices on top of it (device-mapper, RAID). */
export function usesOfDevice(name: string, mounts: readonly Mount[] = listMounts()): DeviceUse[] {
  const node = nodeOf(name);
  const number = readAttribute(`/sys/class/block/${name}/dev`);
  const group = btrfsDevices(name);
  const uses = mounts
    .filter(({ device, source }) => device === number || [name, ...group].some((one) => isNode(source, one)))
    .map((mount): DeviceUse => ({ what: `${node} is mounted at ${mount.mountPoint}`, mount }));
  if (uses.length === 0 && group.length > 0) uses.push({ what: `${node} is part of a mounted btrfs` });
  if (swapNames().includes(name)) uses.push({ what: `${node} is used as swap` });
  for (const holder of list(`/sys/class/block/${name}/holders`)) {
    uses.push({ what: `${node} is used by ${nodeOf(holder)}` });
  }
  return uses;
}

/** The devices of the mounted btrfs that this one belongs to: the kernel gives its mounts a number of their own. */
function btrfsDevices(name: string): string[] {
  const all = '/sys/fs/btrfs';
  const group = list(all).map((uuid) => list(join(all, uuid, 'devices')));
  return group.find((devices) => devices.includes(name)) ?? [];
}

function isNode(source: string, name: string): boolean {
  return source.startsWith('/') && kernelName(source) === name;
}

function swapNames(): (string | undefined)[] {
  return (readAttribute('/proc/swaps') ?? '')
    .split('\n')
    .slice(1)
    .map((line) => kernelName(line.split(/\s/)[0] ?? ''));
}

/** The kernel's own device for just this place on a disk, if it has one and its node is there. */
export function kernelDevice(
  diskPath: string,
  { startBytes, sizeBytes }: Pick<PartDevice, 'startBytes' | 'sizeBytes'>,
): PartDevice | undefined {
  const disk = kernelName(diskPath);
  if (disk === undefined) return undefined;
  const same = (part: PartDevice) => part.startBytes === startBytes && part.sizeBytes === sizeBytes;
  return kernelPartitions(disk).find((part) => same(part) && kernelName(part.node) === part.name);
}

/** Whether the kernel or a program has the device for itself, whatever for: also from another mount namespace. */
export function isClaimed(node: string): boolean {
  try {
    closeSync(openSync(node, constants.O_RDONLY | constants.O_EXCL));
    return false;
  } catch (error) {
    return errnoOf(error) === 'EBUSY';
  }
}

/** All block devices, partitions included. */
export function blockNames(): string[] {
  return list('/sys/class/block');
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function readAttribute(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trimEnd();
  } catch {
    return undefined;
  }
}
