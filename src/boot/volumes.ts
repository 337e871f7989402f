// Finds the block devices that volumes name. Two disks may carry the same labels; the one that was booted from wins.

import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { commandFailed, run } from '../system/process.ts';
import type { FoundDevice } from './layout.ts';

/** A block device with what its superblock and partition table say. Fields that it doesn't have are empty. */
export interface BlockDevice {
  path: string;
  /** The disk of a partition, without /dev. */
  disk: string;
  label: string;
  uuid: string;
  partLabel: string;
  partUuid: string;
}

const FIELDS = new Map<string, keyof BlockDevice>([
  ['DEVNAME', 'path'],
  ['LABEL', 'label'],
  ['UUID', 'uuid'],
  ['PARTLABEL', 'partLabel'],
  ['PARTUUID', 'partUuid'],
]);

/**
 * Parses `blkid --output export`: one NAME=value line for each field, backslashes before special characters.
 * @param diskOf the disk of a partition by the device's path, empty for what is no partition.
 */
export function parseBlockDevices(text: string, diskOf: (path: string) => string): BlockDevice[] {
  const devices: BlockDevice[] = [];
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    const field = FIELDS.get(line.slice(0, Math.max(at, 0)));
    if (field === undefined) continue;
    const value = line.slice(at + 1).replace(/\\(.)/g, '$1');
    if (field === 'path') {
      devices.push({ path: value, disk: diskOf(value), label: '', uuid: '', partLabel: '', partUuid: '' });
      continue;
    }
    const device = devices.at(-1);
    if (device !== undefined) device[field] = value;
  }
  return devices;
}

/**
 * The device that a name like `LABEL=COS_OEM` means, or undefined.
 * @param bootDisk the disk that holds the booted image, without /dev; its partitions go first.
 */
export function findDevice(
  name: string,
  devices: readonly BlockDevice[],
  bootDisk: string | undefined,
): FoundDevice | undefined {
  const at = name.indexOf('=');
  const key = at < 0 ? '' : name.slice(0, at);
  const value = name.slice(at + 1);
  if (value === '') return undefined;
  const matches = devices.filter((device) => {
    if (key === 'LABEL') return device.label === value;
    if (key === 'UUID') return device.uuid.toLowerCase() === value.toLowerCase();
    if (key === 'PARTLABEL') return device.partLabel === value;
    if (key === 'PARTUUID') return device.partUuid.toLowerCase() === value.toLowerCase();
    return device.path === name;
  });
  const chosen = matches.find((device) => bootDisk !== undefined && device.disk === bootDisk) ?? matches[0];
  if (chosen === undefined) return undefined;
  // Where a name means several devices, /dev/disk shows any one of them.
  if (matches.length > 1) return { path: chosen.path, stableName: chosen.path };
  return { path: chosen.path, stableName: key === '' ? name : `/dev/disk/by-${key.toLowerCase()}/${udevName(value)}` };
}

/**
 * Finds devices by name, looking again until all are there or the time is up. A `/dev/disk/by-…` path and other links
 * are found through the name that they stand for.
 * @returns those that were found, by name.
 */
export async function findDevices(
  names: readonly string[],
  options: { bootDevice: string | undefined; timeoutMs: number },
): Promise<Map<string, FoundDevice>> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    const devices = await listBlockDevices();
    const bootDisk = options.bootDevice === undefined ? undefined : diskOf(options.bootDevice) || undefined;
    const found = new Map<string, FoundDevice>();
    for (const name of names) {
      const device = findDevice(byWhat(name), devices, bootDisk) ?? deviceAt(name);
      if (device !== undefined) found.set(name, device);
    }
    if (found.size === new Set(names).size || Date.now() >= deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function listBlockDevices(): Promise<BlockDevice[]> {
  // The devices themselves are asked, not a cache or udev, so that what is found is what a mount will find.
  const result = await run(['blkid', '--cache-file', '/dev/null', '--output', 'export']);
  // blkid(8): 2 means that there is nothing.
  if (result.status !== 0 && result.status !== 2) throw commandFailed(result);
  return parseBlockDevices(result.stdout, diskOf);
}

/** A device that is named by its path, whatever is on it. */
function deviceAt(name: string): FoundDevice | undefined {
  return name.startsWith('/dev/') && existsSync(name) ? { path: name, stableName: name } : undefined;
}

/** The disk of a partition, `/dev/vda2` → `vda`; empty for anything else. */
function diskOf(path: string): string {
  const node = `/sys/class/block/${basename(path)}`;
  return existsSync(`${node}/partition`) ? basename(dirname(realpathSync(node))) : '';
}

/** `/dev/disk/by-label/X` → `LABEL=X`; other names as they are. */
function byWhat(name: string): string {
  const match = /^\/dev\/disk\/by-(label|uuid|partlabel|partuuid)\/(.+)$/.exec(name);
  return match === null ? name : `${match[1]?.toUpperCase()}=${unescapeHex(match[2] ?? '')}`;
}

/** udev's encoding of names in /dev/disk: everything but a few ASCII characters and UTF-8 as `\xNN`. */
function udevName(text: string): string {
  return text.replace(/[^A-Za-z0-9#+\-.:=@_\u0080-\u{10ffff}]/gu, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

function unescapeHex(text: string): string {
  if (!text.includes('\\x')) return text;
  const bytes = text.replace(/\\x([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
