// What is booted, how its boot went and what each slot holds, read from the slot files themselves; changes nothing and
// mounts only COS_STATE, read-only, where it isn't mounted already.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readGrubEnvironment } from '../boot/grub-environment.ts';
import { inspectRunning, type RunningOverlay } from '../overlay/running.ts';
import { readRecord } from '../record/record.ts';
import { type BootedSystem, inspectBooted } from '../slots/booted.ts';
import { locatePartitions, requirePartition } from '../slots/locate.ts';
import {
  DEFAULT_LABELS,
  PARTITION_LABELS,
  RECOVERY_SQUASHFS,
  SLOT_FILES,
  SLOT_NAMES,
  type SlotName,
} from '../slots/names.ts';
import { type Deployment, type InstallationState, readState } from '../slots/state-file.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { freeBytes, probeFilesystem } from '../system/filesystems.ts';
import { mount, mountAt, unmount } from '../system/mounts.ts';
import { UndoStack } from '../system/plan.ts';
import { run } from '../system/process.ts';
import { Root } from '../system/root.ts';
import { requireTools } from '../system/tools.ts';
import { removeWorkDirectory } from '../system/work-directory.ts';
import { type BootReport, type FailedSlot, parseFailedSlots, readBootReport } from './boot-report.ts';
import { parseOsRelease } from './bootable.ts';
import { type LastAction, lastActionOf, type RecentEvent, readOldNote, recentEvents } from './last-action.ts';
import { type PartitionSpace, spaceOf } from './partition-space.ts';
import { inspectPending, type PendingChanges } from './pending-changes.ts';
import { inspectUnits, type UnitHealth } from './unit-health.ts';

export interface SlotStatus {
  slot: SlotName;
  /** Absent when the slot's file isn't there or can't be read. */
  prettyName?: string;
  uuid?: string;
  sizeBytes?: number;
  /** From state.yaml, only where it speaks of the file that is there. */
  deployment?: Deployment;
  problem?: string;
}

export interface MachineStatus {
  booted: BootedSystem;
  /** How this boot went. */
  boot: BootReport;
  /** An upgrade waits for its reboot. */
  rebootPending: boolean;
  /** Empty where no installed system can be looked at; `unknown` says why. */
  slots: SlotStatus[];
  stateFreeBytes?: number;
  /** Of the partitions that are mounted. */
  space?: PartitionSpace[];
  /** How systemd judges this system; absent without it. */
  health?: UnitHealth;
  /** What waits to be done. */
  pending?: PendingChanges;
  /** The root overlay; undefined where this boot was asked for none. */
  overlay?: RunningOverlay;
  /** How the last action on this machine ended; undefined where none has left a record. */
  lastAction?: LastAction | undefined;
  /** The last things that happened, newest first. */
  recent?: RecentEvent[];
  problems: string[];
  /** What could not be found out, and why: live media, containers, ordinary systems. */
  unknown: string[];
}

const RECENT = 8;

/** Looks at the machine. What it can't find out is in the result. */
export async function inspectStatus(): Promise<MachineStatus> {
  const boot = readBootReport();
  const undo = new UndoStack();
  const workDirectory = `/run/holdfast/status-${process.pid}`;
  undo.always(`remove ${workDirectory}`, () => removeWorkDirectory(workDirectory));
  const status: MachineStatus = {
    booted: { slot: undefined, uuid: undefined, replaced: false },
    boot,
    rebootPending: false,
    slots: [],
    problems: [...boot.problems],
    unknown: [],
  };
  await inspectOverlay(status);
  const health = await inspectUnits();
  if (health !== undefined) status.health = health;
  try {
    await inspectSlots(status, undo, workDirectory);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    status.unknown.push(`slots: ${error.message}`);
  } finally {
    status.problems.push(...(await undo.unwind(true)));
  }
  return status;
}

async function inspectOverlay(status: MachineStatus): Promise<void> {
  if (status.boot.overlay === undefined) return;
  try {
    const overlay = await inspectRunning();
    if (overlay !== undefined) status.overlay = overlay;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    status.unknown.push(`overlay: ${error.message}`);
  }
}

async function inspectSlots(status: MachineStatus, undo: UndoStack, workDirectory: string): Promise<void> {
  requireTools(['blkid', 'debugfs', 'mount', 'umount']);
  status.booted = await inspectBooted();
  const { booted } = status;
  const partitions = await locatePartitions(DEFAULT_LABELS);
  const state = requirePartition(partitions, 'state', DEFAULT_LABELS);
  const directories: Partial<Record<SlotName, string>> = {};
  const stateDirectory = state.mountPoint ?? (await mountForLooking(undo, state.device, join(workDirectory, 'state')));
  directories.active = directories.passive = stateDirectory;
  const { recovery } = partitions;
  if (recovery === undefined) status.problems.push(`no partition with the label ${PARTITION_LABELS.recovery}`);
  else {
    directories.recovery =
      recovery.mountPoint ?? (await mountForLooking(undo, recovery.device, join(workDirectory, 'recovery')));
  }

  const { state: installed, problem } = readState(join(stateDirectory, 'state.yaml'));
  if (problem !== undefined) status.problems.push(problem);
  for (const slot of SLOT_NAMES) {
    const found =
      slot === 'recovery' && existsSync(join(directories.recovery ?? '/nonexistent', RECOVERY_SQUASHFS))
        ? await inspectSquashfs(
            join(directories.recovery ?? '', RECOVERY_SQUASHFS),
            undo,
            join(workDirectory, 'squashfs'),
          )
        : await inspectSlot(slot, directories[slot], installed);
    status.slots.push(found);
  }
  status.boot = { ...status.boot, failedSlots: notedFailures(status.boot, stateDirectory) };
  const active = status.slots.find(({ slot }) => slot === 'active');
  status.rebootPending = booted.slot === 'active' && booted.uuid !== undefined && active?.uuid !== booted.uuid;
  status.stateFreeBytes = freeBytes(stateDirectory);
  const { oem, persistent } = partitions;
  status.space = [
    ...spaceOf(PARTITION_LABELS.state, stateDirectory),
    ...spaceOf(PARTITION_LABELS.recovery, directories.recovery),
    ...spaceOf(PARTITION_LABELS.oem, oem?.mountPoint),
    ...spaceOf(PARTITION_LABELS.persistent, persistent?.mountPoint),
  ];
  status.pending = await inspectPending(stateDirectory, installed, status.problems);
  const record = readRecord({ stateDirectory });
  status.problems.push(...record.problems);
  const lastAction = lastActionOf(record.entries) ?? readOldNote(stateDirectory);
  if (lastAction !== undefined) status.lastAction = lastAction;
  status.recent = recentEvents(record.entries, RECENT);
}

/**
 * What is noted now, which the recovery system's initramfs may not have seen. Of what this boot found noted, what an action
 * has cleared since is left out.
 */
function notedFailures(boot: BootReport, stateDirectory: string): readonly FailedSlot[] {
  const blocks = [join(stateDirectory, 'grub_oem_env'), '/oem/grubenv'];
  try {
    const noted = blocks.flatMap((file) => parseFailedSlots(readGrubEnvironment(file).get('boot_failure') ?? ''));
    const unique = new Map(noted.map((failed) => [failed.slot, failed]));
    return [...unique.values()].filter(({ slot }) => slot !== boot.mode);
  } catch {
    // That a block is damaged is the boot menu's business; here it means that what the boot found is all that is known.
    return boot.failedSlots;
  }
}

async function mountForLooking(
  undo: UndoStack,
  device: string,
  mountPoint: string,
  options: readonly string[] = ['ro'],
): Promise<string> {
  await mount(device, mountPoint, { options });
  undo.always(`unmount ${mountPoint}`, async () => {
    if (mountAt(mountPoint) !== undefined) await unmount(mountPoint);
  });
  return mountPoint;
}

/** It has no UUID, so no entry of state.yaml can be held against it. */
async function inspectSquashfs(file: string, undo: UndoStack, mountPoint: string): Promise<SlotStatus> {
  const sizeBytes = statSync(file).size;
  try {
    const root = new Root(await mountForLooking(undo, file, mountPoint, ['ro', 'loop']));
    const text = root.readTextIfThere('/usr/lib/os-release') ?? root.readTextIfThere('/etc/os-release') ?? '';
    const { prettyName } = parseOsRelease(text);
    return { slot: 'recovery', sizeBytes, ...(prettyName === undefined ? {} : { prettyName }) };
  } catch (error) {
    return { slot: 'recovery', sizeBytes, problem: `${RECOVERY_SQUASHFS} can't be read: ${messageOf(error)}` };
  }
}

async function inspectSlot(
  slot: SlotName,
  directory: string | undefined,
  installed: InstallationState,
): Promise<SlotStatus> {
  const file = join(directory ?? '/nonexistent', SLOT_FILES[slot]);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (directory === undefined || stat === undefined) return { slot, problem: `${SLOT_FILES[slot]} is missing` };
  const { uuid } = await probeFilesystem(file);
  if (uuid === undefined) return { slot, sizeBytes: stat.size, problem: `${SLOT_FILES[slot]} holds no file system` };
  const prettyName = parseOsRelease(await readFromSlot(file, ['/usr/lib/os-release', '/etc/os-release'])).prettyName;
  const deployment = installed[slot];
  const fits = deployment?.uuid === uuid;
  return {
    slot,
    uuid,
    sizeBytes: stat.size,
    ...(prettyName === undefined ? {} : { prettyName }),
    ...(fits ? { deployment } : {}),
    ...(deployment !== undefined && !fits ? { problem: 'state.yaml speaks of another file' } : {}),
  };
}

/** The first of `paths` that a slot file has, read without mounting it. */
async function readFromSlot(file: string, paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const result = await run(['debugfs', '-R', `cat ${path}`, file]);
    if (result.status !== 0) throw new HoldfastError('HF-IO', `${file} could not be read: ${result.stderr.trim()}`);
    if (result.stdout.includes('=')) return result.stdout;
  }
  return '';
}
