// Upgrade: what an installed machine and an image are, and the plan that follows from them. The plan's order is the
// swap that can't fail (docs/architecture.md): build completely, keep the running system as passive, switch by one
// rename, then write the records.

import type { Image } from '../image/image.ts';
import type { Measure } from '../image/measure.ts';
import type { PackagePolicy } from '../owner/policy.ts';
import type { BootedSystem } from '../slots/booted.ts';
import { type Labels, SLOT_LABELS } from '../slots/names.ts';
import { slotSize } from '../slots/slot-file.ts';
import type { Deployment, InstallationState, RolloutRound } from '../slots/state-file.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Action, Plan } from '../system/plan.ts';
import type { AssessmentFacts } from './assessment.ts';
import type { Override } from './boot-choice.ts';
import type { BuildSlotAction } from './build-slot.ts';
import type { PathTake, Take } from './carry-engine.ts';
import { type CheckPackages, checkPackagesActions } from './check-packages.ts';
import { fillActions } from './fill-actions.ts';
import type { GoLive } from './go-live.ts';
import type { Strictness } from './hooks.ts';
import { displayName } from './image-name.ts';
import { type OverlayAction, type OverlayFacts, overlaySteps } from './overlay-actions.ts';
import type { PlannedAction } from './planned-actions.ts';
import type { DeltaFacts } from './prepare-delta.ts';
import {
  type Activate,
  type CopyToPassive,
  hookAction,
  isReplaced,
  type NoteResult,
  noteResult,
  type OpenState,
  openState,
  type RemoveLeftovers,
} from './switch.ts';

export const UPGRADE_TOOLS = [
  'blkid',
  'chroot',
  'e2fsck',
  'fallocate',
  'flock',
  'fsfreeze',
  'losetup',
  'mkfs.ext4',
  'mount',
  'resize2fs',
  'tune2fs',
  'umount',
] as const;

export interface UpgradeRequest {
  image: Image;
  strictness: Strictness;
  /** Build and switch even when the active slot already holds this image. */
  force: boolean;
  /** The slot is at least so large, in bytes. */
  minimumBytes?: number | undefined;
  labels?: Labels;
  /** Whether the first boot of the new system is a trial; default true. */
  assess?: boolean;
  /** Take an older version than the installed one. */
  allowDowngrade?: boolean;
  /** Whether an overlay's changes are carried to the new system; default `carry`. */
  overlay?: 'carry' | 'leave';
  /** Conflicts of the overlay with the image that somebody has decided. */
  takes?: readonly (Take | PathTake)[];
  /** What becomes of packages that the owner keeps and that don't fit into the new system; default: they refuse it. */
  packages?: PackagePolicy | undefined;
  /** The image is the installed one, built anew with the owner's changes: its record, and whether more follows. */
  local?: LocalChange | undefined;
  /** The round of a cluster's upgrade that this is. */
  round?: RolloutRound | undefined;
}

/** What makes an upgrade one to the image that is installed already. */
export interface LocalChange {
  /** Of the slot whose image it is. */
  deployment: Deployment;
  /** Bring it to the running system as well, as far as that is safe. */
  live: boolean;
}

/** Everything that the plan depends on. */
export interface UpgradeFacts {
  booted: BootedSystem;
  stateDevice: string;
  installed: InstallationState;
  /** UUID of the filesystem in active.img, if there is one. */
  activeUuid: string | undefined;
  hasPassive: boolean;
  /** The running system finds its root by the label of its image file (cOS up to 0.9). */
  runsByImageLabel: boolean;
  /** The image whose pristine the new slot can start from, and how many of the image's layers it has. */
  base: { digest: string; layers: number; slotBytes: number; filledBytes: number } | undefined;
  /** What is written over that pristine; undefined where all of its layers are the image's. */
  delta?: DeltaFacts | undefined;
  image: { digest: string | undefined; source: string; layers: number };
  /** Of the layers that come whole: estimated, since they are read once. */
  measured: Omit<Measure, 'found'>;
  /** Digests of which what an interrupted upgrade has fetched stays. */
  keepFetched?: readonly string[];
  assessment: AssessmentFacts;
  /** The overlay of this machine; absent where it has none. */
  overlay?: OverlayFacts | undefined;
  /** The packages that the owner keeps, as they are asked for. */
  packages?: readonly string[];
  /** A shutdown that could not carry the rest has made the passive system the default. */
  putBack?: readonly Override[];
  warnings: string[];
}

type SwitchAction =
  | GoLive
  | OpenState
  | RemoveLeftovers
  | Action<'note-transition'>
  | (Action<'arm-assessment'> & { enabled: boolean })
  | CopyToPassive
  | Activate
  | (Action<'write-records'> & { movePassive: boolean })
  | (Action<'clear-overrides'> & { overrides: readonly Override[] })
  | Action<'drop-transition'>
  | (Action<'remove-old-pristines'> & { keepDigests: string[]; keepRunning: boolean })
  | NoteResult;

export type UpgradeAction = BuildSlotAction | CheckPackages | OverlayAction | PlannedAction | SwitchAction;

/** Only a system that has booted is worth keeping: from passive, recovery or live media the passive slot stays. */
export function keepsRunning({ booted, activeUuid }: Pick<UpgradeFacts, 'booted' | 'activeUuid'>): boolean {
  return booted.slot === 'active' && !isReplaced(booted, activeUuid);
}

/** Whether the active slot already holds the image: a retry after a lost connection finds its work done. */
export function isUpToDate(facts: Pick<UpgradeFacts, 'installed' | 'activeUuid' | 'image'>): boolean {
  const active = facts.installed.active;
  return (
    facts.image.digest !== undefined &&
    active?.digest === facts.image.digest &&
    facts.activeUuid !== undefined &&
    active.uuid === facts.activeUuid
  );
}

export function transitionSize(
  { base, delta, measured }: Pick<UpgradeFacts, 'base' | 'delta' | 'measured'>,
  { minimumBytes = 0 }: { minimumBytes?: number | undefined },
): number {
  const { contentBytes, entries } = measured;
  if (base === undefined) return Math.max(slotSize(contentBytes, entries), minimumBytes);
  // What the transition is a clone of is never made smaller.
  if (delta !== undefined) {
    const needed = slotSize(delta.contentBytes + contentBytes, delta.entries + entries);
    return Math.max(base.slotBytes, needed, minimumBytes);
  }
  // The base already has headroom; what the new layers bring comes on top.
  return Math.max(base.slotBytes + (contentBytes > 64 << 20 ? contentBytes : 0), minimumBytes);
}

/**
 * Decides what an upgrade does. Pure.
 * @throws HoldfastError HF-STATE when the machine is not in a state to be upgraded.
 */
export function planUpgrade(request: UpgradeRequest, facts: UpgradeFacts): Plan<UpgradeAction> {
  if (isUpToDate(facts) && !request.force) return { title: 'Nothing to do', actions: [] };
  if (facts.activeUuid === undefined && !facts.hasPassive) {
    throw new HoldfastError('HF-STATE', 'COS_STATE holds neither an active nor a passive system', {
      hint: 'install the machine first: holdfast install DEVICE --system IMAGE',
    });
  }
  const name = displayName(facts.image.source);
  return {
    title: request.local === undefined ? `Upgrade to ${name}` : `Apply local changes to ${name}`,
    actions: [...openActions(request, facts), ...buildActions(request, facts), ...switchActions(request, facts)],
  };
}

/** What a plan asks for beyond the image, which is in the facts. */
export type UpgradeWish = Omit<UpgradeRequest, 'image'>;

/**
 * Opens COS_STATE and tidies it. Pure.
 * @param options.keepPlanned the kept plan is what this action is about.
 * @param options.hooks whether hooks run on this machine.
 */
export function openActions(
  { strictness }: Pick<UpgradeWish, 'strictness'>,
  facts: UpgradeFacts,
  { keepPlanned = false, hooks = true }: { keepPlanned?: boolean; hooks?: boolean } = {},
): UpgradeAction[] {
  const { booted, installed, base, image } = facts;
  const keep = [installed.active?.digest, installed.passive?.digest, base?.digest];
  return [
    openState(facts.stateDevice),
    {
      kind: 'remove-leftovers',
      summary: 'Remove what an interrupted upgrade left',
      keepDigests: [...keep, keepPlanned ? image.digest : undefined].filter((digest) => digest !== undefined),
      keepRunning: isReplaced(booted, facts.activeUuid),
      keepFetched: facts.keepFetched ?? [],
      ...(keepPlanned && { keepPlanned }),
    },
    ...(hooks ? [hookAction('before-upgrade', 'host', strictness)] : []),
  ];
}

/** Builds the new system, up to the check that it is whole. Pure. */
export function buildActions(request: UpgradeWish, facts: UpgradeFacts): UpgradeAction[] {
  const { digest } = facts.image;
  return [
    ...fillActions(facts, { sizeBytes: transitionSize(facts, request) }),
    ...(digest === undefined || (request.local !== undefined && facts.base?.digest === digest)
      ? []
      : [{ kind: 'keep-pristine' as const, summary: 'Keep an unchanged copy of the image', digest }]),
    ...packageActions(request, facts),
    hookAction('after-upgrade-chroot', 'target', request.strictness),
    ...overlaySteps(facts.overlay, request).beforeFinish,
    finishAction(request),
  ];
}

/** Where a failing hook is but a warning, a package that doesn't fit is one as well. */
function packageActions({ packages = 'refuse', strictness }: UpgradeWish, facts: UpgradeFacts): UpgradeAction[] {
  return packages === 'refuse' && strictness === 'none' ? [] : checkPackagesActions(facts.packages, packages);
}

/** Whether the running system becomes the passive one. */
export function movesPassive(facts: UpgradeFacts): boolean {
  // Nor is one that is on trial: passive is what the machine goes back to when it fails.
  return keepsRunning(facts) && !facts.assessment.unproven;
}

/** Makes the finished system the active one, and what follows from that. Pure. */
export function switchActions(request: UpgradeWish, facts: UpgradeFacts): UpgradeAction[] {
  const { booted, installed } = facts;
  const { strictness } = request;
  const replaced = isReplaced(booted, facts.activeUuid);
  const keepRunning = keepsRunning(facts);
  const movePassive = movesPassive(facts);
  const overlay = overlaySteps(facts.overlay, request);
  const keepAfter = [facts.image.digest, movePassive ? installed.active?.digest : installed.passive?.digest];
  return [
    ...overlay.afterFinish,
    hookAction('after-upgrade', 'host', strictness),
    { kind: 'note-transition', summary: 'Note what is about to become active' },
    ...(movePassive
      ? [
          {
            kind: 'copy-to-passive' as const,
            summary: 'Keep the running system as passive (the fallback)',
            mode: facts.runsByImageLabel ? ('copy' as const) : ('share' as const),
          },
        ]
      : []),
    {
      kind: 'arm-assessment',
      summary:
        request.assess === false
          ? 'Boot the new system without a trial, as the settings say'
          : 'The first boot of the new system is a trial: it falls back unless it proves that it works',
      enabled: request.assess !== false,
    },
    ...overlay.beforeSwitch,
    { kind: 'activate', summary: 'Switch: the new system becomes active', keepRunning },
    { kind: 'write-records', summary: 'Write state.yaml and the menu title', movePassive },
    ...putBackActions(facts),
    hookAction('post-upgrade', 'host', strictness),
    ...(request.local?.live ? [goLive] : []),
    {
      kind: 'remove-old-pristines',
      summary: 'Remove copies of images that no slot holds any more',
      keepDigests: keepAfter.filter((digest) => digest !== undefined),
      keepRunning: keepRunning || replaced,
    },
    ...overlay.atEnd,
    noteResult,
  ];
}

const goLive: GoLive = {
  kind: 'go-live',
  summary: 'Bring the changes to the running system, as far as that is safe',
};

/** Checks the new system and gives it its label. */
export function finishAction({ labels }: Pick<UpgradeRequest, 'labels'>): UpgradeAction {
  const label = labels?.slots.active ?? SLOT_LABELS.active;
  return { kind: 'finish-transition', summary: 'Check the new system', label };
}

function putBackActions({ putBack = [] }: Pick<UpgradeFacts, 'putBack'>): UpgradeAction[] {
  if (putBack.length === 0) return [];
  const summary = 'Boot the active system again: a shutdown had made the passive one the default';
  return [{ kind: 'clear-overrides', summary, overrides: putBack }];
}

/**
 * The part of an upgrade that shows what would become of an overlay: the new system is built, hooks and all, looked at,
 * and thrown away. Pure.
 */
export function planOverlayPreview(request: UpgradeRequest, facts: UpgradeFacts): Plan<UpgradeAction> {
  const { beforeFinish } = overlaySteps(facts.overlay, request);
  const name = displayName(facts.image.source);
  if (beforeFinish.length === 0) return { title: `Nothing to carry to ${name}`, actions: [] };
  return {
    title: `What ${name} would make of the overlay`,
    actions: [
      ...openActions(request, facts, { hooks: false }),
      ...fillActions(facts, { sizeBytes: transitionSize(facts, request) }),
      hookAction('after-upgrade-chroot', 'target', request.strictness),
      ...beforeFinish,
      { kind: 'drop-transition', summary: 'Throw the new system away' },
    ],
  };
}
