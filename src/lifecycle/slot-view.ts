// A slot to look into: its tree, the unchanged copy of its image, and its ledger, all mounted read-only for as long as somebody
// looks. It takes no lock: a slot that is replaced meanwhile stays whole for who has it open.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { compareTrees } from '../ledger/compare-trees.ts';
import type { Ledger } from '../ledger/entry.ts';
import { differencesOf, type ExplainedDifference, explainDifferences } from '../ledger/explain.ts';
import { readLedger } from '../ledger/ledger-file.ts';
import { slotId } from '../slots/identify.ts';
import { locatePartitions, type Partitions, requirePartition } from '../slots/locate.ts';
import {
  type Labels,
  type PartitionRole,
  PLANNED_FILE,
  pristineFile,
  RECOVERY_SQUASHFS,
  RUNNING_FILE,
  SLOT_FILES,
} from '../slots/names.ts';
import { type Deployment, readState } from '../slots/state-file.ts';
import { hasPristine } from '../slots/swap.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import { mount, unmount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import type { LiveRecord } from './live-record.ts';
import { readPlanned } from './planned-record.ts';
import { recoveryFile, STATE_FILE } from './records.ts';
import { openSlotFile } from './target.ts';

/**
 * A slot, what `upgrade --plan` keeps, or the system that this machine was booted from, where an upgrade has replaced it and
 * waits for the reboot.
 */
export const VIEW_NAMES = ['active', 'passive', 'recovery', 'planned', 'replaced'] as const;
export type ViewName = (typeof VIEW_NAMES)[number];

export interface SlotView {
  /** `live`: what shows in the running system after `--apply-live`, by its own name since it may not be active any more. */
  name: ViewName | 'live';
  uuid: string;
  /** Where its tree is mounted. */
  directory: string;
  /** Where the unchanged copy of its image is mounted; absent where none is kept. */
  pristine?: string;
  /** Where COS_STATE is mounted. */
  stateDirectory: string;
  deployment?: Deployment;
  ledger?: Ledger;
  /** What could not be found out, one sentence each. */
  notes: string[];
}

export interface LookOptions {
  undo: UndoStack;
  labels: Labels;
  /** An own directory for mount points. */
  workDirectory: string;
}

/**
 * Opens a slot of this machine.
 * @throws HoldfastError HF-STATE when there is no such slot, HF-MOUNT when it can't be looked into.
 */
export async function openSlotView(name: ViewName, options: LookOptions): Promise<SlotView> {
  const { undo, labels, workDirectory } = options;
  const partitions = await locatePartitions(labels);
  const stateDirectory = await place('state', partitions, options);
  const { state } = readState(join(stateDirectory, STATE_FILE));
  const file = await fileOf(name, partitions, stateDirectory, options);
  if (!existsSync(file)) throw new HoldfastError('HF-STATE', `there is no ${name} system: ${file} is missing`);
  const uuid = (await slotId(file)) ?? '';
  const planned = name === 'planned' ? await readPlanned(stateDirectory) : undefined;
  const records = planned?.state === 'kept' ? [planned.record.deployment] : Object.values(state);
  const deployment = records.find((record) => record.uuid === uuid);
  const directory = join(workDirectory, name);
  if (file.endsWith(RECOVERY_SQUASHFS)) {
    await mount(file, directory, { options: ['ro', 'loop'] });
    undo.always(`unmount ${directory}`, () => unmount(directory));
  } else await openSlotFile(undo, file, directory, { readOnly: true });
  return withRecords({ name, uuid, directory, stateDirectory, deployment }, options);
}

/** The slot whose directories were brought to the running system without a reboot, where it is mounted already. */
export async function openLiveView({ uuid, mountPoint }: LiveRecord, options: LookOptions): Promise<SlotView> {
  const partitions = await locatePartitions(options.labels);
  const stateDirectory = await place('state', partitions, options);
  const { state } = readState(join(stateDirectory, STATE_FILE));
  const deployment = Object.values(state).find((record) => record.uuid === uuid);
  return withRecords({ name: 'live', uuid, directory: mountPoint, stateDirectory, deployment }, options);
}

/** With the ledger of a slot, and the unchanged copy of its image. */
async function withRecords(
  {
    deployment,
    ...slot
  }: Pick<SlotView, 'name' | 'uuid' | 'directory' | 'stateDirectory'> & { deployment: Deployment | undefined },
  options: LookOptions,
): Promise<SlotView> {
  const { uuid, stateDirectory } = slot;
  const notes: string[] = [];
  let ledger: Ledger | undefined;
  try {
    ledger = readLedger(stateDirectory, uuid);
  } catch (error) {
    notes.push(messageOf(error));
  }
  const digest = ledger?.origin.digest ?? deployment?.digest;
  const pristine = digest === undefined ? undefined : await openPristineOf(digest, slot, options);
  return {
    ...slot,
    ...(pristine !== undefined && { pristine }),
    ...(deployment !== undefined && { deployment }),
    ...(ledger !== undefined && { ledger }),
    notes,
  };
}

async function openPristineOf(
  digest: string,
  { name, stateDirectory }: Pick<SlotView, 'name' | 'stateDirectory'>,
  { undo, workDirectory }: LookOptions,
): Promise<string | undefined> {
  if (!hasPristine(stateDirectory, digest)) return undefined;
  const at = join(workDirectory, `pristine-${name}`);
  await openSlotFile(undo, join(stateDirectory, pristineFile(digest)), at, { readOnly: true });
  return at;
}

async function fileOf(
  name: ViewName,
  partitions: Partitions,
  stateDirectory: string,
  options: LookOptions,
): Promise<string> {
  if (name === 'planned') return join(stateDirectory, PLANNED_FILE);
  if (name === 'replaced') return join(stateDirectory, RUNNING_FILE);
  if (name !== 'recovery') return join(stateDirectory, SLOT_FILES[name]);
  const directory = await place('recovery', partitions, options);
  return join(directory, recoveryFile(directory));
}

async function place(
  role: PartitionRole,
  partitions: Partitions,
  { undo, labels, workDirectory }: LookOptions,
): Promise<string> {
  const { device, mountPoint } = requirePartition(partitions, role, labels);
  if (mountPoint !== undefined) return mountPoint;
  const at = join(workDirectory, `partition-${role}`);
  await mount(device, at, { options: ['ro'] });
  undo.always(`unmount ${at}`, () => unmount(at));
  return at;
}

/** What differs between a slot and its image. */
export interface SlotDifferences {
  differences: readonly ExplainedDifference[];
  /** ledger: as it was noted when the slot was made, since no unchanged copy is kept. */
  basis: 'pristine' | 'ledger';
  warnings: readonly string[];
}

/**
 * Compares a slot with its image and says who made each difference.
 * @throws HoldfastError HF-STATE when nothing is known that it could be compared with.
 */
export async function slotDifferences(
  view: SlotView,
  options: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
): Promise<SlotDifferences> {
  const { name, directory, pristine, ledger, notes } = view;
  if (pristine === undefined) {
    if (ledger === undefined) {
      throw new HoldfastError('HF-STATE', `no unchanged copy of the image of ${name} is kept, and no ledger`, {
        hint: 'both are made by the next upgrade, where COS_STATE can share blocks (XFS, btrfs)',
      });
    }
    return { differences: differencesOf(ledger), basis: 'ledger', warnings: notes };
  }
  const found = await compareTrees(pristine, directory, { related: true, digests: 'all', ...options });
  const differences = explainDifferences(found.differences, ledger);
  const missing =
    ledger === undefined ? ['there is no ledger of this system: who made the differences is not known'] : [];
  return { differences, basis: 'pristine', warnings: [...notes, ...missing, ...found.warnings] };
}
