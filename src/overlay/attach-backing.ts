// Finds the disk of an overlay set in the initramfs, opens it when it is encrypted, checks it and mounts it where it stays
// visible for as long as the system runs. Every wait has an end; nothing asks a question but a passphrase, for a limited time.

import { existsSync, mkdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { FoundDevice } from '../boot/layout.ts';
import { findDevices } from '../boot/volumes.ts';
import { deviceNumber } from '../slots/block-device.ts';
import { PARTITION_LABELS } from '../slots/names.ts';
import type { EventSink } from '../system/events.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import { isReadOnly, listMounts, mount, mountAt, unmount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { run } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';
import type { OverlayArguments } from './argument.ts';
import { unlockLuks } from './attach-luks.ts';
import { AttachRefusal } from './attach-refusal.ts';

export interface BackingOptions {
  device: string;
  argument: OverlayArguments;
  /** Of an encrypted disk: the value of rd.cos.rootoverlay.key. */
  key: string | undefined;
  /** Where it is mounted. */
  mountPoint: string;
  /** Where the partition with the slot files is mounted. */
  stateDirectory: string;
  /** Where the initramfs' check leaves its results. */
  marksDirectory: string;
  events: EventSink;
  signal?: AbortSignal | undefined;
}

export interface Backing {
  /** `/dev/vdb`. */
  source: string;
  /** Nothing can be written to it. */
  readOnly: boolean;
}

/**
 * Mounts the file system that holds the set.
 * @throws AttachRefusal device-missing, locked, state-partition, fsck, unmountable, read-only.
 */
export async function mountBacking(undo: UndoStack, options: BackingOptions): Promise<Backing> {
  const { mountPoint, argument, marksDirectory } = options;
  const found = await waitForDevice(options);
  const source = found.type === 'crypto_LUKS' ? await unlockLuks(undo, found.path, options) : realpathSync(found.path);
  const number = deviceNumber(source);
  if (number === undefined) throw new AttachRefusal('device-missing', `${options.device} is no block device`);

  const mounts = listMounts();
  const state = mountAt(options.stateDirectory, mounts);
  // btrfs has a device number of its own for each mount.
  if (state !== undefined && (state.device === number || realSource(state.source) === source)) {
    throw new AttachRefusal(
      'state-partition',
      `${options.device} is the partition with the system images, which upgrades freeze for a moment; the root can't live on it`,
      'use COS_PERSISTENT or another disk',
    );
  }
  const { label } = await probeFilesystem(source);
  if (label === PARTITION_LABELS.recovery) {
    throw new AttachRefusal(
      'state-partition',
      `${options.device} is the recovery partition, which upgrades freeze for a moment; the root can't live on it`,
      'use COS_PERSISTENT or another disk',
    );
  }
  const there = mounts.find((each) => each.device === number && each.rootPath === '/');
  if (there !== undefined) {
    // OEM, which the stages of the initramfs use: one file system, mounted once more.
    if (isReadOnly(there)) await run(['mount', '-o', 'remount,rw', there.mountPoint]);
    await mount(there.mountPoint, mountPoint, { options: ['bind'] });
  } else {
    await checkBacking(source, marksDirectory, options);
    await mountOrRefuse(source, mountPoint);
  }
  undo.onFailure(`unmount ${mountPoint}`, () => unmount(mountPoint));
  const mounted = mountAt(mountPoint);
  const readOnly = mounted === undefined || isReadOnly(mounted);
  if (readOnly && !argument.readOnly) {
    throw new AttachRefusal(
      'read-only',
      `${options.device} can only be read`,
      'rd.live.overlay.readonly uses what is stored and keeps new changes in memory',
    );
  }
  return { source, readOnly };
}

function realSource(source: string): string {
  return existsSync(source) ? realpathSync(source) : source;
}

async function waitForDevice(options: BackingOptions): Promise<FoundDevice> {
  const { device, argument, events } = options;
  const look = (timeoutMs: number) =>
    findDevices([device], { bootDevice: mountAt(options.stateDirectory)?.source, timeoutMs });
  const name = device.startsWith('/') ? device : `device with the ${device}`;
  let found = (await look(0)).devices.get(device);
  if (found === undefined && argument.waitSeconds > 0) {
    const seconds = argument.waitSeconds;
    events({ type: 'notice', level: 'info', text: `waiting up to ${seconds} s for the overlay’s disk, ${device}` });
    found = (await look(seconds * 1000)).devices.get(device);
  }
  if (found === undefined) {
    throw new AttachRefusal('device-missing', `there is no ${name} (waited ${argument.waitSeconds} s)`);
  }
  if (found.notice !== undefined) events({ type: 'notice', level: 'warning', text: found.notice });
  if (!statSync(found.path).isBlockDevice()) {
    throw new AttachRefusal('device-missing', `${device} is no block device`);
  }
  const type = found.type ?? (await probeFilesystem(found.path)).type;
  return type === undefined ? found : { ...found, type };
}

/** The same check that the other partitions of the initramfs get, with its marks: none runs twice. */
async function checkBacking(source: string, marks: string, { events, signal }: BackingOptions): Promise<void> {
  const program = findProgram('holdfast-fsck');
  if (program === undefined) return;
  await run([program, source], {
    signal,
    onLine: (text, stream) => {
      if (stream === 'stderr') events({ type: 'notice', level: 'info', text: text.replace(/^holdfast: /, '') });
    },
  });
  const mark = join(marks, basename(realpathSync(source)));
  if (!existsSync(mark)) return;
  const status = Number.parseInt(readFileSync(mark, 'utf8'), 10);
  // fsck(8): 4 and more are errors that are left, and 124 is timeout(1)'s.
  if (status < 4) return;
  throw new AttachRefusal(
    'fsck',
    `the file system on ${source} has errors that its check could not repair (status ${status})`,
    `fsck -f ${source}`,
  );
}

async function mountOrRefuse(source: string, mountPoint: string): Promise<void> {
  mkdirSync(mountPoint, { recursive: true });
  // No device nodes and no set-id programs of a disk that somebody may have plugged in; no writes for every read.
  const result = await run(['mount', '-o', 'nodev,nosuid,noatime', source, mountPoint], { timeoutMs: 120_000 });
  if (result.status === 0) return;
  throw new AttachRefusal('unmountable', `${source} can’t be mounted: ${result.stderr.trim().replace(/\s+/g, ' ')}`);
}
