// What came of a stage of this boot, kept in /run until the next one: `status`, the login banner and the console read it,
// so it is small whatever a stage prints, and replaced as a whole. The journal has everything.

import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readTextWithin } from '../system/boundedtext.ts';
import { writeFileDurably } from '../system/durable.ts';
import { errnoOf } from '../system/errors.ts';
import type { Outcome } from '../system/events.ts';
import type { StageResult } from './result.ts';

/** Goes with /run from the initramfs to the running system. */
export const RECORD_DIRECTORY = '/run/holdfast/stages';

/** The stages of a boot, in their order (cOS-toolkit 0.8.10; `pre-rootfs` is elemental-toolkit 2's). */
export const BOOT_STAGES = ['pre-rootfs', 'rootfs', 'initramfs', 'fs', 'boot', 'network', 'reconcile'] as const;
/** Those that run before the system has its root. */
export const INITRAMFS_STAGES: readonly BootStage[] = ['pre-rootfs', 'rootfs', 'initramfs'];

export type BootStage = (typeof BOOT_STAGES)[number];

export function isBootStage(stage: string): stage is BootStage {
  return BOOT_STAGES.some((each) => each === stage);
}

/** A step or file that failed. */
export interface StageFailure {
  /** Absent when the stage itself was broken off. */
  file?: string;
  line?: number;
  column?: number;
  /** `boot.before`, `boot` or `boot.after`; absent for a file that can't be used at all. */
  subStage?: string;
  /** The step's name. */
  name?: string;
  /** One or more sentences, secrets masked. */
  message: string;
  /** The last words of a command that failed. */
  outputTail?: string;
}

export interface StageRecord {
  stage: BootStage;
  /** `running` also says so of a process that is no more: see {@link pid}. */
  outcome: Outcome | 'running';
  /** RFC 3339; early in a boot the clock may be wrong. */
  startedAt: string;
  /** Of the process that runs the stage, while it does. */
  pid?: number;
  durationMs?: number;
  counts: { ok: number; skipped: number; failed: number; errors: number; warnings: number };
  /** The first ones. */
  failures: readonly StageFailure[];
  /** How many failures there are beside those. */
  furtherFailures: number;
  /** What the console was told, so that a stage that fails each hour in the same way says it once. */
  told?: string;
}

const LIMITS = { failures: 20, text: 1000, outputTail: 2000 };
/** Far above what a record can have. */
const MAX_BYTES = 1 << 20;

const NOTHING = { ok: 0, skipped: 0, failed: 0, errors: 0, warnings: 0 };

/** A stage that has begun. */
export function runningRecord(stage: BootStage, startedAt: string, pid: number): StageRecord {
  return { stage, outcome: 'running', startedAt, pid, counts: NOTHING, failures: [], furtherFailures: 0 };
}

/** A stage that was broken off, by a signal or an error of its own. */
export function brokenOffRecord(stage: BootStage, startedAt: string, message: string): StageRecord {
  const failures = [{ message: cut(message) }];
  return { stage, outcome: 'failed', startedAt, counts: NOTHING, failures, furtherFailures: 0 };
}

/** A stage that came to its end. */
export function finishedRecord(stage: BootStage, startedAt: string, result: StageResult): StageRecord {
  const { outcome, steps, problems, durationMs } = result;
  const count = (wanted: Outcome) => steps.filter((step) => step.outcome === wanted).length;
  const errors = problems.filter(({ severity }) => severity === 'error');
  const failures = failuresOf(result);
  return {
    stage,
    outcome,
    startedAt,
    durationMs: Math.round(durationMs),
    counts: {
      ok: count('ok'),
      skipped: count('skipped'),
      failed: count('failed'),
      errors: errors.length,
      warnings: problems.length - errors.length,
    },
    failures: failures.slice(0, LIMITS.failures),
    furtherFailures: Math.max(0, failures.length - LIMITS.failures),
  };
}

/** Steps first: they are what people wrote to happen. */
function failuresOf({ steps, problems }: StageResult): StageFailure[] {
  const failed = steps.filter(({ outcome }) => outcome === 'failed');
  const errors = problems.filter(({ severity }) => severity === 'error');
  return [
    ...failed.map(({ file, line, column, subStage, name, reason, keys }) => {
      const broken = keys.filter(({ outcome }) => outcome === 'failed');
      const message = broken.map(({ key, error = '' }) => `${key}: ${error}`).join('; ') || (reason ?? '');
      const outputTail = broken.flatMap(({ outputTail: tail }) => (tail === undefined ? [] : [tail])).join('\n');
      return {
        file: cut(file),
        line,
        column,
        subStage: cut(subStage),
        ...(name === undefined ? {} : { name: cut(name) }),
        message: cut(message),
        ...(outputTail === '' ? {} : { outputTail: outputTail.slice(-LIMITS.outputTail) }),
      };
    }),
    ...errors.map(({ message, stage, location: { file, line, column } }) => ({
      file: cut(file),
      line,
      column,
      ...(stage === undefined ? {} : { subStage: cut(stage) }),
      message: cut(message),
    })),
  ];
}

function cut(text: string): string {
  return text.length <= LIMITS.text ? text : `${text.slice(0, LIMITS.text - 1)}…`;
}

/** Replaces a stage's record. Only root reads it: commands print what they like. */
export function writeRecord(record: StageRecord, directory = RECORD_DIRECTORY): void {
  mkdirSync(directory, { recursive: true });
  writeFileDurably(join(directory, `${record.stage}.json`), `${JSON.stringify(record)}\n`, {
    mode: 0o600,
    name: 'later',
  });
}

/** The record of one stage; undefined when it hasn't run, or its file is none of ours. */
export function readRecord(stage: BootStage, directory = RECORD_DIRECTORY): StageRecord | undefined {
  try {
    return parseRecord(stage, readTextWithin(join(directory, `${stage}.json`), MAX_BYTES));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** All records in the order of a boot. */
export function readRecords(directory = RECORD_DIRECTORY): StageRecord[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  return BOOT_STAGES.filter((stage) => names.includes(`${stage}.json`)).flatMap(
    (stage) => readRecord(stage, directory) ?? [],
  );
}

/** By hand: the boot reads these, and a schema library would cost more than the stage. What is no record is none. */
function parseRecord(stage: BootStage, text: string): StageRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const read = fieldsOf(value);
  const outcome = (['ok', 'skipped', 'failed', 'running'] as const).find((each) => each === read.text('outcome'));
  if (outcome === undefined) return undefined;
  const counts = fieldsOf(read.value('counts'));
  const pid = read.number('pid');
  const durationMs = read.number('durationMs');
  const told = read.text('told');
  const failures = read.value('failures');
  return {
    stage,
    outcome,
    startedAt: read.text('startedAt') ?? '',
    ...(pid === undefined ? {} : { pid }),
    ...(durationMs === undefined ? {} : { durationMs }),
    counts: {
      ok: counts.number('ok') ?? 0,
      skipped: counts.number('skipped') ?? 0,
      failed: counts.number('failed') ?? 0,
      errors: counts.number('errors') ?? 0,
      warnings: counts.number('warnings') ?? 0,
    },
    failures: Array.isArray(failures) ? failures.map(parseFailure) : [],
    furtherFailures: read.number('furtherFailures') ?? 0,
    ...(told === undefined ? {} : { told }),
  };
}

function parseFailure(value: unknown): StageFailure {
  const read = fieldsOf(value);
  const texts = (['file', 'subStage', 'name', 'outputTail'] as const).map((key) => [key, read.text(key)]);
  const numbers = (['line', 'column'] as const).map((key) => [key, read.number(key)]);
  return {
    message: read.text('message') ?? '',
    ...Object.fromEntries([...texts, ...numbers].filter(([, field]) => field !== undefined)),
  };
}

function fieldsOf(value: unknown) {
  const fields = new Map<string, unknown>(typeof value === 'object' && value !== null ? Object.entries(value) : []);
  return {
    value: (key: string) => fields.get(key),
    text: (key: string) => {
      const field = fields.get(key);
      return typeof field === 'string' ? field : undefined;
    },
    number: (key: string) => {
      const field = fields.get(key);
      return typeof field === 'number' ? field : undefined;
    },
  };
}
