// The actions that upgrade, rollback, reset and deploy share around the building of a slot: opening STATE, taking away
// leftovers, hooks, the note of what is about to become a slot, and the last word.

import { type CopyMode, removeLeftovers } from '../slots/swap.ts';
import type { Action, Performers } from '../system/plan.ts';
import { type BuildSlotState, buildSlotPerformers, type RunHook } from './build-slot.ts';
import type { Strictness } from './hooks.ts';
import { runHostHook } from './host-hooks.ts';
import { recordFailure, writeLastAction } from './last-action.ts';
import type { Installation } from './records.ts';
import { asWarning, openForWriting, type Session } from './session.ts';

export interface OpenState extends Action<'open-state'> {
  device: string;
}
export interface RemoveLeftovers extends Action<'remove-leftovers'> {
  keepDigests: string[];
  /** The running system was booted from a file that has been replaced since. */
  keepRunning: boolean;
  /** An interrupted rollback is completed. */
  keepOutgoing?: boolean;
}
export interface CopyToPassive extends Action<'copy-to-passive'> {
  mode: CopyMode;
}
export interface Activate extends Action<'activate'> {
  /** The active file is in use. */
  keepRunning: boolean;
}
export type NoteResult = Action<'note-result'>;

export type SwitchAction = OpenState | RemoveLeftovers | RunHook | NoteResult;

export interface SwitchState extends Pick<BuildSlotState, 'stateDirectory' | 'workDirectory'> {
  session: Session;
  installation: Installation;
  /** The new system is what boots next: from here on everything that fails is a warning. */
  switched: boolean;
}

export const switchPerformers: Performers<Exclude<SwitchAction, RunHook>, SwitchState> = {
  'open-state': async (_, { undo }, { stateDirectory, session }) => {
    await openForWriting(undo, stateDirectory, { endsReadOnly: true });
    recordFailure(undo, session, stateDirectory);
  },

  'remove-leftovers': ({ keepDigests, keepRunning, keepOutgoing }, { events }, { stateDirectory }) => {
    const options = { keepDigests, keepRunning, keepOutgoing: keepOutgoing ?? false };
    for (const name of removeLeftovers(stateDirectory, options)) {
      events({ type: 'notice', level: 'info', text: `removed /cOS/${name}, left by an earlier action` });
    }
  },

  'note-result': (_, context, { session, stateDirectory }) =>
    asWarning(context, () => writeLastAction(session, stateDirectory)),
};

/** Hooks of an action that also builds a slot. */
export const hookPerformer: Performers<RunHook, SwitchState & BuildSlotState> = {
  'run-hook': async (action, context, state) => {
    const { hook, where, strictness } = action;
    const perform = () =>
      where === 'host'
        ? runHostHook(context, state.session, hook, { strictness })
        : buildSlotPerformers['run-hook'](action, context, state);
    if (state.switched) await asWarning(context, perform);
    else await perform();
  },
};

export function hookAction(hook: string, where: RunHook['where'], strictness: Strictness): RunHook {
  const summary = `Run hook ${hook}${where === 'target' ? ' in the new system' : ''}`;
  return { kind: 'run-hook', summary, hook, where, strictness };
}

export function openState(device: string): OpenState {
  return { kind: 'open-state', summary: `Open the state partition (${device}) for writing`, device };
}

export const noteResult: NoteResult = { kind: 'note-result', summary: 'Note how it went' };

/** Whether the running system's slot file is no longer the active one. */
export function isReplaced(
  booted: { slot: string | undefined; uuid: string | undefined; replaced: boolean },
  activeUuid: string | undefined,
): boolean {
  return booted.replaced || (booted.slot === 'active' && booted.uuid !== activeUuid);
}
