// A rehearsal: the system that a plan has built is copied, booted in a container and asked how it is. The machine goes on
// with what it does, the plan stays as it is, and the copy is thrown away.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readLayoutRecord } from '../boot/layout-record.ts';
import { failedUnits } from '../lifecycle/assessment.ts';
import { type PlannedRecord, readPlanned } from '../lifecycle/planned-record.ts';
import {
  applyPlan,
  openForWriting,
  readPartition,
  type Session,
  type SessionOptions,
  withSession,
} from '../lifecycle/session.ts';
import { openState } from '../lifecycle/switch.ts';
import { openSlotFile } from '../lifecycle/target.ts';
import { requirePartition } from '../slots/locate.ts';
import { PLANNED_FILE, PLANNED_WRITES, REHEARSAL_FILE, RUNNING_FILE, SLOT_FILES } from '../slots/names.ts';
import { cloneSlotFile } from '../slots/slot-file.ts';
import { removeAtOnce } from '../slots/swap.ts';
import { HoldfastError } from '../system/errors.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import type { Action, ApplyContext, Performers, Plan } from '../system/plan.ts';
import { CONTAINER_TOOLS, type Observation, observeInContainer } from './container.ts';
import { failuresOf, type Judgement, judge } from './judge.ts';
import { type Place, planPlaces, rehearsalCommandLine } from './places.ts';

/** What a rehearsal waits for a verdict unless somebody says otherwise: a boot in a container takes seconds. */
export const DEFAULT_TIMEOUT_SECONDS = 600;

export interface RehearsalRequest {
  /** The plan's id, where one is meant; default: the kept one. */
  id?: string | undefined;
  /** This program as one file that runs by itself; default: the running one, where it is that. */
  executable?: string | undefined;
  timeoutSeconds?: number | undefined;
}

export interface RehearsalResult extends Judgement {
  record: PlannedRecord;
  /** What was seen of the new system. */
  observation: Observation;
  /** Whether the running system was started for comparison. */
  compared: boolean;
  warnings: readonly string[];
  durationMs: number;
}

export type RehearsalAction =
  | ReturnType<typeof openState>
  | (Action<'copy-system'> & { from: string })
  | Action<'boot-system'>
  | (Action<'boot-running'> & { from: string })
  | Action<'drop-copy'>;

interface RehearsalState {
  session: Session;
  stateDirectory: string;
  request: RehearsalRequest;
  places: readonly Place[];
  already: readonly string[];
  observation?: Observation;
  baseline?: Observation;
}

/**
 * Rehearses the kept plan.
 * @throws HoldfastError HF-STATE without a plan, HF-UNSUPPORTED where no container can be made or the new system has another
 *   init than systemd; that a system doesn't work is a result.
 */
export function rehearse(request: RehearsalRequest, options: SessionOptions): Promise<RehearsalResult> {
  const tools = ['blkid', 'flock', 'fsfreeze', ...CONTAINER_TOOLS];
  return withSession('rehearse', { ...options, tools }, async (session) => {
    const { device } = requirePartition(session.partitions, 'state', session.labels);
    const stateDirectory = await readPartition(session, 'state');
    const record = await keptPlan(stateDirectory, request.id);
    const { oem, persistent } = session.partitions;
    const state: RehearsalState = {
      session,
      stateDirectory,
      request,
      places: planPlaces({
        layout: readLayoutRecord(),
        oem: oem?.mountPoint,
        persistent: persistent?.mountPoint,
        written: { oem: writtenFor(stateDirectory, 'oem'), persistent: writtenFor(stateDirectory, 'persistent') },
      }),
      already: await failedUnits(),
    };
    const plan = planRehearsal(device, { name: record.name, running: runningFile(session, stateDirectory) });
    const { durationMs } = await applyPlan(session, plan, performers, state);
    const { observation, baseline } = state;
    if (observation === undefined) throw new HoldfastError('HF-STATE', 'nothing was rehearsed');
    const judgement = judge(observation, state.already, baseline);
    noteOutcome(session, record, judgement);
    const { warnings } = session;
    return { ...judgement, record, observation, compared: baseline !== undefined, warnings, durationMs };
  });
}

/** That a system doesn't work is no error of the program, and yet how this ended. */
function noteOutcome({ record }: Session, { name, deployment }: PlannedRecord, { outcome, failed }: Judgement): void {
  const { uuid, digest } = deployment;
  record.describe({ slot: { name: 'planned', uuid, ...(digest !== undefined && { digest }) } });
  const [first] = failed;
  if (outcome === 'failed' && first !== undefined) {
    record.conclude('failed', `${name} does not work: ${first.name}: ${first.message}`);
  }
  if (outcome === 'unclear') record.conclude('ok-with-warnings', `nothing can be said of ${name}`);
}

/** The actions of a rehearsal. Pure. @param options.running the running system's file on COS_STATE, where it has one. */
export function planRehearsal(
  stateDevice: string,
  { name, running }: { name: string; running: string | undefined },
): Plan<RehearsalAction> {
  return {
    title: `Rehearse ${name}`,
    actions: [
      openState(stateDevice),
      { kind: 'copy-system', summary: 'Copy the new system', from: PLANNED_FILE },
      { kind: 'boot-system', summary: 'Start the copy in a container, and ask it how it is' },
      ...(running === undefined
        ? []
        : [
            {
              kind: 'boot-running' as const,
              summary: 'If something fails: start a copy of the running system likewise, to compare',
              from: running,
            },
          ]),
      { kind: 'drop-copy', summary: 'Throw the copy away' },
    ],
  };
}

async function keptPlan(stateDirectory: string, id: string | undefined): Promise<PlannedRecord> {
  const kept = await readPlanned(stateDirectory);
  const hint = 'make one: holdfast upgrade --rehearse IMAGE';
  if (kept.state === 'none') throw new HoldfastError('HF-STATE', 'there is no plan to rehearse', { hint });
  if (kept.state === 'unusable') {
    throw new HoldfastError('HF-STATE', `the plan can’t be rehearsed: ${kept.reason}`, { hint });
  }
  if (id !== undefined && kept.record.id !== id) {
    throw new HoldfastError('HF-STATE', `the plan ${id} is not there any more; ${kept.record.id} is`, { hint });
  }
  return kept.record;
}

/** The upper half of the overlay that hooks wrote to while the plan was made. */
function writtenFor(stateDirectory: string, partition: 'oem' | 'persistent'): string | undefined {
  const upper = join(stateDirectory, PLANNED_WRITES, partition, 'upper');
  return existsSync(upper) ? upper : undefined;
}

/** The running system's slot file, as a name on COS_STATE. */
function runningFile({ booted }: Session, stateDirectory: string): string | undefined {
  if (booted.slot === undefined || booted.slot === 'recovery') return undefined;
  const name = booted.replaced ? RUNNING_FILE : SLOT_FILES[booted.slot];
  return existsSync(join(stateDirectory, name)) ? name : undefined;
}

const performers: Performers<RehearsalAction, RehearsalState> = {
  'open-state': (_, { undo }, { stateDirectory }) => openForWriting(undo, stateDirectory, { endsReadOnly: true }),
  'copy-system': ({ from }, context, state) => copySystem(context, state, from),
  'boot-system': async (_, context, state) => {
    state.observation = await observe(context, state);
  },
  'boot-running': async ({ from }, context, state) => {
    const { observation, already } = state;
    if (observation === undefined || judge(observation, already, undefined).failed.length === 0) return;
    const names = failuresOf(observation).map(({ name }) => name);
    const text = `${names.slice(0, 3).join(', ')} failed: the running system is started likewise, to compare`;
    context.events({ type: 'notice', level: 'info', text });
    await copySystem(context, state, from);
    state.baseline = await observe(context, state);
  },
  'drop-copy': (_, __, { stateDirectory }) => removeAtOnce(join(stateDirectory, REHEARSAL_FILE)),
};

async function copySystem({ undo }: ApplyContext, { stateDirectory }: RehearsalState, from: string): Promise<void> {
  const copy = join(stateDirectory, REHEARSAL_FILE);
  undo.onFailure(`remove ${copy}`, () => rmSync(copy, { force: true }));
  await cloneSlotFile(join(stateDirectory, from), copy);
}

async function observe(context: ApplyContext, state: RehearsalState): Promise<Observation> {
  const { session, stateDirectory, request, places } = state;
  const slotFile = join(stateDirectory, REHEARSAL_FILE);
  await requireSystemd(context, slotFile, session.workDirectory);
  const { uuid = '' } = await probeFilesystem(slotFile);
  const timeoutMs = (request.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000;
  return observeInContainer(
    {
      slotFile,
      workDirectory: session.workDirectory,
      executable: request.executable ?? ownExecutable(),
      places,
      commandLine: rehearsalCommandLine(readFileSync('/proc/cmdline', 'utf8'), { uuid }),
      // What it gives itself, and what it takes to start and to say so.
      timeoutMs: timeoutMs + 30_000,
    },
    context,
  );
}

/** Other init systems expect to be the machine's only one. */
async function requireSystemd({ undo }: ApplyContext, slotFile: string, workDirectory: string): Promise<void> {
  const { root, close } = await openSlotFile(undo, slotFile, join(workDirectory, 'look'), { readOnly: true });
  const init = basename(root.resolve('/sbin/init'));
  await close();
  if (init === 'systemd') return;
  throw new HoldfastError('HF-UNSUPPORTED', `a system whose init is ${init} can’t be rehearsed: only systemd can`, {
    hint: 'the plan is kept; its first boot is a trial in any case: holdfast upgrade --apply',
  });
}

/** This program, when it is compiled; Node or Bun with sources would need more than one file in the container. */
function ownExecutable(): string | undefined {
  const isRuntime = /^(?:node|nodejs|bun)$/.test(basename(process.execPath));
  return isRuntime ? undefined : process.execPath;
}
