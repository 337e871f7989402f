// A run of the crash tests: record commands in guests, look at states of their disks, do some commands again, boot some
// disks, and count.

import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../src/system/errors.ts';
import { cacheDirectory, keyOfFiles } from '../cache.ts';
import { ensureExecutable } from '../executable.ts';
import { withWorkTree } from '../work-tree.ts';
import { doAgain } from './again.ts';
import { type Breakage, ensureBrokenProgram } from './breakage.ts';
import { chooseCutPoints, randomNumbers } from './cut-points.ts';
import { fillDelivery, packDelivery } from './delivery.ts';
import type { Examined } from './examination.ts';
import { ensureGuestRoot, type GuestRoot } from './guest-root.ts';
import { reallyBoot } from './really-boot.ts';
import { type Recording, record } from './recording.ts';
import { type Scenario, withAncestors } from './scenarios.ts';
import { withScratch } from './scratch.ts';
import type { Failure, Row } from './table.ts';
import { examineAll } from './workers.ts';
import { type LogEntry, readLog } from './write-log.ts';

export interface CrashTestOptions {
  scenarios: readonly Scenario[];
  /** In all; each scenario gets its share. */
  states: number;
  seed: number;
  /** Of the states, those on which the command is done again. */
  again: number;
  /** Of the states, those that are really booted. */
  boots: number;
  jobs?: number;
  /** The order of writing is broken on purpose. */
  breakage?: Breakage;
  /** Only the guests run; nothing is looked at. */
  recordOnly?: boolean;
  signal?: AbortSignal | undefined;
  log: (line: string) => void;
}

export interface CrashTestResult {
  rows: Row[];
  failures: Failure[];
  seconds: number;
}

export async function crashTest(options: CrashTestOptions): Promise<CrashTestResult> {
  const started = performance.now();
  const { log } = options;
  const root = await ensureGuestRoot({ log });
  const executable = await ensureExecutable(log);
  const result = await withWorkTree(join(cacheDirectory(), 'crash-delivery'), async (work) => {
    const delivery = await makeDelivery(work, 'delivery', executable, root);
    const sound = await recordAll(options.scenarios, { ...options, ...delivery, root });
    const recordings =
      options.breakage === undefined
        ? sound
        : await recordBroken(sound, await makeBroken(work, options.breakage, root), options);
    if (options.recordOnly === true) return { rows: [], failures: [] };
    const chosen = recordings.filter(({ scenario }) => options.scenarios.some(({ name }) => name === scenario.name));
    return await withScratch((scratch) => look(chosen, { ...options, scratch, delivery }));
  });
  return { ...result, seconds: (performance.now() - started) / 1000 };
}

interface Delivery {
  directory: string;
  /** The disk that a guest gets. */
  delivery: string;
  programKey: string;
  root: GuestRoot;
}

async function makeDelivery(work: string, name: string, executable: string, root: GuestRoot): Promise<Delivery> {
  const directory = join(work, name);
  mkdirSync(join(work, `${name}.work`));
  await fillDelivery(directory, { executable, root, work: join(work, `${name}.work`) });
  const delivery = join(work, `${name}.img`);
  await packDelivery(directory, delivery);
  return { directory, delivery, root, programKey: keyOfFiles([executable]) };
}

async function makeBroken(work: string, breakage: Breakage, root: GuestRoot): Promise<Delivery> {
  return await makeDelivery(work, breakage, await ensureBrokenProgram(breakage), root);
}

/** All scenarios that are asked for and those that they start from, each after what it starts from. */
async function recordAll(
  scenarios: readonly Scenario[],
  options: Delivery & Pick<CrashTestOptions, 'log' | 'jobs' | 'signal'>,
): Promise<Recording[]> {
  const wanted = new Map(scenarios.flatMap(({ name }) => withAncestors(name)).map((each) => [each.name, each]));
  const started = new Map<string, Promise<Recording>>();
  const slots = new Slots(guestsAtATime(options.jobs));
  const start = (scenario: Scenario): Promise<Recording> => {
    const known = started.get(scenario.name);
    if (known !== undefined) return known;
    const parent = scenario.startsFrom === undefined ? undefined : wanted.get(scenario.startsFrom);
    const recording = (async () => {
      const before = parent === undefined ? undefined : await start(parent);
      return await slots.use(() => {
        requireGoingOn(options);
        return record(scenario, { ...options, before });
      });
    })();
    started.set(scenario.name, recording);
    return recording;
  };
  const results = await Promise.allSettled([...wanted.values()].map(start));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** A guest has one processor. */
function guestsAtATime(jobs = availableParallelism()): number {
  return Math.max(1, Math.min(jobs, 2));
}

/** The scenarios that are asked for, recorded by another program on the sound program's disks. */
async function recordBroken(
  sound: readonly Recording[],
  delivery: Delivery,
  { scenarios, log, signal }: Pick<CrashTestOptions, 'scenarios' | 'log' | 'signal'>,
): Promise<Recording[]> {
  const recordings: Recording[] = [];
  for (const scenario of scenarios) {
    const before = sound.find(({ scenario: { name } }) => name === scenario.startsFrom);
    recordings.push(await record(scenario, { ...delivery, before, log, signal }));
  }
  return recordings;
}

/** @throws HoldfastError HF-INTERRUPTED after a signal. */
function requireGoingOn({ signal }: Pick<CrashTestOptions, 'signal'>): void {
  if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted; nothing is left behind');
}

class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

type LookOptions = CrashTestOptions & { scratch: string; delivery: Delivery };

interface Looked {
  recording: Recording;
  row: Row;
  results: Examined[];
}

async function look(
  recordings: readonly Recording[],
  options: LookOptions,
): Promise<Pick<CrashTestResult, 'rows' | 'failures'>> {
  const looked: Looked[] = [];
  for (const [index, recording] of recordings.entries()) {
    // What one share loses to rounding the next ones get.
    const share = (at: number) => Math.round((at * options.states) / recordings.length);
    looked.push(await lookAtOne(recording, share(index + 1) - share(index), options));
  }
  const failures = looked.flatMap(({ recording, results }) =>
    results.flatMap(({ point, findings }) => findings.map((finding) => toFailure(recording, point.name, finding))),
  );
  failures.push(...(await again(looked, options)), ...(await boot(looked, options)));
  return { rows: looked.map(({ row }) => row), failures };
}

function toFailure({ scenario }: Recording, state: string, finding: Examined['findings'][number]): Failure {
  return { scenario: scenario.name, state, ...finding };
}

async function lookAtOne(recording: Recording, states: number, options: LookOptions): Promise<Looked> {
  requireGoingOn(options);
  const { scenario } = recording;
  const entries = readLog(recording.log);
  const points = chooseCutPoints(entries, states, options.seed);
  options.log(`${scenario.title}: ${points.length} states`);
  const { scratch, jobs = availableParallelism() } = options;
  const finishedFrom = lastBoundary(entries, recording.doneBytes);
  const results = await examineAll(recording, points, { scratch, jobs, finishedFrom, signal: options.signal });
  requireGoingOn(options);
  const failed = results.filter(({ findings }) => findings.length > 0);
  const failures: Row['failures'] = {};
  for (const { findings } of failed) {
    for (const kind of new Set(findings.map(({ kind }) => kind))) failures[kind] = (failures[kind] ?? 0) + 1;
  }
  const row: Row = {
    name: scenario.name,
    title: scenario.title,
    writes: entries.filter(({ kind }) => kind !== 'flush').length,
    flushes: entries.filter(({ kind }) => kind === 'flush').length,
    states: results.length,
    atFlushes: results.filter(({ point }) => point.kind === 'flush').length,
    bootable: results.filter(({ bootable }) => bootable).length,
    again: 0,
    booted: 0,
    failures,
    failedStates: failed.length,
  };
  return { recording, row, results };
}

/** Where the last flush before the command's end leaves off: from there on nothing of its work may be missing. */
function lastBoundary(entries: readonly LogEntry[], doneBytes: number): number {
  let last = 0;
  for (const [index, { kind, dataAt }] of entries.entries()) {
    if (dataAt > doneBytes) break;
    if (kind === 'flush') last = index + 1;
  }
  return last;
}

/** Does the commands again on states that are spread over all recordings. */
async function again(looked: readonly Looked[], options: LookOptions): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const { one, examined } of sample(looked, options.again, options.seed + 1, () => true)) {
    requireGoingOn(options);
    options.log(`again: ${one.recording.scenario.title}, ${examined.point.name}`);
    const findings = await doAgain({ recording: one.recording, ...examined }, options);
    one.row.again += 1;
    note(one, examined, findings, failures);
  }
  return failures;
}

async function boot(looked: readonly Looked[], options: LookOptions): Promise<Failure[]> {
  const failures: Failure[] = [];
  const canBoot = ({ boots, findings }: Examined) => boots !== undefined && findings.length === 0;
  let firmware: 'uefi' | 'bios' = 'uefi';
  for (const { one, examined } of sample(looked, options.boots, options.seed + 2, canBoot)) {
    requireGoingOn(options);
    options.log(`boot by ${firmware}: ${one.recording.scenario.title}, ${examined.point.name}`);
    const findings = await reallyBoot({ recording: one.recording, examined }, { ...options, firmware });
    one.row.booted += 1;
    note(one, examined, findings, failures);
    // An install that is cut between the two has only the one.
    firmware = firmware === 'uefi' && one.recording.scenario.name !== 'install' ? 'bios' : 'uefi';
  }
  return failures;
}

function note(one: Looked, examined: Examined, findings: Examined['findings'], failures: Failure[]): void {
  for (const finding of findings) {
    one.row.failures[finding.kind] = (one.row.failures[finding.kind] ?? 0) + 1;
    failures.push(toFailure(one.recording, examined.point.name, finding));
  }
  if (findings.length > 0 && examined.findings.length === 0) one.row.failedStates += 1;
}

/** So many states, one recording after the other, at random within each. */
function sample(
  looked: readonly Looked[],
  count: number,
  seed: number,
  fits: (examined: Examined) => boolean,
): { one: Looked; examined: Examined }[] {
  const random = randomNumbers(seed);
  const left = looked.map((one) => ({ one, states: one.results.filter(fits) }));
  const chosen: { one: Looked; examined: Examined }[] = [];
  for (let turn = 0; chosen.length < count && left.some(({ states }) => states.length > 0); turn++) {
    const { one, states } = left[turn % left.length] ?? { one: undefined, states: [] };
    const [examined] = states.splice(Math.floor(random() * states.length), 1);
    if (one !== undefined && examined !== undefined) chosen.push({ one, examined });
  }
  return chosen;
}
