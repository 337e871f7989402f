// What is said of a rehearsal, for people and as JSON. What was not tried is part of every report: a container proves less
// than a boot.

import { SET_ASIDE } from './container-script.ts';
import type { RehearsalResult } from './rehearse.ts';
import type { Finding } from './verdict.ts';

/** What a rehearsal in a container can't say. */
export const NOT_TRIED = ['kernel', 'initramfs', 'boot loader', 'hardware', 'network'] as const;

/** The status that a command ends with: 97 is what an image has that failed its trial, 95 that it can't be done here. */
export const REHEARSAL_STATUS = { passed: 0, failed: 97, unclear: 95 } as const;

/** As data. */
export function rehearsalJson(result: RehearsalResult): Record<string, unknown> {
  const { outcome, record, observation, failed, excused, well, compared, warnings, durationMs } = result;
  return {
    outcome,
    way: 'container',
    plan: record.id,
    system: record.name,
    checks: observation.verdict?.checks ?? [],
    failed,
    excused,
    well,
    compared,
    startupMs: observation.verdict?.startupMs ?? null,
    notes: [...(observation.verdict?.notices ?? []), ...observation.notes],
    setAside: SET_ASIDE,
    notTried: NOT_TRIED,
    warnings,
    durationMs: Math.round(durationMs),
  };
}

/** In lines, one screen at most. */
export function rehearsalLines(result: RehearsalResult): string[] {
  const { record, observation, failed, excused, compared, outcome } = result;
  const { verdict, notes } = observation;
  const seconds = ((verdict?.startupMs ?? observation.durationMs) / 1000).toFixed(1);
  const checks = verdict?.checks.filter(({ outcome: found }) => found === 'ok').length ?? 0;
  return [
    HEADLINES[outcome](record.name),
    ...(verdict === undefined ? [] : [`  started    in ${seconds} s, in a container`]),
    ...failed.flatMap((finding) => findingLines('FAILED', finding)),
    ...excused.flatMap((finding) => [...findingLines('excused', finding), `             ${finding.why}`]),
    ...(verdict === undefined ? [] : [`  checks     ${checks} of ${verdict.checks.length} passed`]),
    ...(compared ? ['  compared   the running system was started in the same way'] : []),
    ...[...(verdict?.notices ?? []), ...notes].slice(0, 10).map((note) => `  note       ${note}`),
    `  not tried  ${NOT_TRIED.join(', ')}: the first boot is a trial of those`,
    `  plan       ${record.id} is kept; this machine was not touched`,
    ...(outcome === 'failed'
      ? ['  next       mend it, or drop the plan: holdfast upgrade --discard-plan']
      : [`  next       holdfast upgrade --apply ${record.id}`]),
  ];
}

const HEADLINES = {
  passed: (name: string) => `${name} works, as far as a rehearsal can tell.`,
  failed: (name: string) => `${name} does not work.`,
  unclear: (name: string) =>
    `Nothing can be said of ${name}: the running system doesn’t come up in a container either.`,
} as const;

const MOST_TAIL_LINES = 8;

function findingLines(word: string, { name, message, outputTail }: Finding): string[] {
  const lines = outputTail === undefined ? [] : outputTail.split('\n').slice(-MOST_TAIL_LINES);
  return [`  ${word.padEnd(10)} ${name}: ${message}`, ...lines.map((line) => `             | ${line}`)];
}
