// What the init system says of a boot, as probes: that it has come up, and that nothing has failed that did not fail
// before the upgrade. systemd in full; OpenRC as far as it can tell.

import { existsSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { type RunResult, run } from '../system/process.ts';
import { parseUnitNames } from './assessment.ts';
import { isIgnoredUnit } from './assessment-settings.ts';
import { type Probe, tail } from './health-checks.ts';

const QUESTION_MS = 20_000;
const MAX_NAMED = 5;

/** @param run another directory instead of /run, for tests. */
export function serviceProbes(
  ignoreUnits: readonly string[],
  places: { run?: string } = {},
): {
  /** What has to be waited for before anything else can be judged. */
  startup: Probe[];
  rest: Probe[];
} {
  const directory = places.run ?? '/run';
  if (existsSync(`${directory}/systemd/system`)) return { startup: [systemdIsUp], rest: [unitsAreWell(ignoreUnits)] };
  // Its script starts when everything else has been started.
  if (existsSync(`${directory}/openrc`)) return { startup: [], rest: [openrcIsWell(ignoreUnits)] };
  return { startup: [], rest: [] };
}

/** The boot has ended and the default target is reached. Waits for it, to the bound. */
const systemdIsUp: Probe = {
  name: 'startup',
  run: async (remainingMs, signal) => {
    const state = await ask(['systemctl', 'is-system-running', '--wait'], Math.max(1000, remainingMs), signal);
    if (state === undefined) {
      const jobs = await ask(['systemctl', 'list-jobs', '--no-legend', '--plain'], QUESTION_MS, signal);
      const waiting = (jobs?.stdout ?? '').split('\n').flatMap((line) => line.trim().split(/\s+/)[1] ?? []);
      return { ok: false, message: `the system was still starting: ${listed(waiting, 'no unit is named')}` };
    }
    const word = state.stdout.trim();
    if (word !== 'running' && word !== 'degraded') return { ok: false, message: `systemd says "${word}"` };
    const target = await ask(['systemctl', 'is-active', 'default.target'], QUESTION_MS, signal);
    if (target?.status === 0) return { ok: true, message: '' };
    return { ok: false, message: 'default.target was not reached' };
  },
};

function unitsAreWell(ignoreUnits: readonly string[]): Probe {
  return {
    name: 'units',
    run: async (_, signal) => {
      const listing = await ask(
        ['systemctl', 'list-units', '--state=failed', '--no-legend', '--plain'],
        QUESTION_MS,
        signal,
      );
      if (listing === undefined || listing.status !== 0) return { ok: false, message: 'systemd gives no answer' };
      const failed = parseUnitNames(listing.stdout).filter((unit) => !isIgnoredUnit(unit, ignoreUnits));
      const [first] = failed;
      if (first === undefined) return { ok: true, message: '' };
      const journal = await ask(
        ['journalctl', '-b', '-u', first, '-n', '8', '--no-pager', '-o', 'cat'],
        QUESTION_MS,
        signal,
      );
      return { ok: false, message: `${listed(failed, '')} failed`, ...tail(journal?.stdout ?? '') };
    },
  };
}

function openrcIsWell(ignoreUnits: readonly string[]): Probe {
  return {
    name: 'services',
    run: async (_, signal) => {
      const crashed = await ask(['rc-status', '--crashed'], QUESTION_MS, signal);
      // Its status is 1 when there are none.
      const names = (crashed?.stdout ?? '').split('\n').flatMap((line) => /^\s*(\S+)/.exec(line)?.[1] ?? []);
      const failed = names.filter((name) => !isIgnoredUnit(name, ignoreUnits));
      return failed.length === 0 ? { ok: true, message: '' } : { ok: false, message: `${listed(failed, '')} crashed` };
    },
  };
}

/** A question to the init system; undefined when it isn't answered. */
async function ask(
  argv: readonly [string, ...string[]],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<RunResult | undefined> {
  try {
    return await run(argv, { timeoutMs, signal });
  } catch (error) {
    // Too slow, or not there.
    if (error instanceof HoldfastError && error.code !== 'HF-INTERRUPTED') return undefined;
    throw error;
  }
}

function listed(names: readonly string[], none: string): string {
  if (names.length === 0) return none;
  const more = names.length - MAX_NAMED;
  return `${names.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
