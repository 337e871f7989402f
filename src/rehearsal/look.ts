// Runs inside a system that is rehearsed: waits until its boot has ended, then looks at its services and runs its health
// checks, as a trial after a real boot does (src/lifecycle/assess.ts). What it finds is data; somebody outside judges it.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseCommandLine } from '../boot/command-line.ts';
import { type AssessOptions, assessHealth, type HealthClock, type ProbeOutcome } from '../lifecycle/assess-health.ts';
import { failedUnits } from '../lifecycle/assessment.ts';
import { type AssessmentSettings, isIgnoredUnit, readAssessmentSettings } from '../lifecycle/assessment-settings.ts';
import { checkProbe, findChecks, tail } from '../lifecycle/health-checks.ts';
import { serviceProbes } from '../lifecycle/service-probes.ts';
import { HoldfastError } from '../system/errors.ts';
import { run } from '../system/process.ts';
import { Root } from '../system/root.ts';
import type { Finding, Verdict } from './verdict.ts';

/** Somebody waits for the answer: a check that fails is tried again sooner than after a real boot. */
const INTERVAL_SECONDS = 5;
/** Of so many failed units the journal is read; the others are named. */
const MOST_EXPLAINED = 10;

export interface LookOptions {
  clock: HealthClock;
  signal: AbortSignal;
  /** How long it may take; default: what the system's own settings give a trial. */
  timeoutSeconds?: number | undefined;
}

/** Looks at the system that this program runs in. */
export async function lookAtSystem({ clock, signal, timeoutSeconds }: LookOptions): Promise<Verdict> {
  const started = clock.now();
  const { settings, warnings } = readAssessmentSettings(
    new Root('/'),
    parseCommandLine(readFileSync('/proc/cmdline', 'utf8')),
  );
  const seconds = Math.min(settings.timeoutSeconds, timeoutSeconds ?? Number.POSITIVE_INFINITY);
  const rule: AssessOptions = {
    settings: { tries: settings.tries, intervalSeconds: Math.min(settings.intervalSeconds, INTERVAL_SECONDS) },
    deadline: started + seconds * 1000,
    clock,
    signal,
  };
  const startup = await assessHealth(serviceProbes([]).startup, rule);
  const startupMs = clock.now() - started;
  const units = await findFailedUnits(settings, signal);
  const { checks, notices } = findChecks();
  const probes = checks.map((path) => checkProbe(path, { timeoutMs: settings.checkTimeoutSeconds * 1000 }));
  // A system that hasn't come up says nothing about its checks.
  const ran = startup.outcome === 'ok' ? await assessHealth(probes, rule) : { probes: [] };
  const [first] = startup.probes;
  return {
    version: 1,
    ...(first === undefined ? {} : { startup: finding(first) }),
    units,
    checks: ran.probes.map(finding),
    startupMs: Math.round(startupMs),
    notices: [...warnings, ...notices],
  };
}

function finding({ tries: _, ...found }: ProbeOutcome): Finding {
  return found;
}

/** Each failed unit that the settings don't excuse, with the end of what its journal says. */
async function findFailedUnits({ ignoreUnits }: AssessmentSettings, signal: AbortSignal): Promise<Finding[]> {
  if (!existsSync('/run/systemd/system')) return [];
  const names = (await failedUnits()).filter((unit) => !isIgnoredUnit(unit, ignoreUnits));
  const found: Finding[] = [];
  for (const [at, name] of names.entries()) {
    const lines = at < MOST_EXPLAINED ? await journalOf(name, signal) : '';
    found.push({ name, outcome: 'failed', message: 'it has failed', ...tail(lines) });
  }
  return found;
}

async function journalOf(unit: string, signal: AbortSignal): Promise<string> {
  const argv = ['journalctl', '-b', '-u', unit, '-n', '8', '--no-pager', '-o', 'cat'] as const;
  try {
    return (await run([...argv], { timeoutMs: 20_000, signal })).stdout;
  } catch (error) {
    // A system without a journal, or one that doesn't answer: the name is enough.
    if (error instanceof HoldfastError && error.code !== 'HF-INTERRUPTED') return '';
    throw error;
  }
}

/** Writes a verdict so that whoever waits for the file finds it whole. */
export function writeVerdict(file: string, verdict: Verdict): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(verdict)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
