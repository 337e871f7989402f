// Upgrade: what an installed machine and an image are, and the plan that follows from them. The plan's order is the
// swap that can't fail (docs/architecture.md): build completely, keep the running system as passive, switch by one
// rename, then write the records.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../image/image.ts';
import { commonPrefix } from '../image/layers.ts';
import { type Measure, measureImage } from '../image/measure.ts';
import { type BootedSystem, inspectBooted, type LocatedPartition, locateState } from '../slots/booted.ts';
import { pristineFile, SLOT_FILES, SLOT_LABELS } from '../slots/names.ts';
import { requireSpace, slotSize } from '../slots/slot-file.ts';
import { type InstallationState, readState } from '../slots/state-file.ts';
import { hasPristine } from '../slots/swap.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import type { Action, Plan } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import type { BuildSlotAction } from './build-slot.ts';
import type { Strictness } from './hooks.ts';
import { displayName } from './image-name.ts';
import { formatBytes } from './sizes.ts';

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
}

/** Everything that the plan depends on. */
export interface UpgradeFacts {
  booted: BootedSystem;
  state: LocatedPartition;
  installed: InstallationState;
  /** UUID of the filesystem in active.img, if there is one. */
  activeUuid: string | undefined;
  hasPassive: boolean;
  /** The image whose pristine the new slot can start from. */
  base: { digest: string; layers: number; slotBytes: number } | undefined;
  image: { digest: string | undefined; source: string; layers: number };
  measured: Omit<Measure, 'found'>;
  warnings: string[];
}

interface OpenState extends Action<'open-state'> {
  partition: LocatedPartition;
}
type SwitchAction =
  | OpenState
  | (Action<'remove-leftovers'> & { keepDigests: string[]; keepRunning: boolean })
  | Action<'copy-to-passive'>
  | (Action<'activate'> & { keepRunning: boolean })
  | (Action<'write-records'> & { movePassive: boolean })
  | (Action<'remove-old-pristines'> & { keepDigests: string[]; keepRunning: boolean });

export type UpgradeAction = BuildSlotAction | SwitchAction;

/**
 * Looks at the machine and at the image; changes nothing. All of the image that will be used is read once, so that a
 * damaged one is found before the first write.
 * @param stateDirectory where COS_STATE can be read.
 */
export async function inspectUpgrade(
  request: UpgradeRequest,
  located: { booted: BootedSystem; state: LocatedPartition },
  stateDirectory: string,
  options: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
): Promise<UpgradeFacts> {
  const { image } = request;
  const { state: installed, problem } = readState(join(stateDirectory, 'state.yaml'));
  const active = join(stateDirectory, SLOT_FILES.active);
  const activeUuid = isFile(active) ? (await probeFilesystem(active)).uuid : undefined;
  const facts = {
    ...located,
    installed,
    activeUuid,
    hasPassive: isFile(join(stateDirectory, SLOT_FILES.passive)),
    base: findBase(installed, image, stateDirectory),
    image: {
      digest: image.kind === 'oci' ? image.digest : undefined,
      source: image.source,
      layers: image.kind === 'oci' ? image.layers.length : 0,
    },
    warnings: problem === undefined ? [] : [problem],
  };
  if (isUpToDate(facts) && !request.force) {
    return { ...facts, measured: { contentBytes: 0, entries: 0, compressedBytes: 0 } };
  }
  const measured = await measureImage(image, { skipLayers: facts.base?.layers ?? 0, ...options });
  const sizeBytes = transitionSize({ ...facts, measured });
  // A clone shares its blocks, but every one of them may have to be written anew: the room for all is asked for.
  requireSpace(stateDirectory, sizeBytes, 'the new system');
  return { ...facts, measured };
}

/** Where the machine's state is, with the tools checked first. */
export async function locateInstallation(): Promise<{ booted: BootedSystem; state: LocatedPartition }> {
  requireTools(UPGRADE_TOOLS);
  const booted = await inspectBooted();
  return { booted, state: await locateState(booted) };
}

/** The installed image that shares the most leading layers with the new one and whose pristine is there. */
function findBase(installed: InstallationState, image: Image, stateDirectory: string): UpgradeFacts['base'] {
  if (image.kind !== 'oci') return undefined;
  let best: UpgradeFacts['base'];
  for (const slot of ['active', 'passive'] as const) {
    const deployment = installed[slot];
    if (deployment?.digest === undefined || !hasPristine(stateDirectory, deployment.digest)) continue;
    const shared = commonPrefix(deployment.layers, image);
    // All layers of the base must be in the new image: what a layer put there can't be taken away again.
    if (shared === 0 || shared !== deployment.layers.length || shared <= (best?.layers ?? 0)) continue;
    const slotBytes = statSync(join(stateDirectory, pristineFile(deployment.digest))).size;
    best = { digest: deployment.digest, layers: shared, slotBytes };
  }
  return best;
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

function transitionSize(facts: Pick<UpgradeFacts, 'base' | 'measured'>): number {
  const { base, measured } = facts;
  if (base === undefined) return slotSize(measured.contentBytes, measured.entries);
  // The base already has headroom; what the new layers bring comes on top.
  return base.slotBytes + (measured.contentBytes > 64 << 20 ? measured.contentBytes : 0);
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
  const { base, measured, booted, installed } = facts;
  const { strictness } = request;
  const sizeBytes = transitionSize(facts);
  // Only a system that has booted is worth keeping: from passive, recovery or live media the passive slot stays.
  const isReplaced = booted.replaced || (booted.slot === 'active' && booted.uuid !== facts.activeUuid);
  const movePassive = booted.slot === 'active' && !isReplaced;
  const digests = (slots: InstallationState) =>
    [slots.active?.digest, slots.passive?.digest].filter((digest) => digest !== undefined);
  const newDigest = facts.image.digest;
  const keepAfter = [newDigest, movePassive ? installed.active?.digest : installed.passive?.digest];

  const actions: UpgradeAction[] = [
    { kind: 'open-state', summary: `Open COS_STATE (${facts.state.device}) for writing`, partition: facts.state },
    {
      kind: 'remove-leftovers',
      summary: 'Remove what an interrupted upgrade left',
      keepDigests: digests(installed),
      keepRunning: isReplaced,
    },
    { kind: 'run-hook', summary: 'Run hook before-upgrade', hook: 'before-upgrade', where: 'host', strictness },
    base === undefined
      ? {
          kind: 'create-transition',
          summary: `Create the new slot (${formatBytes(sizeBytes)}, preallocated)`,
          sizeBytes,
          cost: { bytes: sizeBytes },
        }
      : {
          kind: 'clone-transition',
          summary: `Start from the unchanged copy of the installed image, which has ${base.layers} of ${facts.image.layers} layers`,
          digest: base.digest,
          sizeBytes,
        },
    {
      kind: 'unpack',
      summary: `Unpack ${displayName(facts.image.source)} (${formatBytes(measured.compressedBytes)} to read)`,
      skipLayers: base?.layers ?? 0,
      cost: { bytes: measured.contentBytes },
    },
    ...(newDigest === undefined
      ? []
      : [{ kind: 'keep-pristine' as const, summary: 'Keep an unchanged copy of the image', digest: newDigest }]),
    {
      kind: 'run-hook',
      summary: 'Run hook after-upgrade-chroot in the new system',
      hook: 'after-upgrade-chroot',
      where: 'target',
      strictness,
    },
    { kind: 'finish-transition', summary: 'Check the new system', label: SLOT_LABELS.active },
    { kind: 'run-hook', summary: 'Run hook after-upgrade', hook: 'after-upgrade', where: 'host', strictness },
    ...(movePassive
      ? [{ kind: 'copy-to-passive' as const, summary: 'Keep the running system as passive (the fallback)' }]
      : []),
    { kind: 'activate', summary: 'Switch: the new system becomes active', keepRunning: movePassive },
    { kind: 'write-records', summary: 'Write state.yaml and the menu title', movePassive },
    { kind: 'run-hook', summary: 'Run hook post-upgrade', hook: 'post-upgrade', where: 'host', strictness },
    {
      kind: 'remove-old-pristines',
      summary: 'Remove copies of images that no slot holds any more',
      keepDigests: keepAfter.filter((digest) => digest !== undefined),
      keepRunning: movePassive || isReplaced,
    },
  ];
  return { title: `Upgrade to ${displayName(facts.image.source)}`, actions };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
