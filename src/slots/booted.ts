// What this machine was booted from: decided by the file behind the root's loop device, not by labels or the kernel
// command line, which any script can put anything into.

import { existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import { devicesWithLabel, probeFilesystem } from '../system/filesystems.ts';
import { backingFileOf } from '../system/loopdevices.ts';
import { listMounts, type Mount, mountAt } from '../system/mounts.ts';
import { BOOTED_PARTITION, PARTITION_LABELS, RECOVERY_SQUASHFS, SLOT_FILES, type SlotName } from './names.ts';

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
  // passive.img.new is how the passive file was called before its rename; the kernel keeps up with renames of the
  // name it was opened by, so this is only seen when a slot was attached in the middle of a swap.
  const slot =
    name === basename(RECOVERY_SQUASHFS)
      ? 'recovery'
      : (['active', 'passive', 'recovery'] as const).find((each) => basename(SLOT_FILES[each]) === name);
  return { slot, replaced };
}

/** Looks at the running system. */
export async function inspectBooted(): Promise<BootedSystem> {
  const root = mountAt('/');
  const device = root?.source;
  if (device === undefined || !/^\/dev\/loop\d+$/.test(device))
    return { slot: undefined, uuid: undefined, replaced: false };
  const { slot, replaced } = bootedSlot(backingFileOf(device));
  return { slot, replaced, uuid: (await probeFilesystem(device)).uuid };
}

/** Where a partition is, and where it is mounted if it is. */
export interface LocatedPartition {
  device: string;
  mountPoint: string | undefined;
}

/**
 * Finds COS_STATE: the partition that was booted from if it is that, else by its label.
 * @throws HoldfastError HF-STATE when there is none, or more than one and none of them was booted from.
 */
export async function locateState(booted: BootedSystem): Promise<LocatedPartition> {
  const bootedMount = mountAt(BOOTED_PARTITION);
  const fromState = booted.slot === 'active' || booted.slot === 'passive';
  if (fromState && bootedMount !== undefined && existsSync(join(BOOTED_PARTITION, 'cOS'))) {
    return { device: bootedMount.source, mountPoint: BOOTED_PARTITION };
  }
  return locateByLabel(PARTITION_LABELS.state, 'is an installed system attached to this machine?');
}

/**
 * Finds the one partition with a label.
 * @throws HoldfastError HF-STATE when there is none or more than one: guessing between two disks could cost a system.
 */
export async function locateByLabel(label: string, hint: string): Promise<LocatedPartition> {
  const devices = await devicesWithLabel(label);
  const [device, second] = devices;
  if (device === undefined) {
    throw new HoldfastError('HF-STATE', `no partition with the label ${label} was found`, { hint });
  }
  if (second !== undefined) {
    throw new HoldfastError('HF-STATE', `the label ${label} is on several partitions: ${devices.join(', ')}`, {
      hint: 'detach the disks that are not meant, then try again',
    });
  }
  return { device, mountPoint: mountPointOf(device) };
}

/** Where a device's whole filesystem is mounted, if anywhere. */
export function mountPointOf(device: string, mounts: readonly Mount[] = listMounts()): string | undefined {
  const real = existsSync(device) ? realpathSync(device) : device;
  return mounts.find(({ source, rootPath }) => rootPath === '/' && source.startsWith('/') && realOf(source) === real)
    ?.mountPoint;
}

function realOf(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
