// Rollback: the passive system becomes the active one. From the active system the two change places, so that a second
// rollback undoes it; from anywhere else the passive system is the one that is known to work, and it stays.

import type { BootedSystem } from '../slots/booted.ts';
import { OUTGOING_FILE, SLOT_FILES } from '../slots/names.ts';
import type { InstallationState } from '../slots/state-file.ts';
import type { CopyMode } from '../slots/swap.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Action, Plan } from '../system/plan.ts';
import type { Override } from './boot-choice.ts';
import { isReplaced, type NoteResult, noteResult, type OpenState, openState, type RemoveLeftovers } from './switch.ts';

export interface RollbackFacts {
  booted: BootedSystem;
  stateDevice: string;
  installed: InstallationState;
  activeUuid: string | undefined;
  passiveUuid: string | undefined;
  /** What a rollback that was cut off has left: the system that was active before it. */
  outgoingUuid: string | undefined;
  /** The passive system's own name, and whether it finds its root by its image's label; undefined when it can't boot. */
  passive: { prettyName: string; rootByImageLabel: boolean } | undefined;
  /** Why the passive system can't boot. */
  obstacle: string | undefined;
  /** Whether the active system finds its root by its image's label. */
  activeByImageLabel: boolean;
  /** Variables of GRUB that would boot something else than the first entry. */
  overrides: readonly Override[];
}

interface Exchange {
  /** The active system becomes the passive one. */
  swap: boolean;
}

export type RollbackAction =
  | OpenState
  | RemoveLeftovers
  | (Action<'build-from-passive'> & { mode: CopyMode })
  | (Action<'activate'> & { keepRunning: boolean; keepOutgoing: boolean })
  | (Action<'outgoing-to-passive'> & { mode: CopyMode })
  | (Action<'write-records'> & Exchange & { resumed: boolean })
  | (Action<'clear-overrides'> & { overrides: readonly Override[] })
  | Action<'remove-outgoing'>
  | NoteResult;

/**
 * Decides what a rollback does. Pure. No actions: the two slots hold the same system, and it runs.
 * @throws HoldfastError HF-STATE when there is no passive system that could boot.
 */
export function planRollback(facts: RollbackFacts): Plan<RollbackAction> {
  const { booted, installed, activeUuid, passiveUuid, outgoingUuid, passive, activeByImageLabel } = facts;
  if (passiveUuid === undefined || passive === undefined) {
    const why = passiveUuid === undefined ? `${SLOT_FILES.passive} is missing` : (facts.obstacle ?? 'it is damaged');
    throw new HoldfastError('HF-STATE', `there is no passive system to go back to: ${why}`, {
      hint: 'nothing was changed; upgrade to an image that works, or reset from the recovery system',
    });
  }
  const replaced = isReplaced(booted, activeUuid);
  const runsActive = booted.slot === 'active' && !replaced;
  const same = activeUuid === passiveUuid;
  // Cut off between the two halves: the second one is done now.
  const resumed = same && outgoingUuid !== undefined && outgoingUuid !== activeUuid;
  if (same && runsActive && !resumed) return { title: 'Nothing to go back to', actions: [] };
  // Only what has booted is worth keeping; what an earlier rollback put there has.
  const isProven = runsActive || (replaced && installed.active?.fromAction === 'rollback');
  const swap = !resumed && activeUuid !== undefined && isProven;
  const mode = (byImageLabel: boolean): CopyMode => (byImageLabel ? 'copy' : 'share');
  const keepDigests = [installed.active?.digest, installed.passive?.digest].filter((digest) => digest !== undefined);

  const actions: RollbackAction[] = [
    openState(facts.stateDevice),
    {
      kind: 'remove-leftovers',
      summary: 'Remove what an interrupted action left',
      keepDigests,
      keepRunning: replaced,
      keepOutgoing: resumed,
    },
    ...(resumed
      ? []
      : [
          {
            kind: 'build-from-passive' as const,
            summary: `Make a copy of the passive system (${passive.prettyName}) and check it`,
            mode: mode(passive.rootByImageLabel),
          },
          {
            kind: 'activate' as const,
            summary: 'Switch: it becomes active',
            keepRunning: runsActive,
            keepOutgoing: swap,
          },
        ]),
    ...(swap || resumed
      ? [
          {
            kind: 'outgoing-to-passive' as const,
            summary: 'Keep what was active as passive',
            mode: mode(activeByImageLabel),
          },
        ]
      : []),
    { kind: 'write-records', summary: 'Write state.yaml and the menu title', swap: swap || resumed, resumed },
    ...(facts.overrides.length > 0
      ? [
          {
            kind: 'clear-overrides' as const,
            summary: `Clear ${facts.overrides.map(({ name, value }) => `${name}=${value}`).join(', ')}, which would boot something else`,
            overrides: facts.overrides,
          },
        ]
      : []),
    { kind: 'remove-outgoing', summary: `Remove /${OUTGOING_FILE}, which nothing needs any more` },
    noteResult,
  ];
  return { title: `Go back to ${passive.prettyName}`, actions };
}
