// `holdfast assess`: finds out what is to be found out about this boot, and writes it down for GRUB. A new system on trial
// is looked at until it works or its time is over; then the machine restarts, and GRUB falls back. An ordinary boot is
// looked at once and changes nothing.

import { existsSync, readFileSync } from 'node:fs';
import { type AssessedBoot, assessedBoot, isAssessmentOff } from '../boot/assessment.ts';
import { type KernelArgument, parseCommandLine } from '../boot/command-line.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { type EventSink, silent } from '../system/events.ts';
import { Root } from '../system/root.ts';
import { settleFallback } from './assess-fallback.ts';
import { type AssessOptions, assessHealth, describeFailure, type Health, type ProbeOutcome } from './assess-health.ts';
import { realClock, withState } from './assess-session.ts';
import { readAssessmentRecord } from './assessment-record.ts';
import { markAssessed, writeAssessmentReport } from './assessment-report.ts';
import { type AssessmentSettings, readAssessmentSettings } from './assessment-settings.ts';
import { noteFailure, noteSuccess, postponeTrial, putTrialBack } from './assessment-verdict.ts';
import { parseOsRelease } from './bootable.ts';
import { checkProbe, findChecks, type Probe } from './health-checks.ts';
import { type PowerAction, powerDown } from './power.ts';
import { serviceProbes } from './service-probes.ts';
import type { Session, SessionOptions } from './session.ts';

export interface AssessRequest {
  /** The time is over: whatever the checks would say, this system has not proved itself. */
  expired: boolean;
  /** An assessment was ended before it could say anything: the trial is due again. */
  broken?: boolean;
  /** For people on the consoles. */
  tell: (line: string) => void;
  /** Takes the machine down; default: as other actions do. */
  reboot?: () => Promise<void>;
}

export interface AssessResult {
  boot: AssessedBoot;
  outcome: 'ok' | 'failed' | 'fallback' | 'put-back' | 'planned';
  probes: readonly ProbeOutcome[];
  /** Of a failure, or why nothing was looked at. */
  reason?: string;
  warnings: readonly string[];
}

/** Everything that a verdict depends on, found before anything is run. */
interface Assessment {
  boot: AssessedBoot;
  off: boolean;
  settings: AssessmentSettings;
  excused: readonly string[];
  warnings: string[];
  name: string | undefined;
}

/** @throws HoldfastError when a verdict can't be written down. */
export async function assess(request: AssessRequest, options: SessionOptions): Promise<AssessResult> {
  const events = options.events ?? silent;
  const found = inspect();
  const { boot, warnings } = found;
  for (const text of warnings) events({ type: 'notice', level: 'warning', text });
  const result = { boot, probes: [], warnings };
  if (options.dryRun) {
    const { startup, rest } = allProbes(found, (text) => events({ type: 'notice', level: 'info', text }));
    return { ...result, outcome: 'planned', probes: [...startup, ...rest].map(({ name }) => notRun(name)) };
  }
  if (request.broken && boot !== 'aside' && boot !== 'fallback') {
    if (boot === 'trial') await postpone(options, found);
    return { ...result, outcome: 'put-back', reason: 'it was interrupted before it could begin' };
  }
  if (boot === 'fallback') return { ...result, ...(await settleFallback(options)) };
  if (boot === 'aside') {
    await withState(options, (places, { record }) => {
      record.conclude('skipped', 'another system was chosen by hand; the trial is still due');
      putTrialBack(places);
    });
    writeAssessmentReport({ boot, outcome: 'put-back', at: options.now, checks: [] });
    return { ...result, outcome: 'put-back', reason: 'another system was chosen by hand; the trial is still due' };
  }
  const health = request.expired
    ? expiredHealth(found.settings)
    : await lookAtHealth(found, options, events).catch(async (error: unknown) => {
        if (boot === 'trial' && isInterruption(error)) await postpone(options, found);
        throw error;
      });
  const verdict: AssessResult = {
    ...result,
    outcome: health.outcome,
    probes: health.probes,
    ...(health.outcome === 'failed' ? { reason: describeFailure(health.probes) } : {}),
    ...(found.off ? { reason: 'holdfast.assess=off: whatever boots counts as working' } : {}),
  };
  if (boot !== 'none') await settle(request, options, found, verdict);
  return verdict;
}

const isInterruption = (error: unknown) => error instanceof HoldfastError && error.code === 'HF-INTERRUPTED';

/** The machine is being restarted by somebody: that is no failure, unless the time was over. */
async function postpone(options: SessionOptions, found: Assessment): Promise<void> {
  if (existsSync(EXPIRED_MARK)) return;
  await withState(options, (places, session) => {
    session.record.conclude('interrupted', 'the machine was restarted before the verdict; the trial is still due');
    return postponeTrial(places, judged(session, found));
  });
}

/** The script that watches the time leaves it. */
const EXPIRED_MARK = '/run/holdfast/assess-expired';

const notRun = (name: string): ProbeOutcome => ({ name, outcome: 'ok', message: 'not run', tries: 0 });

function inspect(): Assessment {
  const root = new Root('/');
  const commandLine: KernelArgument[] = parseCommandLine(readFileSync('/proc/cmdline', 'utf8'));
  const { settings, warnings } = readAssessmentSettings(root, commandLine);
  const release = root.readTextIfThere('/etc/os-release') ?? root.readTextIfThere('/usr/lib/os-release') ?? '';
  return {
    boot: assessedBoot(commandLine),
    off: isAssessmentOff(commandLine),
    settings,
    excused: excusedUnits(),
    warnings,
    name: parseOsRelease(release).prettyName,
  };
}

/** Stages of the boot may bring checks, so they are looked for when the boot has ended. */
function allProbes(
  { settings, excused }: Assessment,
  notice: (text: string) => void,
): { startup: Probe[]; rest: Probe[] } {
  const { startup, rest } = serviceProbes([...settings.ignoreUnits, ...excused]);
  const { checks, notices } = findChecks();
  for (const text of notices) notice(text);
  const programs = checks.map((path) => checkProbe(path, { timeoutMs: settings.checkTimeoutSeconds * 1000 }));
  return { startup, rest: [...rest, ...programs] };
}

/** What had failed in the system before. Where COS_STATE can't be read, none is excused. */
function excusedUnits(): readonly string[] {
  return readAssessmentRecord('/run/initramfs/cos-state').record.pending?.failedUnits ?? [];
}

async function lookAtHealth(found: Assessment, options: SessionOptions, events: EventSink): Promise<Health> {
  const { boot, settings, off } = found;
  if (off && boot !== 'none') return { outcome: 'ok', probes: [] };
  if (boot !== 'none')
    writeAssessmentReport({ boot, outcome: 'running', at: options.now, checks: [], ...named(found) });
  const rule: AssessOptions = {
    // By hand somebody waits for the answer.
    settings: boot === 'none' ? { ...settings, tries: 1 } : settings,
    deadline: performance.now() + remainingSeconds(settings) * 1000,
    clock: realClock,
    signal: options.signal ?? new AbortController().signal,
    onFailure: ({ name, message, outputTail }, again) => {
      const lines = outputTail === undefined ? '' : `\n${outputTail}`;
      const next = again ? `; again in ${settings.intervalSeconds} seconds` : '';
      events({ type: 'notice', level: 'warning', text: `${name}: ${message}${next}${lines}` });
    },
  };
  const started = await assessHealth(serviceProbes([]).startup, rule);
  if (started.outcome === 'failed') return started;
  const notice = (text: string) => events({ type: 'notice', level: 'warning', text });
  const { outcome, probes } = await assessHealth(allProbes(found, notice).rest, rule);
  return { outcome, probes: [...started.probes, ...probes] };
}

/** The script that watches the bound has written when it is over, in seconds since the kernel started. */
function remainingSeconds({ timeoutSeconds }: AssessmentSettings): number {
  try {
    const until = Number.parseInt(readFileSync('/run/holdfast/assess-deadline', 'utf8'), 10);
    const uptime = Number.parseFloat(readFileSync('/proc/uptime', 'utf8'));
    if (Number.isFinite(until) && Number.isFinite(uptime)) return Math.min(timeoutSeconds, until - uptime);
  } catch {
    // Nobody watches: the whole time is left.
  }
  return timeoutSeconds;
}

function expiredHealth({ timeoutSeconds }: AssessmentSettings): Health {
  const message = `it did not prove within ${timeoutSeconds} seconds that it works`;
  return { outcome: 'failed', probes: [{ name: 'time', outcome: 'failed', message, tries: 1 }] };
}

async function settle(
  request: AssessRequest,
  options: SessionOptions,
  found: Assessment,
  verdict: AssessResult,
): Promise<void> {
  const { boot } = found;
  if (boot === 'none') return;
  const { outcome, probes, reason = '' } = verdict;
  const isTrial = boot === 'trial';
  const base = { boot, at: options.now, checks: probes.map(withoutTries), ...named(found) };
  const checks = base.checks.filter((check) => check.outcome === 'failed');
  if (outcome === 'ok') {
    try {
      await withState(options, (places, session) => {
        session.record.conclude('ok', `this system works (${probes.length} checks)`);
        noteSuccess(places, judged(session, found));
      });
    } catch (error) {
      // It works; that GRUB can't be told is said, and no reason to restart.
      writeAssessmentReport({ ...base, outcome: 'passed', problem: messageOf(error) });
      markAssessed();
      throw error;
    }
    writeAssessmentReport({ ...base, outcome: 'passed' });
    markAssessed();
    return;
  }
  writeAssessmentReport({ ...base, outcome: 'failed', reason });
  // A person who chose a failed system wants to look at it; GRUB doesn't choose it again.
  const next = isTrial ? '. The machine restarts with the passive one' : '';
  request.tell(`holdfast: The new system did not prove that it works: ${reason}${next}`);
  try {
    await withState(options, (places, session) => {
      session.record.conclude('failed', `this system did not prove that it works: ${reason}`);
      return noteFailure(places, judged(session, found), { reason, checks, now: options.now });
    });
  } finally {
    // Also when it could not be written: GRUB counts a second start as a failure.
    if (isTrial) await (request.reboot ?? restart(options))();
  }
}

const restart = (options: SessionOptions) => async () => {
  const action: PowerAction = 'reboot';
  const { events = silent, signal = new AbortController().signal } = options;
  await powerDown(action, { events, signal });
};

const withoutTries = ({ tries: _, ...check }: ProbeOutcome) => check;
const named = ({ name }: Pick<Assessment, 'name'>) => (name === undefined ? {} : { system: name });
const judged = (session: Session, { name }: Assessment) => ({ uuid: session.booted.uuid ?? 'unknown', name });
