// Reset and deploy: both build the active system anew and make the passive one its copy. A reset takes the recovery
// system and ends with what its owner wants wiped; a deploy fills a disk whose STATE has no system yet. STATE keeps its
// file system unless it is asked otherwise, so that the machine can boot at every moment.

import type { Measure } from '../image/measure.ts';
import type { BootedSystem } from '../slots/booted.ts';
import { type Labels, SLOT_LABELS } from '../slots/names.ts';
import { slotSize } from '../slots/slot-file.ts';
import type { InstallationState } from '../slots/state-file.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Action, Plan } from '../system/plan.ts';
import type { BuildSlotAction } from './build-slot.ts';
import type { Strictness } from './hooks.ts';
import { displayName } from './image-name.ts';
import { formatBytes } from './sizes.ts';
import {
  type Activate,
  hookAction,
  isReplaced,
  type NoteResult,
  noteResult,
  type OpenState,
  openState,
  type RemoveLeftovers,
} from './switch.ts';

export type RebuildName = 'reset' | 'deploy';
export type WipedRole = 'persistent' | 'oem';

export interface RebuildRequest {
  action: RebuildName;
  strictness: Strictness;
  /** Reset outside of the recovery system; deploy over a system that is there. */
  force: boolean;
  /** Make STATE's file system anew, first of all. */
  formatState: boolean;
  wipe: readonly WipedRole[];
  /** Files for /oem: 99_custom.yaml, or 90_custom.yaml, 91_custom.yaml, … */
  cloudInit: readonly { name: string; text: string }[];
  /** At least so large, in bytes. */
  minimumBytes?: number | undefined;
  /** The title of the menu's first entry, instead of the one that the system asks for. */
  menuTitle?: string | undefined;
  /** A console for the kernel. */
  tty?: string | undefined;
  /** Take an older image than the active system; a recovery system may always be older. */
  allowDowngrade?: boolean;
  labels?: Labels | undefined;
}

/** Where the system comes from. */
export type RebuildSource =
  | { kind: 'image'; digest: string | undefined; source: string; measured: Omit<Measure, 'found'> }
  /** The recovery system's image file is copied. */
  | { kind: 'recovery-image'; fileBytes: number; filledBytes: number };

export interface RebuildFacts {
  booted: BootedSystem;
  stateDevice: string;
  /** Where somebody else has STATE mounted. */
  stateMountPoint: string | undefined;
  installed: InstallationState;
  activeUuid: string | undefined;
  source: RebuildSource;
  /** Devices of the partitions that are to be wiped; absent where there is none. */
  wiped: Readonly<Partial<Record<WipedRole, string>>>;
  /** STATE has a boot menu. */
  hasMenu: boolean;
}

export type RebuildAction =
  | BuildSlotAction
  | OpenState
  | RemoveLeftovers
  | (Action<'format-state'> & { device: string })
  | (Action<'write-cloud-init'> & { files: readonly { name: string; text: string }[] })
  | (Action<'copy-recovery-system'> & { sizeBytes: number })
  | Action<'note-transition'>
  | Activate
  | (Action<'active-to-passive'> & { keepRunning: boolean })
  | Action<'install-grub'>
  | Action<'write-records'>
  | (Action<'wipe'> & { role: WipedRole; device: string })
  | (Action<'remove-old-pristines'> & { keepDigests: string[]; keepRunning: boolean })
  | NoteResult;

/** The size of the new slot, with room for what hooks and the owner add. */
export function rebuildSize(source: RebuildSource, minimumBytes = 0): number {
  if (source.kind === 'recovery-image') {
    return Math.max(source.fileBytes, slotSize(source.filledBytes, 0), minimumBytes);
  }
  return Math.max(slotSize(source.measured.contentBytes, source.measured.entries), minimumBytes);
}

/** elemental's number for a request that doesn't fit the machine (ReadingSpecConfig). */
const WRONG_MODE_STATUS = 33;

function refuse(request: RebuildRequest, facts: RebuildFacts): void {
  const { action, force, formatState, wipe } = request;
  const { booted } = facts;
  if (action === 'reset' && booted.slot !== 'recovery' && !force) {
    throw new HoldfastError('HF-STATE', 'reset can only be called from the recovery system', {
      exitStatus: WRONG_MODE_STATUS,
      hint: 'holdfast boot --once recovery, reboot and try again; --force resets from here',
    });
  }
  if (action === 'deploy' && facts.activeUuid !== undefined && !force) {
    throw new HoldfastError(
      'HF-ALREADY-INSTALLED',
      "there is already an active deployment in the system, use '--force' flag to overwrite it",
      { hint: 'to replace only the active system: holdfast upgrade IMAGE' },
    );
  }
  if (formatState && (booted.slot === 'active' || booted.slot === 'passive')) {
    throw new HoldfastError('HF-STATE', 'the state partition can’t be formatted: this system runs from it', {
      hint: 'boot the recovery system first: holdfast boot --once recovery',
    });
  }
  if (formatState && facts.stateMountPoint !== undefined) {
    throw new HoldfastError(
      'HF-STATE',
      `the state partition can’t be formatted: it is mounted at ${facts.stateMountPoint}`,
      {
        hint: `umount ${facts.stateMountPoint}`,
      },
    );
  }
  for (const role of wipe) {
    if (facts.wiped[role] === undefined) {
      throw new HoldfastError('HF-STATE', `there is no ${role} partition that could be wiped`, {
        hint: `leave out --${role}`,
      });
    }
  }
}

/**
 * Decides what a reset or a deploy does. Pure.
 * @throws HoldfastError HF-STATE and HF-ALREADY-INSTALLED when this is not the machine or the moment for it.
 */
export function planRebuild(request: RebuildRequest, facts: RebuildFacts): Plan<RebuildAction> {
  refuse(request, facts);
  const { action, strictness, formatState, wipe, cloudInit } = request;
  const { source, booted, installed } = facts;
  const sizeBytes = rebuildSize(source, request.minimumBytes);
  const replaced = isReplaced(booted, facts.activeUuid);
  const digest = source.kind === 'image' ? source.digest : undefined;
  const keep = [installed.active?.digest, installed.passive?.digest].filter((each) => each !== undefined);
  const name = source.kind === 'image' ? displayName(source.source) : 'the recovery system';
  const writeFiles: RebuildAction[] =
    cloudInit.length === 0
      ? []
      : [{ kind: 'write-cloud-init', summary: `Copy ${cloudInit.length} stage file(s) to /oem`, files: cloudInit }];
  const build: RebuildAction[] =
    source.kind === 'recovery-image'
      ? [
          {
            kind: 'copy-recovery-system',
            summary: `Copy the recovery system to a new slot (${formatBytes(sizeBytes)}, preallocated)`,
            sizeBytes,
            cost: { bytes: source.filledBytes },
          },
        ]
      : [
          {
            kind: 'create-transition',
            summary: `Create the new slot (${formatBytes(sizeBytes)}, preallocated)`,
            sizeBytes,
            cost: { bytes: sizeBytes },
          },
          {
            kind: 'unpack',
            summary: `Unpack ${name} (${formatBytes(source.measured.compressedBytes || source.measured.contentBytes)} to read)`,
            skipLayers: 0,
            cost: { bytes: source.measured.contentBytes },
          },
          ...(digest === undefined
            ? []
            : [{ kind: 'keep-pristine' as const, summary: 'Keep an unchanged copy of the image', digest }]),
        ];
  const isRunning = booted.slot === 'active' && !replaced;

  const actions: RebuildAction[] = [
    ...(formatState
      ? [
          {
            kind: 'format-state' as const,
            summary: `Make the file system of the state partition (${facts.stateDevice}) anew`,
            device: facts.stateDevice,
          },
        ]
      : [openState(facts.stateDevice)]),
    {
      kind: 'remove-leftovers',
      summary: 'Remove what an interrupted action left',
      keepDigests: keep,
      keepRunning: replaced,
    },
    // What is wiped at the end gets its files then; hooks in the new system see them all the same.
    ...(wipe.includes('oem') ? [] : writeFiles),
    hookAction(`before-${action}`, 'host', strictness),
    ...build,
    hookAction(`after-${action}-chroot`, 'target', strictness),
    {
      kind: 'finish-transition',
      summary: 'Check the new system',
      label: request.labels?.slots.active ?? SLOT_LABELS.active,
    },
    { kind: 'note-transition', summary: 'Note what is about to become active' },
    { kind: 'activate', summary: 'Switch: the new system becomes active', keepRunning: isRunning },
    {
      kind: 'active-to-passive',
      summary: 'Make the passive system its copy',
      keepRunning: booted.slot === 'passive' && !booted.replaced,
    },
    ...(action === 'reset' || formatState || !facts.hasMenu
      ? [{ kind: 'install-grub' as const, summary: 'Bring the boot loader up to date' }]
      : []),
    { kind: 'write-records', summary: 'Write state.yaml and the menu title' },
    hookAction(`after-${action}`, 'host', strictness),
    hookAction(`post-${action}`, 'host', strictness),
    ...wipe.map((role) => ({
      kind: 'wipe' as const,
      summary: `Make the ${role} partition (${facts.wiped[role]}) empty`,
      role,
      device: facts.wiped[role] ?? '',
    })),
    ...(wipe.includes('oem') ? writeFiles : []),
    {
      kind: 'remove-old-pristines',
      summary: 'Remove copies of images that no slot holds any more',
      keepDigests: digest === undefined ? [] : [digest],
      keepRunning: replaced || isRunning || booted.slot === 'passive',
    },
    noteResult,
  ];
  const title = action === 'reset' ? `Reset this machine to ${name}` : `Deploy ${name}`;
  return { title, actions };
}
