// The actions that upgrade, rollback, reset and deploy share around the building of a slot: opening STATE, taking away
// leftovers, hooks, the note of what is about to become a slot, and the last word.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { OVERLAY_WORK_FILES, TRANSITION_FILE } from '../slots/names.ts';
import { type CopyMode, isPlanned, removeLeftovers } from '../slots/swap.ts';
import type { Action, ApplyContext, Performers } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { type BuildSlotState, buildSlotPerformers, type RunHook } from './build-slot.ts';
import type { Strictness } from './hooks.ts';
import { runHostHook } from './host-hooks.ts';
import { bootId, readPendingCarry } from './pending-carry.ts';
import type { Installation } from './records.ts';
import { asWarning, openForWriting, type Session } from './session.ts';
import { recordSuccess, recordWhileOpen } from './session-record.ts';
import { openSlotFile } from './target.ts';

export interface OpenState extends Action<'open-state'> {
  device: string;
}
export interface RemoveLeftovers extends Action<'remove-leftovers'> {
  keepDigests: string[];
  /** The running system was booted from a file that has been replaced since. */
  keepRunning: boolean;
  /** An interrupted rollback is completed. */
  keepOutgoing?: boolean;
  /** Digests of an image and its layers: what an interrupted upgrade has fetched of those may be of use. */
  keepFetched?: readonly string[];
  /** The action applies the kept plan. */
  keepPlanned?: boolean;
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
    recordWhileOpen(undo, session, stateDirectory);
  },

  'remove-leftovers': (action, { events }, { stateDirectory }) => {
    const { keepDigests, keepRunning, keepOutgoing = false, keepFetched = [], keepPlanned = false } = action;
    const options = { keepDigests, keepRunning, keepOutgoing, keepFetched, keepPlanned };
    // The shutdown of this boot may still need it.
    if (readPendingCarry(stateDirectory)?.bootId !== bootId()) {
      rmSync(join(stateDirectory, OVERLAY_WORK_FILES.packages), { force: true });
    }
    const removed = removeLeftovers(stateDirectory, options);
    if (removed.some(isPlanned)) {
      const text = 'the system that a plan had built was removed: the plan was for what this machine was until now';
      events({ type: 'notice', level: 'info', text });
    }
    for (const name of removed.filter((each) => !isPlanned(each))) {
      events({ type: 'notice', level: 'info', text: `removed /cOS/${name}, left by an earlier action` });
    }
  },

  'note-result': (_, __, { session, stateDirectory }) => recordSuccess(session, stateDirectory),
};

/** Hooks of an action that also builds a slot. */
export const hookPerformer: Performers<RunHook, HookState> = {
  'run-hook': async (action, context, state) => {
    const { hook, where, strictness } = action;
    state.hookSources ??= state.session.hookSources;
    const extra = state.hookSources;
    const perform = async () => {
      if (where === 'target') {
        await buildSlotPerformers['run-hook'](action, context, state);
        return;
      }
      const fresh = hook.startsWith('before-') ? undefined : await openNewSystem(context, state);
      await runHostHook(context, state.session, hook, { strictness, extra, newSystem: fresh?.sources });
      await fresh?.close();
    };
    if (state.switched) await asWarning(context, perform);
    else await perform();
  },
};

export interface HookState extends SwitchState, BuildSlotState {
  session: Session;
  /** The slot file that the transition becomes; undefined where it is none that could be looked into. */
  becomes: string | undefined;
}

/**
 * Stage files of the image that only the new system has: without them a hook that an image brings would run for the first
 * time one upgrade later (elemental-toolkit: "hooks lost").
 */
async function openNewSystem(
  { undo }: ApplyContext,
  state: HookState,
): Promise<{ sources: string[]; close: () => Promise<void> } | undefined> {
  const transition = join(state.buildDirectory ?? state.stateDirectory, TRANSITION_FILE);
  const file = state.switched ? state.becomes : transition;
  if (file === undefined || !existsSync(file)) return undefined;
  const { root, close } = await openSlotFile(undo, file, join(state.workDirectory, 'new-system'), { readOnly: true });
  const running = new Set(new Root('/').list(IMAGE_SOURCE));
  const names = root.list(IMAGE_SOURCE).filter((name) => !running.has(name));
  return { sources: names.map((name) => root.resolve(join(IMAGE_SOURCE, name))), close };
}

/** Where an image has its own stage files. */
const IMAGE_SOURCE = '/system/oem';

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
