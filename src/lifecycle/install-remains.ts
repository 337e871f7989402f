// What an install that was killed (not interrupted: that cleans up after itself) has left on this machine: mounts, loop
// devices of the disk's partitions, programs of a hook. The next install takes it away while it holds the lock; without
// that the disk would stay in use until the next boot.

import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { detachLoop, listLoops } from '../system/loopdevices.ts';
import { listMounts, unmount } from '../system/mounts.ts';
import { endProcessesBelow } from '../system/processes.ts';
import { removeWorkDirectory } from '../system/work-directory.ts';
import { EXPOSED_RECORD, RUN_DIRECTORY } from './leftovers.ts';

/** In a work directory: the disk. */
const DISK_RECORD = 'disk';

/** Makes the work directory of this install, with a note of what it works on. */
export function makeWorkDirectory(directory: string, disk: string): void {
  mkdirSync(directory, { recursive: true });
  if (existsSync(disk)) appendFileSync(join(directory, DISK_RECORD), `${realpathSync(disk)}\n`);
}

/** Notes a place outside of the work directory where something is about to be mounted. */
export function noteExposed(directory: string, mountPoint: string): void {
  appendFileSync(join(directory, EXPOSED_RECORD), `${mountPoint}\n`);
}

/**
 * Takes away what killed installs left. The caller holds the lock of installs.
 * @returns what was found, one sentence each.
 */
export async function removeInstallRemains(): Promise<string[]> {
  const remains: string[] = [];
  for (const name of listNames(RUN_DIRECTORY)) {
    if (!isRemains(name)) continue;
    const directory = join(RUN_DIRECTORY, name);
    for (const { command, pid } of await endProcessesBelow(directory)) {
      remains.push(`${command} (${pid}) was still running for an install that was killed; it was ended`);
    }
    const exposed = linesOf(join(directory, EXPOSED_RECORD));
    const disks = linesOf(join(directory, DISK_RECORD));
    const mounts = listMounts().filter(
      ({ mountPoint }) =>
        mountPoint === directory || mountPoint.startsWith(`${directory}/`) || exposed.includes(mountPoint),
    );
    for (const { mountPoint, source } of mounts.reverse()) {
      await unmount(mountPoint);
      // At once: a slot's loop device keeps its partition busy, and a free one may soon be somebody else's.
      if (source.startsWith('/dev/loop')) await detachAll([source]);
    }
    await detachAll(partitionLoops(disks));
    removeWorkDirectory(directory);
    remains.push(`${directory} was left by an install that was killed; it was taken away`);
  }
  return remains;
}

/** Loop devices that an install made: parts of its disk. One over the whole disk is somebody else's. */
function partitionLoops(disks: readonly string[]): string[] {
  return listLoops().flatMap(({ device, file }) => (disks.includes(file) && offsetOf(device) > 0 ? [device] : []));
}

function offsetOf(device: string): number {
  const file = `/sys/block/${device.replace('/dev/', '')}/loop/offset`;
  return existsSync(file) ? Number(readFileSync(file, 'utf8').trim()) : 0;
}

async function detachAll(devices: readonly string[]): Promise<void> {
  const mounted = new Set(listMounts().map(({ source }) => source));
  for (const device of devices) if (!mounted.has(device)) await detachLoop(device);
}

/** A work directory of an install, or of an image file that a command read, whose process is gone. */
function isRemains(name: string): boolean {
  const pid = /^(?:install-(\d+)|source-(\d+)-[A-Za-z0-9]+)$/.exec(name);
  const number = pid?.[1] ?? pid?.[2];
  if (number === undefined || Number(number) === process.pid) return false;
  // An install that runs holds the lock; other commands may be reading an image.
  return pid?.[1] !== undefined || !existsSync(`/proc/${number}`);
}

function linesOf(file: string): string[] {
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : [];
}

function listNames(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
