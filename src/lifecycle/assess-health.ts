// Whether this system works: all probes once, those that fail again after a while, until all have passed or the bound is
// over. A clock and a sleep are handed in, so that the rule can be tested without waiting.

import type { AssessmentSettings } from './assessment-settings.ts';
import type { Probe, ProbeResult } from './health-checks.ts';

export interface HealthClock {
  /** Milliseconds; only differences count. */
  now: () => number;
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

export interface ProbeOutcome {
  name: string;
  outcome: 'ok' | 'failed';
  /** What is wrong; empty when all is well. */
  message: string;
  outputTail?: string;
  tries: number;
}

export interface Health {
  outcome: 'ok' | 'failed';
  probes: ProbeOutcome[];
}

export interface AssessOptions {
  settings: Pick<AssessmentSettings, 'tries' | 'intervalSeconds'>;
  /** On the clock. */
  deadline: number;
  clock: HealthClock;
  signal: AbortSignal;
  /** Told of every result that is not the last word. */
  onFailure?: (outcome: ProbeOutcome, again: boolean) => void;
}

/**
 * Runs the probes in order. One that has passed is not run again (Elemental remembers it as well).
 * @throws HoldfastError HF-INTERRUPTED when `signal` was aborted.
 */
export async function assessHealth(probes: readonly Probe[], options: AssessOptions): Promise<Health> {
  const { settings, deadline, clock, signal } = options;
  const outcomes = new Map<string, ProbeOutcome>();
  let due = [...probes];
  for (let attempt = 1; ; attempt++) {
    const failed: Probe[] = [];
    const isLast = () => attempt >= settings.tries || clock.now() + settings.intervalSeconds * 1000 >= deadline;
    for (const probe of due) {
      const result = await look(probe, deadline - clock.now(), signal);
      const outcome: ProbeOutcome = {
        name: probe.name,
        outcome: result.ok ? 'ok' : 'failed',
        ...said(result),
        tries: attempt,
      };
      outcomes.set(probe.name, outcome);
      if (result.ok) continue;
      failed.push(probe);
      options.onFailure?.(outcome, !isLast());
    }
    if (failed.length === 0 || isLast()) break;
    due = failed;
    await clock.sleep(settings.intervalSeconds * 1000, signal);
  }
  const all = [...outcomes.values()];
  return { outcome: all.some(({ outcome }) => outcome === 'failed') ? 'failed' : 'ok', probes: all };
}

async function look(probe: Probe, remainingMs: number, signal: AbortSignal): Promise<ProbeResult> {
  if (remainingMs <= 0) return { ok: false, message: 'there was no time left for it' };
  return await probe.run(remainingMs, signal);
}

function said({ message, outputTail }: ProbeResult): { message: string; outputTail?: string } {
  return { message, ...(outputTail === undefined ? {} : { outputTail }) };
}

/** What went wrong, one sentence without what programs printed. */
export function describeFailure(probes: readonly ProbeOutcome[]): string {
  const failed = probes.filter(({ outcome }) => outcome === 'failed');
  const [first] = failed;
  if (first === undefined) return 'nothing failed';
  const what = first.name.startsWith('/') ? `the check ${first.name} failed (${first.message})` : first.message;
  const more = failed.length - 1;
  return more === 0 ? what : `${what}, and ${more} more`;
}
