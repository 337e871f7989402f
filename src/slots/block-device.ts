// Which disk a block device belongs to, as the kernel tells it in /sys/class/block. Partitions of an image file may be
// loop devices of their own (by offset), and a disk with several paths shows up once more as a device-mapper device: both
// must count as one disk.

import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface BlockDevice {
  /** `/dev/vda4`, as blkid prints it. */
  path: string;
  /** What all devices of one disk have in common: a kernel name (`vda`, `dm-0`) or an image file (`/srv/disk.img`). */
  disk: string;
  /** Kernel names of everything that it lies on: its disk, and what device-mapper puts it together from. */
  below: readonly string[];
  /** The kernel's name for it. */
  name: string;
}

/**
 * Describes a block device.
 * @param path a name below /dev, which may be a link.
 * @param sys instead of /sys/class/block, for tests.
 */
export function describeBlockDevice(path: string, sys = '/sys/class/block'): BlockDevice {
  const name = kernelName(path);
  const below: string[] = [];
  return { path, name, disk: diskOf(name, sys, below), below };
}

/** By its number: a name in /dev/mapper may be a node of its own and no link to `dm-N`. */
function kernelName(path: string): string {
  const node = `/sys/dev/block/${deviceNumber(path) ?? 'none'}`;
  if (existsSync(node)) return basename(realpathSync(node));
  return basename(existsSync(path) ? realpathSync(path) : path);
}

/**
 * `major:minor` of a block device, as sysfs and mountinfo have it; undefined for anything else.
 * @param path a name below /dev, which may be a link.
 */
export function deviceNumber(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isBlockDevice() !== true) return undefined;
  // glibc's gnu_dev_makedev: twelve bits of major above the low eight of minor, the rest of minor above both.
  const major = Math.floor(stat.rdev / 256) & 0xfff;
  const minor = (stat.rdev & 0xff) | (Math.floor(stat.rdev / 4096) & 0xfff00);
  return `${major}:${minor}`;
}

function diskOf(name: string, sys: string, below: string[]): string {
  // A circle can't be, but what was read from elsewhere must end.
  if (below.length > 64) return name;
  const slaves = namesIn(join(sys, name, 'slaves'));
  const uuid = textOf(join(sys, name, 'dm/uuid'));
  const disks = slaves.map((slave) => {
    below.push(slave);
    return diskOf(slave, sys, below);
  });
  // dm-multipath(8): the paths are one disk. Partitions of it (`part4-mpath-…`) and volumes on one disk are that disk's.
  if (uuid?.startsWith('mpath-')) return name;
  if (slaves.length > 0) return new Set(disks).size === 1 ? (disks[0] ?? name) : name;
  if (existsSync(join(sys, name, 'partition'))) {
    const parent = basename(dirname(realpathSync(join(sys, name))));
    below.push(parent);
    return diskOf(parent, sys, below);
  }
  const backing = textOf(join(sys, name, 'loop/backing_file'));
  return backing === undefined ? name : backing.replace(/ \(deleted\)$/, '');
}

/** Those of several devices that don't lie below another of them: a path of a multipath disk is not a second disk. */
export function withoutPaths(devices: readonly BlockDevice[]): BlockDevice[] {
  return devices.filter(
    (device) =>
      !devices.some(
        (other) =>
          other !== device &&
          other.disk !== device.disk &&
          (other.below.includes(device.name) || device.below.some((name) => other.below.includes(name))) &&
          other.below.length > device.below.length,
      ),
  );
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').replace(/\n$/, '');
  } catch {
    return undefined;
  }
}
