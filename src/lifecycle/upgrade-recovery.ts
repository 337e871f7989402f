// Upgrading the recovery system: where it is built, and the plan. The one that is there stays complete until the new one
// takes its name, so RECOVERY must hold both for a moment; what doesn't fit there is built on STATE and copied without
// its empty blocks.

import type { Image } from '../image/image.ts';
import type { Measure } from '../image/measure.ts';
import type { BootedSystem } from '../slots/booted.ts';
import { SLOT_LABELS } from '../slots/names.ts';
import { type RecoveryKind, recoveryFileOf } from '../slots/recovery-swap.ts';
import { filledSize, RESERVE_BYTES } from '../slots/slot-file.ts';
import type { Deployment } from '../slots/state-file.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Action, Plan } from '../system/plan.ts';
import type { BuildSlotAction } from './build-slot.ts';
import { fillActions } from './fill-actions.ts';
import type { Strictness } from './hooks.ts';
import { displayName } from './image-name.ts';
import { formatBytes } from './sizes.ts';
import { hookAction, type NoteResult, noteResult, type OpenState, openState } from './switch.ts';
import { transitionSize, type UpgradeFacts } from './upgrade.ts';

export interface RecoveryRequest {
  image: Image;
  strictness: Strictness;
  force: boolean;
  /** What it shall be; default: what is there. */
  kind?: RecoveryKind | undefined;
  /** At least so large, in bytes. */
  minimumBytes?: number | undefined;
  /** Take an older version than that of the recovery system that is there. */
  allowDowngrade?: boolean;
}

export interface RecoveryFacts {
  booted: BootedSystem;
  stateDevice: string;
  recoveryDevice: string;
  /** What is there; undefined where the partition has no recovery system. */
  found: RecoveryKind | undefined;
  /** The record of what is there, if it is its own. */
  deployment: Deployment | undefined;
  recoveryId: string | undefined;
  base: UpgradeFacts['base'];
  delta?: UpgradeFacts['delta'];
  image: UpgradeFacts['image'];
  measured: Omit<Measure, 'found'>;
  /** Digests of which what an interrupted upgrade has fetched stays. */
  keepFetched?: readonly string[];
  /** Room without what an earlier action was building. */
  freeBytes: { state: number; recovery: number };
}

export type RecoveryAction =
  | BuildSlotAction
  | OpenState
  | (Action<'open-recovery'> & { device: string })
  | Action<'remove-leftovers'>
  | Action<'make-squashfs'>
  | Action<'copy-to-recovery'>
  | (Action<'activate-recovery'> & { file: RecoveryKind; keepRunning: RecoveryKind | undefined })
  | Action<'write-records'>
  | Action<'remove-fetched'>
  | NoteResult;

/** Whether RECOVERY already holds the image. */
export function isRecoveryUpToDate(facts: Pick<RecoveryFacts, 'deployment' | 'recoveryId' | 'image'>): boolean {
  const { deployment, recoveryId, image } = facts;
  return image.digest !== undefined && deployment?.digest === image.digest && deployment.uuid === recoveryId;
}

/** The size of the slot file in which the recovery system is built. */
export function recoverySize(
  request: Pick<RecoveryRequest, 'minimumBytes'>,
  facts: Pick<RecoveryFacts, 'base' | 'delta' | 'measured'>,
): number {
  return transitionSize(facts, request);
}

/**
 * Where the recovery system is built. Pure.
 * @throws HoldfastError HF-NO-SPACE with the figures of both partitions when it fits nowhere.
 */
export function placeRecovery(
  kind: RecoveryKind,
  facts: Pick<RecoveryFacts, 'base' | 'delta' | 'measured' | 'freeBytes'>,
  slotBytes: number,
): 'recovery' | 'state' {
  const { freeBytes, measured, base, delta } = facts;
  const fits = (free: number, bytes: number) => free >= bytes + RESERVE_BYTES;
  // What the other layers hold is in the base, of which the room to grow is not filled.
  const lower = delta === undefined ? (base?.filledBytes ?? 0) : filledSize(delta.contentBytes, delta.entries);
  const filled = filledSize(measured.contentBytes, measured.entries) + lower;
  // Packed, it is about what the layers are; half of it where they are not packed.
  const finished =
    kind === 'image'
      ? filled
      : measured.compressedBytes > 0 && base === undefined
        ? measured.compressedBytes
        : filled / 2;
  if (kind === 'image' && fits(freeBytes.recovery, slotBytes)) return 'recovery';
  if (fits(freeBytes.state, slotBytes) && fits(freeBytes.recovery, finished)) return 'state';
  const mib = (bytes: number) => formatBytes(bytes);
  throw new HoldfastError(
    'HF-NO-SPACE',
    `not enough space for a new recovery system beside the one that is there: COS_RECOVERY has ${mib(freeBytes.recovery)} free, ` +
      `COS_STATE ${mib(freeBytes.state)}; needed are ${mib(slotBytes + RESERVE_BYTES)} on one of them to build it` +
      `${kind === 'image' ? ' (on COS_STATE' : ' (COS_STATE'}, and ${mib(finished + RESERVE_BYTES)} on COS_RECOVERY to keep it)`,
    { hint: 'nothing was changed; remove what is not needed there, or use a smaller image for the recovery system' },
  );
}

/**
 * Decides what an upgrade of the recovery system does. Pure.
 * @throws HoldfastError HF-NO-SPACE as {@link placeRecovery}.
 */
export function planRecovery(request: RecoveryRequest, facts: RecoveryFacts): Plan<RecoveryAction> {
  if (isRecoveryUpToDate(facts) && !request.force) return { title: 'Nothing to do', actions: [] };
  const { strictness } = request;
  const { booted, image } = facts;
  const kind = request.kind ?? facts.found ?? 'image';
  const sizeBytes = recoverySize(request, facts);
  const place = placeRecovery(kind, facts, sizeBytes);
  const where = place === 'state' ? 'on the state partition' : 'on the recovery partition';
  const actions: RecoveryAction[] = [
    openState(facts.stateDevice),
    {
      kind: 'open-recovery',
      summary: `Open the recovery partition (${facts.recoveryDevice}) for writing`,
      device: facts.recoveryDevice,
    },
    { kind: 'remove-leftovers', summary: 'Remove what an interrupted action left' },
    hookAction('before-upgrade', 'host', strictness),
    ...fillActions(facts, { sizeBytes, where: ` ${where}` }),
    hookAction('after-upgrade-chroot', 'target', strictness),
    { kind: 'finish-transition', summary: 'Check the new recovery system', label: SLOT_LABELS.recovery },
    hookAction('after-upgrade', 'host', strictness),
    ...(kind === 'squashfs'
      ? [{ kind: 'make-squashfs' as const, summary: 'Pack it as a squashfs on the recovery partition' }]
      : place === 'state'
        ? [{ kind: 'copy-to-recovery' as const, summary: 'Copy it to the recovery partition' }]
        : []),
    {
      kind: 'activate-recovery',
      summary: `Switch: it takes the place of /${recoveryFileOf(facts.found ?? kind)}`,
      file: kind,
      keepRunning: booted.slot === 'recovery' && !booted.replaced ? facts.found : undefined,
    },
    { kind: 'write-records', summary: 'Write state.yaml' },
    { kind: 'remove-fetched', summary: 'Remove what was fetched for it' },
    hookAction('post-upgrade', 'host', strictness),
    noteResult,
  ];
  return { title: `Upgrade the recovery system to ${displayName(image.source)}`, actions };
}
