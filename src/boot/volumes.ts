// Finds the block devices that volumes name. Two disks may carry the same labels; the one that was booted from wins.

import { runChecked } from '../system/process.ts';
import type { FoundDevice } from './layout.ts';

/** One line of lsblk. Fields that a device doesn't have are empty. */
export interface BlockDevice {
  path: string;
  /** The disk of a partition, without /dev. */
  parent: string;
  label: string;
  uuid: string;
  partLabel: string;
  partUuid: string;
}

const COLUMNS = new Map<string, keyof BlockDevice>([
  ['PATH', 'path'],
  ['PKNAME', 'parent'],
  ['LABEL', 'label'],
  ['UUID', 'uuid'],
  ['PARTLABEL', 'partLabel'],
  ['PARTUUID', 'partUuid'],
]);

/** Parses `lsblk --pairs`: `NAME="value"` fields, other than printable ASCII as `\xNN`. */
export function parseBlockDevices(text: string): BlockDevice[] {
  return text.split('\n').flatMap((line) => {
    const device: BlockDevice = { path: '', parent: '', label: '', uuid: '', partLabel: '', partUuid: '' };
    for (const [, name = '', value = ''] of line.matchAll(/([A-Z]+)="([^"]*)"/g)) {
      const field = COLUMNS.get(name);
      if (field !== undefined) device[field] = unescapeHex(value);
    }
    return device.path === '' ? [] : [device];
  });
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
  const chosen = matches.find((device) => bootDisk !== undefined && device.parent === bootDisk) ?? matches[0];
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
    const bootDisk = devices.find((device) => device.path === options.bootDevice)?.parent;
    const found = new Map<string, FoundDevice>();
    for (const name of names) {
      const device = findDevice(byWhat(name), devices, bootDisk);
      if (device !== undefined) found.set(name, device);
    }
    if (found.size === new Set(names).size || Date.now() >= deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function listBlockDevices(): Promise<BlockDevice[]> {
  return parseBlockDevices(await runChecked(['lsblk', '--pairs', '--output', [...COLUMNS.keys()].join(',')]));
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
