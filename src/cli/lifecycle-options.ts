// What every lifecycle command takes from the command line: which hooks must succeed, and how it runs.

import type { Strictness } from '../lifecycle/hooks.ts';
import type { EventSink } from '../system/events.ts';
import type { CommandContext } from './program.ts';

export interface LifecycleFlags {
  force?: boolean;
  /** `true` when the flag stands alone. */
  strict?: string | true;
  dryRun?: boolean;
}

/** `--strict`, `--strict=false` and its absence as the lifecycle's choice. */
export function strictnessOf(flag: LifecycleFlags['strict']): Strictness {
  if (flag === undefined) return 'chroot';
  return flag === 'false' ? 'none' : 'all';
}

/** How the action runs: its listener, its interruption, its name for others, and the time for its records. */
export function runOptions(
  { reporter, signal, commandLine }: CommandContext,
  flags: LifecycleFlags,
): { events: EventSink; signal: AbortSignal; dryRun: boolean; command: string; now: string } {
  return {
    events: reporter.events,
    signal,
    dryRun: flags.dryRun ?? false,
    command: commandLine,
    now: new Date().toISOString(),
  };
}
