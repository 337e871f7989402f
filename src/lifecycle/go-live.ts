// The action that brings a local change to the running system. It comes after the switch, so it can only be a warning: the new
// slot boots next, whatever becomes of it here. What is done is undone by the reboot, since nothing but memory is written.

import { existsSync } from 'node:fs';
import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import type { TreePath } from '../ledger/compare-trees.ts';
import type { Deployment } from '../slots/state-file.ts';
import { messageOf } from '../system/errors.ts';
import type { Action, ApplyContext, Performers } from '../system/plan.ts';
import { run } from '../system/process.ts';
import type { BuiltSystem } from './build-slot.ts';
import type { LivePath } from './live-changes.ts';
import type { Installation } from './records.ts';
import type { Session } from './session.ts';
import type { LocalChange } from './upgrade.ts';

export type GoLive = Action<'go-live'>;

/** What came of it. */
export interface LiveResult {
  /** `nothing`: the running system is as the new slot already. */
  outcome: 'applied' | 'nothing' | 'refused';
  /** Directories of the running system that are the new slot's now: `/usr`. */
  directories: readonly string[];
  /** How many paths are new in it, and how many files were written into layers in memory. */
  added: number;
  copied: number;
  /** What shows up after the reboot only. */
  later: readonly LivePath[];
  /** Why nothing was done, by path; without paths where the reason is no path. */
  refused: readonly LivePath[];
  reason?: string;
}

export interface GoLiveState {
  session: Session;
  stateDirectory: string;
  workDirectory: string;
  local: LocalChange | undefined;
  /** What was found installed, before the change. */
  installation: Installation;
  built?: BuiltSystem;
  /** Set by `go-live`. */
  live?: LiveResult;
}

export const livePerformer: Performers<GoLive, GoLiveState> = {
  'go-live': async (_, context, state) => {
    const reason = whyNotHere(state);
    if (reason !== undefined) return refuse(context, state, { reason });
    const { bringLive } = await import('./bring-live.ts');
    try {
      const brought = await bringLive(context, {
        stateDirectory: state.stateDirectory,
        workDirectory: state.workDirectory,
        uuid: state.built?.uuid ?? '',
        now: state.session.now,
        related: runningDeployment(state)?.digest !== undefined,
      });
      const { newPaths, ...result } = brought;
      state.live = result;
      if (result.outcome === 'refused') return refuse(context, state, { refused: result.refused, later: result.later });
      if (result.outcome === 'applied') await tellServices(context, newPaths);
    } catch (error) {
      refuse(context, state, { reason: messageOf(error) });
    }
  },
};

/** The record of what runs: its file may have another name by now. */
function runningDeployment({ session, installation: { state } }: GoLiveState): Deployment | undefined {
  const { uuid } = session.booted;
  return Object.values(state).find((deployment) => uuid !== undefined && deployment.uuid === uuid);
}

function isSameImage(one: Deployment | undefined, other: Deployment | undefined): boolean {
  if (one?.digest === undefined || other?.digest === undefined) return one?.source === other?.source;
  return one.digest === other.digest;
}

/** What makes it no question of paths. */
function whyNotHere(state: GoLiveState): string | undefined {
  const { slot } = state.session.booted;
  if (slot === undefined) return 'this machine runs no installed system';
  if (slot === 'recovery') return 'it is the recovery system that runs';
  if (readAttachedOverlay()?.used === true) return 'the root is an overlay, which has changes of its own';
  if (isSameImage(runningDeployment(state), state.local?.deployment)) return undefined;
  return 'the new system has another image than the one that runs';
}

const SHOWN = 10;

function refuse(
  context: ApplyContext,
  state: GoLiveState,
  why: { reason?: string; refused?: readonly LivePath[]; later?: readonly LivePath[] },
): void {
  const { reason, refused = [], later = [] } = why;
  state.live = {
    outcome: 'refused',
    directories: [],
    added: 0,
    copied: 0,
    later,
    refused,
    ...(reason !== undefined && { reason }),
  };
  const shown = refused.slice(0, SHOWN).map(({ path, reason: own }) => `  /${nameOf(path)}: ${own}`);
  if (refused.length > SHOWN) shown.push(`  and ${refused.length - SHOWN} more`);
  const first = `the running system stays as it is until the reboot${reason === undefined ? `: ${refused.length} paths can’t be changed while it runs` : `: ${reason}`}`;
  context.warn([first, ...shown].join('\n'));
}

function nameOf(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

/** Whoever keeps what it has read is told that there is more; what fails is a warning. */
async function tellServices({ warn }: ApplyContext, newPaths: readonly TreePath[]): Promise<void> {
  const namesIn = (pattern: RegExp) => newPaths.flatMap((path) => pattern.exec(path)?.[1] ?? []);
  const told: [string, ...string[]][] = [];
  if (existsSync('/run/systemd/system')) {
    if (namesIn(/^(?:usr\/lib|lib|etc)\/(systemd|init\.d)\//).length > 0) told.push(['systemctl', 'daemon-reload']);
    const temporary = namesIn(/^(?:usr\/lib|etc)\/tmpfiles\.d\/([^/]+\.conf)$/);
    if (temporary.length > 0) told.push(['systemd-tmpfiles', '--create', ...temporary]);
  }
  if (existsSync('/run/udev/control') && namesIn(/^(?:usr\/lib|lib|etc)\/(udev)\/rules\.d\//).length > 0) {
    told.push(['udevadm', 'control', '--reload']);
  }
  for (const argv of told) {
    const result = await run(argv, { timeoutMs: 120_000 });
    if (result.status !== 0) warn(`${argv.join(' ')} failed: ${result.stderr.trim()}`);
  }
}
