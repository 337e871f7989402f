// What a rehearsal proves. A container has no network, no devices and the kernel of this machine, so a service may fail in
// it that would work after a real boot: what also fails when the running system is rehearsed in the same way is the
// container's fault and is told, but doesn't count. Pure.

import type { Observation } from './container.ts';
import type { Finding } from './verdict.ts';

/**
 * `passed`: all that was looked at works. `failed`: something doesn't that works in the running system. `unclear`: the
 * running system doesn't come up in a container either, so nothing is proved.
 */
export type RehearsalOutcome = 'passed' | 'failed' | 'unclear';

export interface Judgement {
  outcome: RehearsalOutcome;
  /** What failed and counts. */
  failed: readonly Finding[];
  /** What failed and doesn't count: so it does in the running system, or in this machine as it is. */
  excused: readonly (Finding & { why: string })[];
  /** How many things were looked at and found well. */
  well: number;
}

/** All that an observation says is wrong. */
export function failuresOf(observation: Observation): Finding[] {
  if (observation.verdict === undefined) {
    const { problem, outputTail } = observation;
    return [{ name: 'startup', outcome: 'failed', message: problem, ...(outputTail === '' ? {} : { outputTail }) }];
  }
  const { startup, units, checks } = observation.verdict;
  return [...(startup === undefined ? [] : [startup]), ...units, ...checks].filter(
    ({ outcome }) => outcome === 'failed',
  );
}

/**
 * @param system what was seen of the new system.
 * @param already units that have failed in the machine as it runs now.
 * @param baseline what was seen of the running system; absent where it was not looked at.
 */
export function judge(system: Observation, already: readonly string[], baseline: Observation | undefined): Judgement {
  const failures = failuresOf(system);
  const elsewhere = baseline === undefined ? undefined : new Set(failuresOf(baseline).map(({ name }) => name));
  const why = ({ name }: Finding): string | undefined => {
    if (already.includes(name)) return 'it has failed in this machine as it runs now';
    if (elsewhere?.has(name)) return 'in a container it fails in the running system, too';
    return undefined;
  };
  const excused = failures.flatMap((failure) => {
    const reason = why(failure);
    return reason === undefined ? [] : [{ ...failure, why: reason }];
  });
  const failed = failures.filter((failure) => why(failure) === undefined);
  // A boot that doesn't end in either of them leaves everything else unasked.
  const isUnclear = failed.length === 0 && excused.some(({ name }) => name === 'startup');
  const outcome = failed.length > 0 ? 'failed' : isUnclear ? 'unclear' : 'passed';
  return { outcome, failed, excused, well: wellOf(system) };
}

function wellOf({ verdict }: Observation): number {
  if (verdict === undefined) return 0;
  const { startup, units, checks } = verdict;
  const found = [...(startup === undefined ? [] : [startup]), ...checks].filter(({ outcome }) => outcome === 'ok');
  return found.length + (units.length === 0 ? 1 : 0);
}
