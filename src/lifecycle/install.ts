// Install: what was asked for, and the plan that follows from it and from what was found (inspect-install.ts). Nothing
// here touches a disk, so every refusal comes before the first write.

import type { Estimate } from '../image/estimate.ts';
import type { Image } from '../image/image.ts';
import type { Disk, FoundPartition } from '../slots/disk.ts';
import { DEFAULT_LABELS, type Labels } from '../slots/names.ts';
import type { PartitionWishes, PlannedPartition } from '../slots/partitions.ts';
import { slotSize } from '../slots/slot-file.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Action, Plan } from '../system/plan.ts';
import type { BuildSlotAction } from './build-slot.ts';
import type { Strictness } from './hooks.ts';
import { displayName } from './image-name.ts';
import { type DiskContent, refuseContent } from './install-refusals.ts';
import { planInstallDisk } from './plan-install-disk.ts';
import { formatBytes } from './sizes.ts';

/** A stage file for /oem, or the layout of a disk. */
export interface StageFile {
  name: string;
  text: string;
}

/** On COS_STATE, which a reset of /oem leaves alone: see {@link InstallRequest.unattendedMark}. */
export const UNATTENDED_MARK = 'unattended-install';

/** What the recovery system is made from, when it is not the image. */
export type RecoverySource =
  | { kind: 'image'; image: Image }
  /** Copied as it is; an image file is ext4 as slot files are. */
  | { kind: 'file'; file: string; type: 'squashfs' | 'image'; sizeBytes: number; source: string };

/** Where the partitions come from. */
export type Partitioning =
  | { kind: 'new'; wishes?: Omit<PartitionWishes, 'labels'> }
  /** Those that are on the disk, by label; none is formatted. */
  | { kind: 'keep' }
  /** The firmware's partition is made, the others by the stage `partitioning` of this file. */
  | { kind: 'layout'; file: StageFile; wishes?: Omit<PartitionWishes, 'labels'> };

export interface InstallRequest {
  image: Image;
  /** Default: a copy of the installed system. */
  recovery?: RecoverySource | undefined;
  target: string;
  strictness: Strictness;
  /** Overwrite a disk that has something on it. */
  force: boolean;
  /** Files for /oem: one becomes 99_custom.yaml (cOS 0.8), several 90_custom.yaml, 91_custom.yaml, … (elemental 1.x). */
  cloudInit: readonly StageFile[];
  /** What asked for an install that nobody watches, kept on COS_STATE: the next start from the same medium finds it there. */
  unattendedMark?: string | undefined;
  /** Give the firmware of this machine an entry for the disk, where it takes one. */
  bootEntry: boolean;
  partitioning?: Partitioning | undefined;
  /** How the disk shall boot; default: every way that the image brings. */
  firmware?: 'efi' | 'bios' | undefined;
  labels?: Labels | undefined;
  /** The least sizes of slot files in bytes; 0 is as large as the content needs. */
  slotBytes?: { system?: number | undefined; recovery?: number | undefined } | undefined;
  /** The title of the first menu entry; default: what the image says. */
  menuEntry?: string | undefined;
  /** Stage files for hooks beyond the default places; default: what this machine's settings and environment name. */
  hookSources?: readonly string[] | undefined;
  /** A terminal that the kernel shall talk to, `ttyS1` or `ttyS1,115200`. */
  tty?: string | undefined;
  /** Where this system remembers whom it trusts, to be taken along. */
  trustDirectory?: string | undefined;
}

export interface InstallFacts {
  disk: Disk;
  found: FoundPartition[];
  users: string[];
  content: DiskContent;
  measured: Estimate;
  /** Of the recovery system when it is another image. */
  recoveryMeasured?: Estimate | undefined;
  missingPaths: string[];
  /** How the disk will boot, beside UEFI: what the image brings for it. Undefined when it will be read only once. */
  boots: { bios: boolean; secureBoot: boolean } | undefined;
  /** Why this machine's firmware gets no entry for the disk; undefined when it gets one. */
  noBootEntry: string | undefined;
  image: { digest: string | undefined; source: string };
}

export type InstallAction =
  | BuildSlotAction
  | (Action<'partition'> & { disk: Disk; partitions: PlannedPartition[]; bios: boolean })
  | (Action<'format'> & { partitions: PlannedPartition[] })
  | (Action<'run-layout'> & { file: StageFile })
  | (Action<'adopt-partitions'> & { labels: Labels['partitions'] })
  | (Action<'write-cloud-init'> & { files: readonly StageFile[]; unattendedMark?: string | undefined })
  | Action<'make-slots'>
  | (Action<'build-recovery'> & { sizeBytes: number })
  | Action<'copy-recovery'>
  | Action<'install-grub'>
  | Action<'write-esp'>
  | Action<'install-bios-boot'>
  | Action<'finish-disk'>
  | Action<'add-boot-entry'>
  | Action<'write-records'>
  | Action<'close-disk'>;

/**
 * Decides what an install does. Pure.
 * @throws HoldfastError HF-TARGET, HF-ALREADY-INSTALLED, HF-NO-SPACE, HF-CONFIG or HF-NOT-BOOTABLE before anything is
 *   written.
 */
export function planInstall(request: InstallRequest, facts: InstallFacts): Plan<InstallAction> {
  refuseContent(request, facts);
  refuseImage(request, facts);
  const { strictness, cloudInit, unattendedMark, labels = DEFAULT_LABELS } = request;
  const { disk, measured, image } = facts;
  const bios = bootsByBios(request, facts);
  const sizes = slotSizes(request, facts);
  const hook = (name: string, where: 'host' | 'target'): InstallAction => ({
    kind: 'run-hook',
    summary: `Run hook ${name}${where === 'target' ? ' in the new system' : ''}`,
    hook: name,
    where,
    strictness,
  });

  const actions: InstallAction[] = [
    // As in cOS 0.8: nothing was changed yet when it runs.
    hook('before-install', 'host'),
    ...planInstallDisk(request, facts, { ...sizes, bios }),
    ...(cloudInit.length === 0 && unattendedMark === undefined
      ? []
      : [
          {
            kind: 'write-cloud-init' as const,
            summary: `Copy ${cloudInit.length} stage file(s) to /oem`,
            files: cloudInit,
            ...(unattendedMark !== undefined && { unattendedMark }),
          },
        ]),
    {
      kind: 'create-transition',
      summary: `Create the slot (${formatBytes(sizes.slotBytes)}, preallocated${measured.exact ? '' : `; estimated from ${measured.basis}, it can grow`})`,
      sizeBytes: sizes.slotBytes,
      cost: { bytes: sizes.slotBytes },
    },
    {
      kind: 'unpack',
      summary: `Unpack ${displayName(image.source)} (${formatBytes(measured.compressedBytes)} to read${measured.exact ? '' : ', checked while it is unpacked'})`,
      skipLayers: 0,
      cost: { bytes: measured.contentBytes },
    },
    ...(image.digest === undefined
      ? []
      : [{ kind: 'keep-pristine' as const, summary: 'Keep an unchanged copy of the image', digest: image.digest }]),
    hook('after-install-chroot', 'target'),
    { kind: 'finish-transition', summary: 'Check the new system', label: labels.slots.active },
    { kind: 'make-slots', summary: 'Make the active and the passive slot' },
    planRecovery(request, facts, sizes.recoveryBytes),
    {
      kind: 'install-grub',
      summary: 'Write the boot menu and what GRUB remembers',
    },
    { kind: 'write-records', summary: 'Write state.yaml' },
    hook('after-install', 'host'),
    hook('post-install', 'host'),
    { kind: 'close-disk', summary: `Flush everything to ${disk.path}` },
    // Everything else is on the disk: from here on firmware may start it.
    {
      kind: 'write-esp',
      summary: `Install the boot loader for UEFI${facts.boots?.secureBoot ? ', signed for Secure Boot' : ''}`,
    },
    ...(bios
      ? [
          {
            kind: 'install-bios-boot' as const,
            summary: `Install the boot loader for BIOS${facts.boots === undefined ? ', if the image brings it' : ''}`,
          },
        ]
      : []),
    { kind: 'finish-disk', summary: `Take the mark of an unfinished install off ${disk.path}` },
    ...(facts.noBootEntry === undefined
      ? [{ kind: 'add-boot-entry' as const, summary: 'Make the disk the first boot entry of this machine’s firmware' }]
      : []),
  ];
  return { title: `Install ${displayName(image.source)} on ${disk.path}`, actions };
}

function refuseImage({ firmware }: InstallRequest, { missingPaths, boots }: InstallFacts): void {
  const hint =
    'add a kernel package to the image and run `holdfast init` in it as the last build step; the disk was not changed';
  if (missingPaths.length > 0) {
    throw new HoldfastError('HF-NOT-BOOTABLE', `the image can't boot: it lacks ${missingPaths.join(', ')}`, { hint });
  }
  if (firmware === 'bios' && boots?.bios === false) {
    throw new HoldfastError('HF-NOT-BOOTABLE', "the image can't boot by BIOS: it lacks GRUB for it", {
      hint: 'add the package grub-pc-bin (Debian) or grub2-i386-pc (openSUSE) to the image before `holdfast init`',
    });
  }
}

/** Whether the disk gets GRUB for BIOS: it has a partition for that, or gets one. */
function bootsByBios({ firmware, partitioning }: InstallRequest, { boots, content }: InstallFacts): boolean {
  if (firmware === 'efi' || boots?.bios === false) return false;
  if (partitioning?.kind !== 'keep' || content.hasBiosPartition) return true;
  if (firmware !== 'bios') return false;
  throw new HoldfastError('HF-TARGET', 'the disk has no partition for GRUB for BIOS', {
    hint: 'install without --no-format, which makes one',
  });
}

/** How large slot files become: what the content needs, or more where the owner asked for it. */
function slotSizes(request: InstallRequest, facts: InstallFacts): { slotBytes: number; recoveryBytes: number } {
  const { measured, recoveryMeasured } = facts;
  const { system = 0, recovery = 0 } = request.slotBytes ?? {};
  const slotBytes = Math.max(slotSize(measured.contentBytes, measured.entries), system);
  if (request.recovery?.kind === 'file') return { slotBytes, recoveryBytes: request.recovery.sizeBytes };
  if (recoveryMeasured === undefined) return { slotBytes, recoveryBytes: slotBytes };
  const needed = slotSize(recoveryMeasured.contentBytes, recoveryMeasured.entries);
  return { slotBytes, recoveryBytes: Math.max(needed, recovery) };
}

function planRecovery({ recovery }: InstallRequest, facts: InstallFacts, sizeBytes: number): InstallAction {
  if (recovery === undefined) {
    return {
      kind: 'copy-recovery',
      summary: 'Copy the recovery system',
      cost: { bytes: facts.measured.contentBytes },
    };
  }
  if (recovery.kind === 'file') {
    return {
      kind: 'copy-recovery',
      summary: `Copy the recovery system ${displayName(recovery.source)}`,
      cost: { bytes: sizeBytes },
    };
  }
  return {
    kind: 'build-recovery',
    summary: `Build the recovery system from ${displayName(recovery.image.source)} (${formatBytes(sizeBytes)})`,
    sizeBytes,
    cost: { bytes: sizeBytes },
  };
}
