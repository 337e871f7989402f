// What this machine was booted from: decided by the file behind the root's loop device, not by labels or the kernel
// command line, which any script can put anything into.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { errnoOf } from '../system/errors.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import { backingFileOf } from '../system/loopdevices.ts';
import { mountAt } from '../system/mounts.ts';
import { describeBlockDevice } from './block-device.ts';
import { LEAVING_FILE, OUTGOING_FILE, RECOVERY_SQUASHFS, RUNNING_FILE, SLOT_FILES, type SlotName } from './names.ts';

export interface BootedSystem {
  /** The slot whose file is the root; undefined on live media, in containers and on ordinary systems. */
  slot: SlotName | undefined;
  /** Filesystem UUID of the running root when it comes from a slot file. */
  uuid: string | undefined;
  /** The slot file was replaced since boot: an upgrade is waiting for its reboot. */
  replaced: boolean;
}

/** Interprets what the kernel says of the root's loop device. */
export function bootedSlot(backingFile: string | undefined): { slot: SlotName | undefined; replaced: boolean } {
  if (backingFile === undefined) return { slot: undefined, replaced: false };
  const replaced = backingFile.endsWith(' (deleted)');
  const name = basename(backingFile.replace(/ \(deleted\)$/, ''));
  // After a power cut GRUB may have read the old name of what has only one of these by now.
  if ([RUNNING_FILE, OUTGOING_FILE, LEAVING_FILE].some((file) => basename(file) === name)) {
    return { slot: 'active', replaced: true };
  }
  // passive.img.new is how the passive file was called before its rename; the kernel keeps up with renames of the
  // name it was opened by, so this is only seen when a slot was attached in the middle of a swap.
  const slot =
    name === basename(RECOVERY_SQUASHFS)
      ? 'recovery'
      : (['active', 'passive', 'recovery'] as const).find((each) => basename(SLOT_FILES[each]) === name);
  return { slot, replaced };
}

/** The squashfs below the overlay of a system that was booted as cOS boots a recovery.squashfs. */
const LIVE_ROOT = '/run/rootfsbase';

/** Looks at the running system. */
export async function inspectBooted(): Promise<BootedSystem> {
  for (const mountPoint of ['/', LIVE_ROOT]) {
    const source = mountAt(mountPoint)?.source;
    const device = source === undefined ? undefined : slotLoopOf(source);
    if (device === undefined) continue;
    const { slot, replaced } = bootedSlot(backingFileOf(device));
    // A live medium has its squashfs in the same place.
    if (mountPoint === LIVE_ROOT && slot !== 'recovery') continue;
    return { slot, replaced, uuid: (await probeFilesystem(device)).uuid };
  }
  return { slot: undefined, uuid: undefined, replaced: false };
}

/**
 * The loop device of the slot file that a root comes from: the root itself, or what a root overlay lies on. There, the file
 * with the changes is behind a loop device as well, one that can be written to; a slot's never can.
 * @param sys instead of /sys/class/block, for tests.
 */
export function slotLoopOf(source: string, sys = '/sys/class/block'): string | undefined {
  if (/^\/dev\/loop\d+$/.test(source)) return source;
  if (!source.startsWith('/dev/')) return undefined;
  const { name, below } = describeBlockDevice(source, sys);
  if (!/^dm-\d+$/.test(name)) return undefined;
  const loops = [...new Set(below)].filter((each) => /^loop\d+$/.test(each));
  const files = loops.filter((each) => isReadOnlyDisk(each, sys));
  const slot = files.find((each) => bootedSlot(textOf(`${sys}/${each}/loop/backing_file`)).slot !== undefined);
  return slot === undefined ? undefined : `/dev/${slot}`;
}

function isReadOnlyDisk(name: string, sys: string): boolean {
  return textOf(`${sys}/${name}/ro`) === '1';
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').replace(/\n$/, '');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
