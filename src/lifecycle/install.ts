// Install: what a disk and an image are, and the plan that follows from them.

import { bootEntryObstacle } from '../boot/boot-entry.ts';
import {
  findSignedLoader,
  GRUB_BIOS_BOOT_SECTOR,
  GRUB_BIOS_CORE,
  GRUB_EFI_PROGRAM,
  GRUB_MENU,
  SIGNED_LOADER_PATHS,
} from '../boot/grub-files.ts';
import type { Image } from '../image/image.ts';
import { type Measure, measureImage } from '../image/measure.ts';
import { type Disk, type FoundPartition, looksUsed, openDisk, readPartitions, usersOfDisk } from '../slots/disk.ts';
import { SLOT_LABELS } from '../slots/names.ts';
import { type PlannedPartition, planPartitions } from '../slots/partitions.ts';
import { slotSize } from '../slots/slot-file.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import type { Action, Plan } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import type { BuildSlotAction } from './build-slot.ts';
import type { Strictness } from './hooks.ts';
import { displayName } from './image-name.ts';
import { formatBytes } from './sizes.ts';
import { UPGRADE_TOOLS } from './upgrade.ts';

const INSTALL_TOOLS = [...UPGRADE_TOOLS, 'blockdev', 'lsblk', 'mcopy', 'mkfs.vfat', 'mkfs.xfs', 'partx', 'sfdisk'];

/** Paths without which no image boots; looked for in the image before the disk is touched. */
const REQUIRED_PATHS = ['/boot/vmlinuz', '/boot/initrd', '/etc/cos/bootargs.cfg', GRUB_MENU, GRUB_EFI_PROGRAM];
/** Without these it boots by UEFI alone. */
const BIOS_PATHS = [GRUB_BIOS_CORE, GRUB_BIOS_BOOT_SECTOR];

export interface InstallRequest {
  image: Image;
  target: string;
  strictness: Strictness;
  /** Overwrite a disk that has something on it. */
  force: boolean;
  /** Files that become /oem/90_custom.yaml, 91_custom.yaml, … */
  cloudInit: readonly { name: string; text: string }[];
  /** Give the firmware of this machine an entry for the disk, where it takes one. */
  bootEntry: boolean;
}

export interface InstallFacts {
  disk: Disk;
  found: FoundPartition[];
  users: string[];
  looksUsed: boolean;
  measured: Omit<Measure, 'found'>;
  missingPaths: string[];
  /** How the disk will boot, beside UEFI: what the image brings for it. */
  boots: { bios: boolean; secureBoot: boolean };
  /** Why this machine's firmware gets no entry for the disk; undefined when it gets one. */
  noBootEntry: string | undefined;
  image: { digest: string | undefined; source: string };
}

export type InstallAction =
  | BuildSlotAction
  | (Action<'partition'> & { disk: Disk; partitions: PlannedPartition[]; bios: boolean })
  | (Action<'format'> & { partitions: PlannedPartition[] })
  | (Action<'write-cloud-init'> & { files: readonly { name: string; text: string }[] })
  | Action<'make-slots'>
  | Action<'copy-recovery'>
  | Action<'install-grub'>
  | Action<'install-bios-boot'>
  | Action<'add-boot-entry'>
  | Action<'write-records'>
  | Action<'close-disk'>;

/** Looks at the disk and reads the whole image once; changes nothing. */
export async function inspectInstall(
  request: InstallRequest,
  options: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
): Promise<InstallFacts> {
  requireTools(INSTALL_TOOLS);
  const { image } = request;
  const disk = await openDisk(request.target);
  const facts = {
    disk,
    found: await readPartitions(disk),
    users: await usersOfDisk(disk),
    looksUsed: looksUsed(disk),
    image: { digest: image.kind === 'oci' ? image.digest : undefined, source: image.source },
  };
  // Before the minutes that reading the image takes.
  refuseDisk(request, facts);
  const measured = await measureImage(image, {
    skipLayers: 0,
    lookFor: [...REQUIRED_PATHS, ...BIOS_PATHS, ...SIGNED_LOADER_PATHS].map((path) => path.slice(1)),
    ...options,
  });
  const has = (path: string) => measured.found.has(path.slice(1));
  return {
    ...facts,
    measured,
    missingPaths: REQUIRED_PATHS.filter((path) => !has(path)),
    boots: { bios: BIOS_PATHS.every(has), secureBoot: findSignedLoader(has) !== undefined },
    noBootEntry: whyNoBootEntry(request, disk),
  };
}

function whyNoBootEntry({ bootEntry }: InstallRequest, disk: Disk): string | undefined {
  if (!bootEntry) return 'it was not asked for';
  if (disk.kind === 'image') return 'a disk image is for another machine';
  return bootEntryObstacle();
}

function refuseDisk(
  request: InstallRequest,
  facts: Pick<InstallFacts, 'disk' | 'found' | 'users' | 'looksUsed'>,
): void {
  const { path } = facts.disk;
  if (facts.users.length > 0) {
    throw new HoldfastError('HF-TARGET', `${path} is in use: ${facts.users.join(', ')}`, {
      hint: 'unmount or detach it first; --force does not override this',
    });
  }
  if (request.force) return;
  const system = facts.found.filter(({ label }) => label?.startsWith('COS_'));
  if (system.length > 0) {
    const labels = system.map(({ label }) => label).join(', ');
    throw new HoldfastError('HF-ALREADY-INSTALLED', `${path} already holds an installed system (${labels})`, {
      hint: "use '--force' flag to overwrite it; everything on the disk is lost then",
    });
  }
  if (facts.looksUsed) {
    throw new HoldfastError('HF-TARGET', `${path} is not empty`, {
      hint: 'use --force to overwrite it; everything on the disk is lost then',
    });
  }
}

/**
 * Decides what an install does. Pure.
 * @throws HoldfastError HF-TARGET, HF-ALREADY-INSTALLED or HF-NOT-BOOTABLE before anything is written.
 */
export function planInstall(request: InstallRequest, facts: InstallFacts): Plan<InstallAction> {
  refuseDisk(request, facts);
  if (facts.missingPaths.length > 0) {
    throw new HoldfastError('HF-NOT-BOOTABLE', `the image can't boot: it lacks ${facts.missingPaths.join(', ')}`, {
      hint: 'add a kernel package to the image and run `holdfast init` in it as the last build step; the disk was not changed',
    });
  }
  const { strictness, cloudInit } = request;
  const { disk, measured, image, boots } = facts;
  const sizeBytes = slotSize(measured.contentBytes, measured.entries);
  const partitions = planPartitions({ diskBytes: disk.sizeBytes, slotBytes: sizeBytes });
  const sizes = partitions.map(({ label, sizeBytes: bytes }) => `${label} ${formatBytes(bytes)}`).join(', ');
  const hook = (name: string, where: 'host' | 'target'): InstallAction => ({
    kind: 'run-hook',
    summary: `Run hook ${name}${where === 'target' ? ' in the new system' : ''}`,
    hook: name,
    where,
    strictness,
  });

  const actions: InstallAction[] = [
    hook('before-install', 'host'),
    { kind: 'partition', summary: `Partition ${disk.path}: ${sizes}`, disk, partitions, bios: boots.bios },
    { kind: 'format', summary: 'Make the filesystems', partitions },
    ...(cloudInit.length === 0
      ? []
      : [
          {
            kind: 'write-cloud-init' as const,
            summary: `Copy ${cloudInit.length} stage file(s) to /oem`,
            files: cloudInit,
          },
        ]),
    {
      kind: 'create-transition',
      summary: `Create the slot (${formatBytes(sizeBytes)}, preallocated)`,
      sizeBytes,
      cost: { bytes: sizeBytes },
    },
    {
      kind: 'unpack',
      summary: `Unpack ${displayName(image.source)} (${formatBytes(measured.compressedBytes)} to read)`,
      skipLayers: 0,
      cost: { bytes: measured.contentBytes },
    },
    ...(image.digest === undefined
      ? []
      : [{ kind: 'keep-pristine' as const, summary: 'Keep an unchanged copy of the image', digest: image.digest }]),
    hook('after-install-chroot', 'target'),
    { kind: 'finish-transition', summary: 'Check the new system', label: SLOT_LABELS.active },
    { kind: 'make-slots', summary: 'Make the active and the passive slot' },
    { kind: 'copy-recovery', summary: 'Copy the recovery system', cost: { bytes: measured.contentBytes } },
    {
      kind: 'install-grub',
      summary: `Install the boot loader for UEFI${boots.secureBoot ? ', signed for Secure Boot' : ''}`,
    },
    { kind: 'write-records', summary: 'Write state.yaml' },
    hook('after-install', 'host'),
    hook('post-install', 'host'),
    { kind: 'close-disk', summary: `Flush everything to ${disk.path}` },
    // From here on a BIOS starts the disk, which is complete.
    ...(boots.bios ? [{ kind: 'install-bios-boot' as const, summary: 'Install the boot loader for BIOS' }] : []),
    ...(facts.noBootEntry === undefined
      ? [{ kind: 'add-boot-entry' as const, summary: 'Make the disk the first boot entry of this machine’s firmware' }]
      : []),
  ];
  return { title: `Install ${displayName(image.source)} on ${disk.path}`, actions };
}
