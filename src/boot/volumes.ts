// Finds the block devices that volumes name. Two disks may carry the same labels; the one that was booted from wins.

import { existsSync, readFileSync, realpathSync } from 'node:fs';
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
  /** `ext4` */
  type: string;
}

const FIELDS = new Map<string, keyof BlockDevice>([
  ['DEVNAME', 'path'],
  ['LABEL', 'label'],
  ['UUID', 'uuid'],
  ['PARTLABEL', 'partLabel'],
  ['PARTUUID', 'partUuid'],
  ['TYPE', 'type'],
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
      devices.push({ path: value, disk: diskOf(value), label: '', uuid: '', partLabel: '', partUuid: '', type: '' });
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
  const onBootDisk = matches.filter((device) => bootDisk !== undefined && device.disk === bootDisk);
  const [chosen, rival] = onBootDisk.length > 0 ? onBootDisk : matches;
  if (chosen === undefined) return undefined;
  const { path } = chosen;
  const type = chosen.type === '' ? {} : { type: chosen.type };
  if (matches.length === 1) {
    return { path, stableName: key === '' ? name : `/dev/disk/by-${key.toLowerCase()}/${udevName(value)}`, ...type };
  }
  // Where a name means several devices, /dev/disk shows any one of them. The booted disk's own needs no word.
  const all = matches.map((match) => match.path).join(', ');
  const notice = rival === undefined ? {} : { notice: `${name} is on several devices (${all}); ${path} is taken` };
  return { path, stableName: path, ...type, ...notice };
}

export interface FoundDevices {
  /** Those that were found, by name. */
  devices: Map<string, FoundDevice>;
  /** The file system UUID of `identify`, if it has one. */
  identity?: string;
}

/**
 * Finds devices by name, looking again until all are there or the time is up. A `/dev/disk/by-…` path and other links
 * are found through the name that they stand for.
 * @param options.bootDevice a partition of the booted disk.
 * @param options.known devices that others have found, by name; their paths.
 * @param options.missing names that others have waited for: they are looked for once.
 * @param options.identify the device whose UUID is wanted.
 */
export async function findDevices(
  names: readonly string[],
  options: {
    bootDevice: string | undefined;
    timeoutMs: number;
    known?: ReadonlyMap<string, string>;
    missing?: ReadonlySet<string>;
    identify?: string | undefined;
  },
): Promise<FoundDevices> {
  const bootDisk = options.bootDevice === undefined ? undefined : diskOf(options.bootDevice) || undefined;
  const look = async (): Promise<FoundDevices> => {
    const list = await listBlockDevices();
    const devices = new Map<string, FoundDevice>();
    for (const name of names) {
      const device =
        knownDevice(options.known?.get(name), list) ?? findDevice(byWhat(name), list, bootDisk) ?? deviceAt(name);
      if (device !== undefined) devices.set(name, device);
    }
    const uuid = list.find(({ path }) => path === options.identify)?.uuid;
    return uuid === undefined || uuid === '' ? { devices } : { devices, identity: uuid };
  };

  const deadline = Date.now() + options.timeoutMs;
  let found = await look();
  // udev makes the links of a device some time after the kernel lists it.
  const partitionsAndLinks = () =>
    [partitionsNow(), ...names.filter((name) => deviceAt(name) !== undefined)].join('\n');
  let seen = partitionsAndLinks();
  const complete = () => names.every((name) => found.devices.has(name) || options.missing?.has(name));
  while (!complete() && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, Math.max(1, deadline - Date.now()))));
    // Devices are asked only when there are others, and once more at the end.
    const now = partitionsAndLinks();
    if (now === seen && Date.now() < deadline) continue;
    seen = now;
    found = await look();
  }
  return found;
}

const POLL_MS = 100;

/** What the kernel has of block devices: one file, read without asking any of them. */
function partitionsNow(): string {
  return readFileSync('/proc/partitions', 'utf8');
}

/** A device that somebody else has chosen; its name in fstab is its path, since the name may mean another one. */
function knownDevice(path: string | undefined, list: readonly BlockDevice[]): FoundDevice | undefined {
  if (path === undefined || !existsSync(path)) return undefined;
  const type = list.find((device) => device.path === path)?.type;
  return { path, stableName: path, ...(type !== undefined && type !== '' && { type }) };
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
