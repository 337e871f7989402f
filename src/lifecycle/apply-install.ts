// Carries out an install's plan. The disk's partitions are attached by offset, so the same code installs on a device
// and on an image file, with or without a kernel that reads partition tables.

import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installBiosBoot } from '../boot/bios-boot.ts';
import { addBootEntry } from '../boot/boot-entry.ts';
import { GRUB_BIOS_BOOT_SECTOR, GRUB_BIOS_CORE } from '../boot/grub-files.ts';
import { installGrub } from '../boot/install-grub.ts';
import { announcePartitions, readPartitions, writePartitionTable } from '../slots/disk.ts';
import { type PartitionRole, SLOT_FILES, SLOT_LABELS } from '../slots/names.ts';
import { BIOS_PARTITION } from '../slots/partitions.ts';
import { cloneSlotFile, labelSlotFile } from '../slots/slot-file.ts';
import { type Deployment, writeState } from '../slots/state-file.ts';
import { activateTransition, copyActiveToPassive } from '../slots/swap.ts';
import { freezeAndThaw, fsyncPath, renameDurably, writeFileDurably } from '../system/durable.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { type EventSink, silent } from '../system/events.ts';
import { lockUntilEnd } from '../system/lock.ts';
import { attachLoop } from '../system/loopdevices.ts';
import { mount, unmount } from '../system/mounts.ts';
import { apply, type Performers, type Plan, UndoStack } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { prepareAssessment } from './assessment.ts';
import { type BuildSlotState, buildSlotPerformers, describeVerification } from './build-slot.ts';
import { type InstallAction, type InstallFacts, type InstallRequest, inspectInstall, planInstall } from './install.ts';
import { openSlotFile } from './target.ts';

export interface InstallOptions {
  events?: EventSink;
  signal?: AbortSignal;
  dryRun?: boolean;
  command: string;
  /** RFC 3339 time for the records. */
  now: string;
}

export interface InstallResult {
  outcome: 'ok' | 'ok-with-warnings' | 'planned';
  plan: Plan<InstallAction>;
  facts: InstallFacts;
  warnings: readonly string[];
  durationMs: number;
  prettyName: string | undefined;
}

interface InstallState extends BuildSlotState {
  facts: InstallFacts;
  now: string;
  directories: Record<PartitionRole, string>;
  /** The ESP's loop device; it is written with mtools, never mounted. */
  espDevice?: string;
  /** GRUB for BIOS, read from the new system while it was open. */
  biosBoot?: { bootImage: Uint8Array; coreImage: Uint8Array };
  /** Unmounts and detaches the partitions, last first; filled by `format`. */
  close: (() => Promise<void>)[];
}

/**
 * Installs an image on a disk.
 * @throws HoldfastError; when it comes from the inspection or the plan, the disk was not touched.
 */
export async function install(request: InstallRequest, options: InstallOptions): Promise<InstallResult> {
  const events = options.events ?? silent;
  const signal = options.signal ?? new AbortController().signal;
  const setup = new UndoStack();
  const workDirectory = `/run/holdfast/install-${process.pid}`;
  setup.always(`remove ${workDirectory}`, () => rmSync(workDirectory, { recursive: true, force: true }));
  try {
    await lockUntilEnd(setup, '/run/holdfast/install.lock', options.command);
    const facts = await inspectInstall(request, {
      signal,
      onProgress: (progress) => events({ type: 'action-progress', index: -1, ...progress }),
    });
    const plan = planInstall(request, facts);
    const base = { plan, facts, warnings: [], durationMs: 0, prettyName: undefined };
    if (options.dryRun) return { ...base, outcome: 'planned' };

    const directory = (role: PartitionRole) => join(workDirectory, role);
    const directories = {
      efi: directory('efi'),
      oem: directory('oem'),
      recovery: directory('recovery'),
      state: directory('state'),
      persistent: directory('persistent'),
    };
    const state: InstallState = {
      image: request.image,
      stateDirectory: directories.state,
      workDirectory,
      owner: { oem: directories.oem, persistent: directories.persistent },
      directories,
      facts,
      now: options.now,
      close: [],
    };
    const result = await apply(plan, performers, { state, events, signal });
    return {
      ...base,
      outcome: result.warnings.length === 0 ? 'ok' : 'ok-with-warnings',
      warnings: result.warnings,
      durationMs: result.durationMs,
      prettyName: state.built?.prettyName,
    };
  } finally {
    const failed = await setup.unwind(true);
    for (const text of failed) events({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
  }
}

const MKFS: Readonly<Record<'vfat' | 'ext4' | 'xfs', (label: string, device: string) => [string, ...string[]]>> = {
  vfat: (label, device) => ['mkfs.vfat', '-F', '32', '-n', label, device],
  ext4: (label, device) => ['mkfs.ext4', '-q', '-F', '-L', label, device],
  xfs: (label, device) => ['mkfs.xfs', '-q', '-f', '-m', 'reflink=1', '-L', label, device],
};

const performers: Performers<InstallAction, InstallState> = {
  ...buildSlotPerformers,

  partition: ({ disk, partitions, bios }) => writePartitionTable(disk, partitions, { bios }),

  format: async ({ partitions }, { undo }, state) => {
    for (const { role, label, filesystem, startBytes, sizeBytes } of partitions) {
      const { device, detach } = await attachLoop(undo, state.facts.disk.path, { offsetBytes: startBytes, sizeBytes });
      await runChecked(MKFS[filesystem](label, device));
      const mountPoint = state.directories[role];
      if (role === 'efi') {
        state.espDevice = device;
        state.close.push(detach);
        continue;
      }
      await mount(device, mountPoint);
      const close = undo.always(`unmount ${mountPoint}`, () => unmount(mountPoint));
      state.close.push(async () => {
        await close();
        await detach();
      });
    }
    mkdirSync(join(state.directories.state, 'cOS'), { recursive: true });
    mkdirSync(join(state.directories.recovery, 'cOS'), { recursive: true });
  },

  'write-cloud-init': ({ files }, _, { directories }) => {
    for (const [index, { text }] of files.entries()) {
      // elemental's names; secrets may be inside.
      writeFileDurably(join(directories.oem, `${90 + index}_custom.yaml`), text, { mode: 0o600 });
    }
  },

  'make-slots': async (_, __, { stateDirectory }) => {
    await activateTransition(stateDirectory, { keepRunning: false });
    await copyActiveToPassive(stateDirectory);
  },

  'copy-recovery': async (_, { undo }, { stateDirectory, directories }) => {
    const file = join(directories.recovery, SLOT_FILES.recovery);
    undo.onFailure(`remove ${file}.new`, () => rmSync(`${file}.new`, { force: true }));
    await cloneSlotFile(join(stateDirectory, SLOT_FILES.active), `${file}.new`);
    await labelSlotFile(`${file}.new`, SLOT_LABELS.recovery);
    renameDurably(`${file}.new`, file);
  },

  'install-grub': async (_, { undo }, state) => {
    const { stateDirectory, directories, built, espDevice } = state;
    if (built === undefined || espDevice === undefined)
      throw new HoldfastError('HF-GRUB', 'there is no system to boot');
    const { root, close } = await openSlotFile(
      undo,
      join(stateDirectory, SLOT_FILES.active),
      join(state.workDirectory, 'target'),
      { readOnly: true },
    );
    mkdirSync(directories.efi, { recursive: true });
    installGrub({
      image: root,
      espDirectory: directories.efi,
      stateDirectory,
      oemDirectory: directories.oem,
      menuEntry: built.menuEntry,
    });
    await prepareAssessment(stateDirectory);
    if (state.facts.boots.bios) {
      const read = (path: string) => readFileSync(root.resolve(path));
      state.biosBoot = { bootImage: read(GRUB_BIOS_BOOT_SECTOR), coreImage: read(GRUB_BIOS_CORE) };
    }
    await close();
    // mtools instead of a mount: not every kernel that installs has VFAT, and one way is tested more than two.
    await runChecked(['mcopy', '-s', '-Q', '-i', espDevice, join(directories.efi, 'EFI'), '::/']);
  },

  'write-records': (_, __, { image, built, now, directories }) => {
    const deployment: Deployment = {
      source: image.source,
      ...(image.kind === 'oci' ? { digest: image.digest } : {}),
      layers: image.kind === 'oci' ? image.layers.map(({ diffId }) => diffId) : [],
      uuid: built?.uuid ?? '',
      date: now,
      fromAction: 'install',
      verified: describeVerification(image),
    };
    for (const directory of [directories.state, directories.recovery]) {
      writeState(join(directory, 'state.yaml'), { active: deployment, passive: deployment, recovery: deployment }, now);
    }
  },

  'close-disk': async (_, context, state) => {
    await freezeAndThaw(state.directories.state);
    for (const close of state.close.reverse()) await close();
    fsyncPath(state.facts.disk.path);
    const { warning } = await announcePartitions(state.facts.disk);
    if (warning !== undefined) context.warn(warning);
  },

  'install-bios-boot': (_, __, { biosBoot, facts }) => {
    if (biosBoot === undefined) throw new HoldfastError('HF-GRUB', 'there is no GRUB for BIOS');
    installBiosBoot({ disk: facts.disk.path, ...biosBoot, partition: BIOS_PARTITION });
  },

  'add-boot-entry': async (_, { warn }, { facts, built }) => {
    // The disk boots without it, so whatever fails is no reason to call the install a failure.
    try {
      const now = await readPartitions(facts.disk);
      const [esp] = now;
      if (esp === undefined) throw new HoldfastError('HF-TARGET', `${facts.disk.path} has no partitions`);
      await addBootEntry({
        disk: facts.disk.path,
        partitionNumber: esp.number,
        label: built?.menuEntry ?? 'Holdfast',
        partitions: [esp, ...facts.found].flatMap(({ partitionUuid }) => partitionUuid ?? []),
      });
    } catch (error) {
      warn(`the firmware got no boot entry: ${messageOf(error)}; choose the disk in its boot menu`);
    }
  },
};
