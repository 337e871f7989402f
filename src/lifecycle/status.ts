// What is booted, how its boot went and what each slot holds, read from the slot files themselves; changes nothing and
// mounts only COS_STATE, read-only, where it isn't mounted already.

import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BootedSystem, inspectBooted, locateState } from '../slots/booted.ts';
import { PARTITION_LABELS, SLOT_FILES, SLOT_NAMES, type SlotName } from '../slots/names.ts';
import { type Deployment, type InstallationState, readState } from '../slots/state-file.ts';
import { HoldfastError } from '../system/errors.ts';
import { devicesWithLabel, freeBytes, probeFilesystem } from '../system/filesystems.ts';
import { mount, mountAt, unmount } from '../system/mounts.ts';
import { UndoStack } from '../system/plan.ts';
import { run } from '../system/process.ts';
import { requireTools } from '../system/tools.ts';
import { type BootReport, readBootReport } from './boot-report.ts';
import { parseOsRelease } from './bootable.ts';

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
  problems: string[];
  /** What could not be found out, and why: live media, containers, ordinary systems. */
  unknown: string[];
}

/** Looks at the machine. What it can't find out is in the result. */
export async function inspectStatus(): Promise<MachineStatus> {
  const boot = readBootReport();
  const undo = new UndoStack();
  const workDirectory = `/run/holdfast/status-${process.pid}`;
  undo.always(`remove ${workDirectory}`, () => rmSync(workDirectory, { recursive: true, force: true }));
  const status: MachineStatus = {
    booted: { slot: undefined, uuid: undefined, replaced: false },
    boot,
    rebootPending: false,
    slots: [],
    problems: [...boot.problems],
    unknown: [],
  };
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

async function inspectSlots(status: MachineStatus, undo: UndoStack, workDirectory: string): Promise<void> {
  requireTools(['blkid', 'debugfs', 'mount', 'umount']);
  status.booted = await inspectBooted();
  const { booted } = status;
  const state = await locateState(booted);
  const directories: Partial<Record<SlotName, string>> = {};
  const stateDirectory = state.mountPoint ?? (await mountForLooking(undo, state.device, join(workDirectory, 'state')));
  directories.active = directories.passive = stateDirectory;
  const [recovery] = await devicesWithLabel(PARTITION_LABELS.recovery);
  if (recovery === undefined) status.problems.push(`no partition with the label ${PARTITION_LABELS.recovery}`);
  else directories.recovery = await mountForLooking(undo, recovery, join(workDirectory, 'recovery'));

  const { state: installed, problem } = readState(join(stateDirectory, 'state.yaml'));
  if (problem !== undefined) status.problems.push(problem);
  for (const slot of SLOT_NAMES) status.slots.push(await inspectSlot(slot, directories[slot], installed));
  const active = status.slots.find(({ slot }) => slot === 'active');
  status.rebootPending = booted.slot === 'active' && booted.uuid !== undefined && active?.uuid !== booted.uuid;
  status.stateFreeBytes = freeBytes(stateDirectory);
}

async function mountForLooking(undo: UndoStack, device: string, mountPoint: string): Promise<string> {
  await mount(device, mountPoint, { options: ['ro'] });
  undo.always(`unmount ${mountPoint}`, async () => {
    if (mountAt(mountPoint) !== undefined) await unmount(mountPoint);
  });
  return mountPoint;
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
