// What building a disk image takes: what was asked for, and the plan that follows. Pure: how large the parts become is
// known when the image is unpacked, so a plan speaks of estimates.

import type { Image } from '../image/image.ts';
import type { Strictness } from '../lifecycle/hooks.ts';
import { displayName } from '../lifecycle/image-name.ts';
import type { RecoverySource, StageFile } from '../lifecycle/install.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import type { Labels } from '../slots/names.ts';
import { MIB, type PartitionWishes } from '../slots/partitions.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Action, Plan } from '../system/plan.ts';
import { DEPLOY_COMMAND } from './disk-first-boot.ts';
import type { DiskFormat } from './disk-formats.ts';

export interface BuildDiskRequest {
  image: Image;
  /** Default: the system itself. */
  recovery?: RecoverySource | undefined;
  output: string;
  format: DiskFormat;
  /** Only what is needed to begin with; the first boot makes the rest, as large as the disk is there. */
  expandable: boolean;
  /** Of the whole disk; default: the smallest. */
  sizeBytes?: number | undefined;
  /** Files for /oem. */
  cloudInit: readonly StageFile[];
  /** For the first boot of an expandable disk, in place of our own: shell words. */
  deployCommand?: string | undefined;
  /** Of COS_STATE; default: ext4 on a whole disk, xfs where the first boot makes it. */
  stateFilesystem?: 'xfs' | 'ext4' | undefined;
  labels: Labels;
  sizesMib: NonNullable<PartitionWishes['sizesMib']>;
  /** Without GRUB for BIOS. */
  firmware?: 'efi' | undefined;
  menuEntry?: string | undefined;
  /** Directories that are laid over the system. */
  overlays: readonly string[];
  strictness: Strictness;
  /** Stage files for hooks beyond the default places. */
  hookSources?: readonly string[] | undefined;
  force: boolean;
  environment?: NodeJS.ProcessEnv | undefined;
}

export interface BuildDiskFacts {
  /** Absolute. */
  output: string;
  image: { source: string; digest: string | undefined };
  /** Of the unpacked system and, if it is another image, the recovery system. */
  treeBytes: number;
  recoveryTreeBytes: number;
  /** What the work takes at the most, in the work place and beside the output. */
  workBytes: number;
  outputBytes: number;
}

export type BuildDiskAction =
  | Action<'open-system'>
  | Action<'open-recovery'>
  | (Action<'run-hook'> & { hook: string; where: 'host' | 'target' })
  | Action<'lay-out'>
  | Action<'make-slots'>
  | Action<'make-recovery'>
  | Action<'write-files'>
  | Action<'make-disk'>
  | Action<'convert'>
  | Action<'publish'>;

/** @throws HoldfastError HF-USAGE, HF-UNSUPPORTED for what doesn't go together. */
export function planDisk(request: BuildDiskRequest, facts: BuildDiskFacts): Plan<BuildDiskAction> {
  refuse(request, facts);
  const { expandable, recovery, format, deployCommand = DEPLOY_COMMAND } = request;
  const hook = (name: string, where: 'host' | 'target' = 'host'): BuildDiskAction => ({
    kind: 'run-hook',
    summary: `Run hook ${name}${where === 'target' ? ' in the system, if any file has it' : ''}`,
    hook: name,
    where,
  });
  const name = displayName(facts.image.source);
  const actions: BuildDiskAction[] = [
    hook('before-disk'),
    {
      kind: 'open-system',
      summary: `Unpack ${name} (about ${formatBytes(facts.treeBytes)})`,
      cost: { bytes: facts.treeBytes },
    },
    ...(recovery?.kind === 'image'
      ? [
          {
            kind: 'open-recovery' as const,
            summary: `Unpack the recovery system ${displayName(recovery.image.source)} (about ${formatBytes(facts.recoveryTreeBytes)})`,
            cost: { bytes: facts.recoveryTreeBytes },
          },
        ]
      : []),
    hook('after-disk-chroot', 'target'),
    hook('after-disk'),
    { kind: 'lay-out', summary: 'Decide how large the partitions become' },
    ...(expandable
      ? []
      : [
          {
            kind: 'make-slots' as const,
            summary: 'Make the active and the passive slot',
            cost: { bytes: facts.treeBytes },
          },
        ]),
    { kind: 'make-recovery', summary: 'Make the recovery system' },
    {
      kind: 'write-files',
      summary: expandable
        ? `Write boot loader, records and stage files; the first boot runs: ${deployCommand.split('\n')[0]}`
        : 'Write boot loader, records and stage files',
    },
    {
      kind: 'make-disk',
      summary: `Make table and file systems: ${expandable ? 'efi, oem, recovery' : 'efi, oem, recovery, state, persistent'}`,
      cost: { bytes: facts.outputBytes },
    },
    ...(format === 'raw' ? [] : [{ kind: 'convert' as const, summary: `Convert the disk for ${format}` }]),
    hook('post-disk'),
    { kind: 'publish', summary: `Give it its name ${facts.output}, with its checksum beside it` },
  ];
  return { title: `Build ${expandable ? 'an expandable' : 'a'} disk image of ${name}: ${facts.output}`, actions };
}

function refuse(
  { expandable, recovery, deployCommand, stateFilesystem, sizesMib, sizeBytes }: BuildDiskRequest,
  { treeBytes }: BuildDiskFacts,
): void {
  const usage = (text: string, hint: string) => new HoldfastError('HF-USAGE', text, { hint });
  if (!expandable && deployCommand !== undefined) {
    throw usage('--deploy-command is for the first boot of an expandable disk', 'add --expandable, or leave it out');
  }
  if (expandable && recovery !== undefined && deployCommand === undefined) {
    throw usage(
      'the first boot of an expandable disk deploys its recovery system, so two systems make no sense',
      'name one image, or say with --deploy-command what the first boot deploys',
    );
  }
  if (!expandable && stateFilesystem === 'xfs') {
    throw new HoldfastError(
      'HF-UNSUPPORTED',
      'a file system of the kind xfs with files in it can’t be made twice alike',
      {
        hint: 'use --expandable, whose first boot makes an xfs, or leave --state-fs out',
      },
    );
  }
  // Firmware's and the owner's partition, and the system once; what is needed exactly is known when it is unpacked.
  if (sizeBytes !== undefined && sizeBytes < treeBytes + 130 * MIB) {
    throw new HoldfastError(
      'HF-TARGET',
      `--size is ${formatBytes(sizeBytes)}, and the system alone takes ${formatBytes(treeBytes)}`,
      {
        hint: 'leave --size out for the smallest disk',
      },
    );
  }
  if (expandable && sizesMib.persistent) {
    throw usage(
      'COS_PERSISTENT of an expandable disk takes what is left of it at the first boot',
      'leave its size out',
    );
  }
}
