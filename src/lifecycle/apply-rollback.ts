// Carries out a rollback's plan. From `activate` on the machine boots the system that was asked for; what fails after it
// is a warning, and the system that was active keeps a name of its own until it is the passive one.

import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findDeployment, slotId } from '../slots/identify.ts';
import { requirePartition } from '../slots/locate.ts';
import { OUTGOING_FILE, SLOT_FILES, TRANSITION_FILE } from '../slots/names.ts';
import { checkSlotFile, requireSpace } from '../slots/slot-file.ts';
import type { InstallationState } from '../slots/state-file.ts';
import { activateTransition, copyToPassive, transitionFromPassive } from '../slots/swap.ts';
import { messageOf } from '../system/errors.ts';
import { canShareBlocks } from '../system/mounts.ts';
import { type Performers, type Plan, UndoStack } from '../system/plan.ts';
import { forgetAssessment } from './assessment.ts';
import { clearOverrides, overridesOf, readBootVariables } from './boot-choice.ts';
import { requireBootable } from './bootable.ts';
import { type BuiltSystem, describeSystem } from './build-slot.ts';
import { type Installation, readInstallation, writeMenu, writeStateFiles } from './records.ts';
import { planRollback, type RollbackAction, type RollbackFacts } from './rollback.ts';
import {
  applyPlan,
  asWarning,
  openForWriting,
  readPartition,
  readPartitionIfThere,
  type Session,
  type SessionOptions,
  withSession,
} from './session.ts';
import { type SwitchState, switchPerformers } from './switch.ts';
import { openSlotFile } from './target.ts';
import { UPGRADE_TOOLS } from './upgrade.ts';

export interface RollbackResult {
  outcome: 'ok' | 'ok-with-warnings' | 'up-to-date' | 'planned';
  plan: Plan<RollbackAction>;
  facts: RollbackFacts;
  warnings: readonly string[];
  durationMs: number;
}

interface RollbackState extends SwitchState {
  facts: RollbackFacts;
  system: Omit<BuiltSystem, 'uuid'>;
  oemDirectory: string | undefined;
  /** The system that was active is the passive one. */
  exchanged: boolean;
}

/**
 * Makes the passive system the active one.
 * @throws HoldfastError before anything was switched; afterwards problems are in `warnings`.
 */
export function rollback(options: SessionOptions): Promise<RollbackResult> {
  return withSession('rollback', { ...options, tools: UPGRADE_TOOLS }, async (session) => {
    const stateDirectory = await readPartition(session, 'state');
    const installation = await readInstallation(session, stateDirectory);
    const oemDirectory = await readPartitionIfThere(session, 'oem');
    const { facts, system } = await inspectRollback(session, installation, stateDirectory, oemDirectory);
    const plan = planRollback(facts);
    const base = { plan, facts, durationMs: 0 };
    if (plan.actions.length === 0) {
      session.record.skip('there is nothing to go back to');
      return { ...base, outcome: 'up-to-date', warnings: session.warnings };
    }
    if (session.dryRun) return { ...base, outcome: 'planned', warnings: session.warnings };
    const { workDirectory } = session;
    if (oemDirectory !== undefined) await openForWriting(session.undo, oemDirectory);
    const { durationMs } = await applyPlan(session, plan, performers, {
      session,
      stateDirectory,
      workDirectory,
      installation,
      facts,
      system,
      oemDirectory,
      switched: false,
      exchanged: false,
    });
    const { warnings } = session;
    return { ...base, outcome: warnings.length === 0 ? 'ok' : 'ok-with-warnings', warnings, durationMs };
  });
}

async function inspectRollback(
  session: Session,
  installation: Installation,
  stateDirectory: string,
  oemDirectory: string | undefined,
): Promise<{ facts: RollbackFacts; system: Omit<BuiltSystem, 'uuid'> }> {
  const { ids, state: installed } = installation;
  for (const text of installation.problems) session.events({ type: 'notice', level: 'warning', text });
  const look = (file: string, options: { mustBoot: boolean }) => lookInto(session, join(stateDirectory, file), options);
  const passive = ids.passive === undefined ? undefined : await look(SLOT_FILES.passive, { mustBoot: true });
  const active = ids.active === undefined ? undefined : await look(SLOT_FILES.active, { mustBoot: false });
  const system = passive?.system ?? {
    menuEntry: 'cOS',
    wantedMenuEntry: undefined,
    prettyName: '',
    rootByImageLabel: false,
    version: { id: undefined, version: undefined },
  };
  const activeByImageLabel = active?.system?.rootByImageLabel ?? false;
  if (!canShareBlocks(stateDirectory)) {
    const needed = [
      ...(system.rootByImageLabel ? [SLOT_FILES.passive] : []),
      ...(activeByImageLabel ? [SLOT_FILES.active] : []),
    ].map((file) => statSync(join(stateDirectory, file)).blocks * 512);
    requireSpace(
      stateDirectory,
      needed.reduce((sum, bytes) => sum + bytes, 0),
      'copies with labels of their own',
    );
  }
  const facts: RollbackFacts = {
    booted: session.booted,
    stateDevice: requirePartition(session.partitions, 'state', session.labels).device,
    installed,
    activeUuid: ids.active,
    passiveUuid: ids.passive,
    outgoingUuid: await slotId(join(stateDirectory, OUTGOING_FILE)),
    passive: passive?.system,
    obstacle: passive?.obstacle,
    activeByImageLabel,
    overrides: overridesOf(readBootVariables(stateDirectory, oemDirectory)),
  };
  return { facts, system };
}

/** What a slot file says of itself, read-only; where it can't be mounted or can't boot, why. */
async function lookInto(
  session: Session,
  file: string,
  { mustBoot }: { mustBoot: boolean },
): Promise<{ system?: Omit<BuiltSystem, 'uuid'>; obstacle?: string }> {
  const undo = new UndoStack();
  try {
    const { root } = await openSlotFile(undo, file, join(session.workDirectory, 'look'), { readOnly: true });
    if (mustBoot) requireBootable(root);
    return { system: describeSystem(root) };
  } catch (error) {
    return { obstacle: messageOf(error) };
  } finally {
    for (const text of await undo.unwind(true)) {
      session.events({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
    }
  }
}

const performers: Performers<RollbackAction, RollbackState> = {
  ...switchPerformers,

  'build-from-passive': async ({ mode }, { undo }, { stateDirectory, session }) => {
    const transition = join(stateDirectory, TRANSITION_FILE);
    undo.onFailure(`remove ${transition}`, () => rmSync(transition, { force: true }));
    await transitionFromPassive(stateDirectory, { mode, labels: session.labels });
    await checkSlotFile(transition);
  },

  activate: async ({ keepRunning, keepOutgoing }, __, state) => {
    await activateTransition(state.stateDirectory, { keepRunning, keepOutgoing });
    state.switched = true;
  },

  'outgoing-to-passive': (action, context, state) =>
    asWarning(context, async () => {
      const { stateDirectory, session } = state;
      await copyToPassive(stateDirectory, OUTGOING_FILE, { mode: action.mode, labels: session.labels });
      state.exchanged = true;
    }),

  'write-records': async ({ swap, resumed }, context, state) => {
    const { stateDirectory, session, facts, system, exchanged } = state;
    const replaced = [...(resumed ? [] : (['active'] as const)), ...(swap ? (['passive'] as const) : [])];
    await writeStateFiles(session, context, stateDirectory, newState(state, { resumed, exchanged }));
    // What is active now has been chosen.
    await asWarning(context, () => forgetAssessment(stateDirectory, { oemDirectory: state.oemDirectory }));
    await asWarning(context, () =>
      writeMenu(stateDirectory, { title: system.wantedMenuEntry, fallbackTitle: system.menuEntry, replaced }),
    );
    const { passive } = facts;
    const text = `the next boot starts ${passive?.prettyName}`;
    context.events({ type: 'notice', level: 'info', text });
  },

  'clear-overrides': ({ overrides }, context, { stateDirectory, oemDirectory }) =>
    asWarning(context, () => clearOverrides(overrides, { stateDirectory, oemDirectory })),

  'remove-outgoing': (_, context, state) =>
    asWarning(context, () => {
      const file = join(state.stateDirectory, OUTGOING_FILE);
      // Where it could not be made the passive slot, a second attempt needs it.
      if (state.exchanged) rmSync(file, { force: true });
    }),
};

/** The records follow the content. */
function newState(
  { session, facts, installation }: RollbackState,
  { resumed, exchanged }: { resumed: boolean; exchanged: boolean },
): InstallationState {
  const { active, passive, recovery } = facts.installed;
  const outgoing = resumed && facts.outgoingUuid ? findDeployment(facts.outgoingUuid, installation.copies) : active;
  const newPassive = exchanged ? outgoing : passive;
  return {
    ...(passive === undefined ? {} : { active: { ...passive, date: session.now, fromAction: 'rollback' } }),
    ...(newPassive === undefined ? {} : { passive: newPassive }),
    ...(recovery === undefined ? {} : { recovery }),
  };
}
