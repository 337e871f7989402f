// The disk's part of an install: its table, its file systems, and where they are mounted. Partitions are attached by
// offset, so the same code installs on a device and on an image file, with or without a kernel that reads tables.

import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { readPartitions, writePartitionTable } from '../slots/disk.ts';
import { PARTITION_ROLES, type PartitionRole } from '../slots/names.ts';
import { isRolePartition, type PartitionFilesystem } from '../slots/partitions.ts';
import { runStage } from '../stages/run.ts';
import { fsyncPath } from '../system/durable.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import { attachLoop } from '../system/loopdevices.ts';
import { bindMount, mount, mountAt, unmount } from '../system/mounts.ts';
import { type ApplyContext, type Performers, UndoStack } from '../system/plan.ts';
import { run, runChecked } from '../system/process.ts';
import { Root } from '../system/root.ts';
import { admitUnverified } from '../trust/admit-unverified.ts';
import { hookError } from './hooks.ts';
import type { InstallAction } from './install.ts';
import { noteExposed } from './install-remains.ts';
import type { InstallState } from './install-state.ts';

type DiskAction = Extract<InstallAction, { kind: 'partition' | 'format' | 'run-layout' | 'adopt-partitions' }>;

const MKFS: Readonly<Record<PartitionFilesystem, (label: readonly string[]) => [string, ...string[]]>> = {
  vfat: (label) => ['mkfs.vfat', '-I', '-F', '32', ...label.flatMap((text) => ['-n', text])],
  ext2: (label) => ['mkfs.ext2', '-q', '-F', '-E', 'nodiscard', ...withLabel(label)],
  ext3: (label) => ['mkfs.ext3', '-q', '-F', '-E', 'nodiscard', ...withLabel(label)],
  ext4: (label) => ['mkfs.ext4', '-q', '-F', '-E', 'nodiscard', ...withLabel(label)],
  xfs: (label) => ['mkfs.xfs', '-q', '-f', '-K', '-m', 'reflink=1', ...withLabel(label)],
  btrfs: (label) => ['mkfs.btrfs', '-q', '-f', '-K', ...withLabel(label)],
};

function withLabel(label: readonly string[]): string[] {
  return label.flatMap((text) => ['-L', text]);
}

export const diskPerformers: Performers<DiskAction, InstallState> = {
  partition: ({ disk, partitions, bios }, _, { facts: { found } }) =>
    writePartitionTable(disk, partitions, { bios, found }),

  format: async ({ partitions }, { undo }, state) => {
    for (const partition of partitions) {
      const { label, filesystem, startBytes, sizeBytes } = partition;
      if (filesystem === undefined) continue;
      const place = { offsetBytes: startBytes, sizeBytes };
      await discard(state.facts.disk.path, place);
      const { device, detach } = await attachLoop(undo, state.facts.disk.path, place);
      await runChecked([...MKFS[filesystem](label === undefined ? [] : [label]), device]);
      // An old boot loader is gone before the new system begins.
      fsyncPath(device);
      if (isRolePartition(partition)) await open(undo, state, partition.role, { device, detach });
      else await detach();
    }
  },

  'run-layout': async ({ file }, context, state) => {
    const undo = new UndoStack();
    try {
      // Steps that look for a label look at devices.
      const { disk } = state.facts;
      if (disk.kind === 'image') {
        const { device } = await attachLoop(undo, disk.path);
        // A loop device keeps the partitions that the kernel was told of, also for the next file.
        undo.always(`forget the partitions of ${device}`, async () => {
          await run(['partx', '--delete', device]);
        });
      } else await runChecked(['partx', '--update', disk.path]).catch(() => undefined);
      const result = await runStage({
        stage: 'partitioning',
        root: new Root('/'),
        sources: [],
        documents: [file],
        events: context.events,
        signal: context.signal,
        admitImage: admitUnverified,
      });
      if (result.outcome === 'failed') throw hookError('partitioning', result);
    } finally {
      for (const text of await undo.unwind(false)) context.warn(`cleaning up: ${text}`);
    }
  },

  'adopt-partitions': async ({ labels }, { undo, warn }, state) => {
    const { disk } = state.facts;
    const found = await readPartitions(disk);
    for (const role of PARTITION_ROLES) {
      if (role === 'efi' && state.espDevice !== undefined) continue;
      const all = found.filter(({ label }) => label === labels[role]);
      const [partition, second] = all;
      if (second !== undefined) throw twice(labels[role], disk.path);
      if (partition === undefined) {
        if (role !== 'persistent') throw missing(role, labels[role], disk.path);
        warn(`${disk.path} has no partition with the label ${labels[role]}: what is in /usr/local is not kept`);
        state.owner.persistent = undefined;
        continue;
      }
      const { startBytes, sizeBytes } = partition;
      await open(undo, state, role, await attachLoop(undo, disk.path, { offsetBytes: startBytes, sizeBytes }));
    }
  },
};

/**
 * Gives the space of a partition back to the disk, where it takes that. Not left to mkfs: a loop device makes "write
 * zeros" of it, which on a large disk takes as long as it sounds.
 */
async function discard(
  disk: string,
  { offsetBytes, sizeBytes }: { offsetBytes: number; sizeBytes: number },
): Promise<void> {
  await run(['blkdiscard', '--force', '--offset', String(offsetBytes), '--length', String(sizeBytes), disk]);
}

/** Mounts an attached partition, except for the ESP, which is written with mtools. */
async function open(
  undo: ApplyContext['undo'],
  state: InstallState,
  role: PartitionRole,
  { device, detach }: { device: string; detach: () => Promise<void> },
): Promise<void> {
  if (role === 'efi') {
    state.espDevice = device;
    state.open.push({ role, close: detach });
    return;
  }
  const mountPoint = state.directories[role];
  await mount(device, mountPoint);
  const close = undo.always(`unmount ${mountPoint}`, () => unmount(mountPoint));
  state.open.push({
    role,
    close: async () => {
      await close();
      await detach();
    },
  });
  if (role === 'state' || role === 'recovery') mkdirSync(join(mountPoint, 'cOS'), { recursive: true });
}

/** Where hooks of the Go generations of elemental look for the partitions. */
const HOOK_DIRECTORY = '/run/cos';

/**
 * Shows the new system's partitions to hooks of this machine, at /run/cos/{efi,oem,recovery,state,persistent}, for as
 * long as they run. Returns the function that takes them away.
 */
export async function showPartitions(context: ApplyContext, state: InstallState): Promise<() => Promise<void>> {
  const steps: (() => Promise<void>)[] = [];
  const show = async (role: PartitionRole, mountIt: (at: string) => Promise<void>) => {
    const at = join(HOOK_DIRECTORY, role);
    const made = mkdirSync(at, { recursive: true });
    noteExposed(state.workDirectory, at);
    await mountIt(at);
    steps.push(
      context.undo.always(`unmount ${at}`, async () => {
        // The hook may have unmounted it itself.
        if (mountAt(at) !== undefined) await unmount(at);
        if (made !== undefined) removeEmpty(at, made);
      }),
    );
  };
  for (const { role } of state.open) {
    if (role !== 'efi') await show(role, (at) => bindMount(state.directories[role], at));
  }
  const { espDevice } = state;
  if (espDevice !== undefined) {
    try {
      await show('efi', (at) => mount(espDevice, at, { type: 'vfat' }));
    } catch (error) {
      // A kernel without VFAT can't show it; few hooks look for it.
      const text = `hooks don't see the firmware's partition at ${HOOK_DIRECTORY}/efi: ${messageOf(error)}`;
      context.events({ type: 'notice', level: 'info', text });
    }
  }
  return async () => {
    for (const step of steps.reverse()) await step();
  };
}

/** Removes a directory that was made, and its parents as far as they were made with it and are empty. */
function removeEmpty(path: string, first: string): void {
  for (let at = path; at.startsWith(first); at = join(at, '..')) {
    try {
      rmdirSync(at);
    } catch (error) {
      if (['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes(errnoOf(error) ?? '')) return;
      throw error;
    }
  }
}

function missing(role: PartitionRole, label: string, disk: string): HoldfastError {
  return new HoldfastError('HF-TARGET', `${disk} has no partition with the label ${label} (${role})`, {
    hint: `lsblk --output NAME,LABEL,PARTLABEL ${disk} shows what it has`,
  });
}

function twice(label: string, disk: string): HoldfastError {
  return new HoldfastError('HF-TARGET', `the label ${label} is on several partitions of ${disk}`, {
    hint: 'give each partition a label of its own',
  });
}
