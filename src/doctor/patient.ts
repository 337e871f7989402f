// The machine that is looked at: its partitions where they can be read, its slots as trees. Everything is mounted read-only
// and only when a check asks for it; what is mounted already is read where it is.

import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { LOCK_FILE } from '../lifecycle/session.ts';
import { type BlockDevice, describeBlockDevice } from '../slots/block-device.ts';
import { type BootedSystem, inspectBooted } from '../slots/booted.ts';
import { locatePartitions, type Partitions } from '../slots/locate.ts';
import {
  type Labels,
  PARTITION_ROLES,
  type PartitionRole,
  RECOVERY_SQUASHFS,
  SLOT_FILES,
  type SlotName,
} from '../slots/names.ts';
import { HoldfastError } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { devicesWithLabel } from '../system/filesystems.ts';
import { lockUntilEnd } from '../system/lock.ts';
import { mount, unmount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { removeWorkDirectory } from '../system/work-directory.ts';

export interface PatientOptions {
  labels: Labels;
  events: EventSink;
  signal: AbortSignal;
  undo: UndoStack;
  /** Shown to an action that wants to begin meanwhile. */
  command: string;
  /** An own directory for mount points. */
  workDirectory: string;
}

/** What is known of a machine before the first check. */
export interface Patient extends PatientOptions {
  root: Root;
  booted: BootedSystem;
  /** Every device with the label of a role, whatever its disk. */
  labelled: Readonly<Record<PartitionRole, readonly BlockDevice[]>>;
  /** This machine's; empty where it can't be told which those are. */
  partitions: Partitions;
  /** Why it can't be told. */
  partitionsProblem?: string;
  /** Another action runs, so what it may be changing is not looked at. */
  busy?: string;
}

/** Looks around. The lock is held until the end, so that nothing is replaced while it is looked at. */
export async function meetPatient(options: PatientOptions): Promise<Patient> {
  const { undo, labels, workDirectory } = options;
  undo.always(`remove ${workDirectory}`, () => removeWorkDirectory(workDirectory));
  const busy = await holdLock(options);
  const labelled = await findLabelled(labels);
  const patient: Patient = {
    ...options,
    root: new Root('/'),
    booted: await inspectBooted(),
    labelled,
    partitions: {},
    ...(busy === undefined ? {} : { busy }),
  };
  try {
    patient.partitions = await locatePartitions(labels);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    patient.partitionsProblem = error.message;
  }
  return patient;
}

async function holdLock({ undo, command }: PatientOptions): Promise<string | undefined> {
  try {
    await lockUntilEnd(undo, LOCK_FILE, command);
    return undefined;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-LOCKED') return error.message;
    throw error;
  }
}

async function findLabelled(labels: Labels): Promise<Patient['labelled']> {
  const found: Record<PartitionRole, BlockDevice[]> = { efi: [], oem: [], recovery: [], state: [], persistent: [] };
  for (const role of PARTITION_ROLES) {
    found[role] = (await devicesWithLabel(labels.partitions[role])).map((path) => describeBlockDevice(path));
  }
  return found;
}

/**
 * Where a partition of this machine can be read; undefined where there is none, one without a file system, or one that isn't
 * mounted while another action may be making it anew.
 * @throws HoldfastError HF-MOUNT when it can't be mounted.
 */
export async function openPartition(patient: Patient, role: PartitionRole): Promise<string | undefined> {
  const partition = patient.partitions[role];
  if (partition === undefined || partition.blank) return undefined;
  if (partition.mountPoint !== undefined) return partition.mountPoint;
  if (patient.busy !== undefined) return undefined;
  const at = join(patient.workDirectory, role);
  if (existsSync(at)) return at;
  await mountHere(patient, partition.device, at, ['ro']);
  return at;
}

/** The file of a slot, or where it should be. */
export async function slotPath(patient: Patient, slot: SlotName): Promise<string | undefined> {
  const directory = await openPartition(patient, slot === 'recovery' ? 'recovery' : 'state');
  if (directory === undefined) return undefined;
  const squashfs = join(directory, RECOVERY_SQUASHFS);
  return slot === 'recovery' && existsSync(squashfs) ? squashfs : join(directory, SLOT_FILES[slot]);
}

/**
 * The tree of a slot file.
 * @throws HoldfastError HF-MOUNT when it can't be mounted.
 */
export async function openSlot(patient: Patient, slot: SlotName, file: string): Promise<Root> {
  const at = join(patient.workDirectory, `${slot}-slot`);
  if (!existsSync(at)) {
    // Nothing is replayed: a slot is never written to while it isn't being built.
    const options = file.endsWith('.squashfs') ? ['ro', 'loop'] : ['ro', 'loop', 'noload'];
    await mountHere(patient, file, at, options);
  }
  return new Root(at);
}

async function mountHere(patient: Patient, source: string, at: string, options: readonly string[]): Promise<void> {
  mkdirSync(at, { recursive: true });
  try {
    await mount(source, at, { options });
  } catch (error) {
    rmdirSync(at);
    throw error;
  }
  patient.undo.always(`unmount ${at}`, () => unmount(at));
}
