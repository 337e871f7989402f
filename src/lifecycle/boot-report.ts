// What is to be said of the boot that this machine is running: which slot, how its stages went, what of the layout
// could not be had, and which slot did not start before it. All of it is read from /run; it works on any machine, and a
// file that isn't there is "unknown", not an error. Stages of the boot read it, so it loads nothing.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AttachedOverlay, parseAttachedOverlay, troubleOfOverlay } from '../boot/attached-overlay.ts';
import { type LayoutRecord, parseLayoutRecord } from '../boot/layout-record.ts';
import { readFingerprint } from '../overlay/fingerprint.ts';
import { SLOT_FILES } from '../slots/names.ts';
import { readRecords, type StageRecord } from '../stages/stagerecord.ts';
import { readTextWithin } from '../system/boundedtext.ts';
import { errnoOf, messageOf } from '../system/errors.ts';
import { type AssessmentReport, describeAssessment, parseAssessmentReport, REPORT_FILE } from './assessment-report.ts';
import { bootId, describePending, judgePending, readPendingCarry } from './pending-carry.ts';

/** First match wins, as in cOS-toolkit: a recovery or live system may be told apart by a second file only. */
export const BOOT_MODES = ['recovery', 'live', 'passive', 'active'] as const;
export type BootMode = (typeof BOOT_MODES)[number];

/** A slot that was tried before this one and did not start. */
export interface FailedSlot {
  slot: string;
  reason: string;
}

export interface BootReport {
  /** By the mode files in /run/cos; undefined where nothing wrote one: a container, an ordinary system. */
  mode: BootMode | undefined;
  /** Those that have run, in the order of a boot. */
  stages: readonly StageRecord[];
  /** What was mounted, and what differs from the wish; undefined where no initramfs of ours mounted anything. */
  layout: LayoutRecord | undefined;
  failedSlots: readonly FailedSlot[];
  /** What became of the root overlay; undefined where none was asked for. */
  overlay?: AttachedOverlay | undefined;
  /** What became of this boot's assessment; undefined for an ordinary boot. */
  assessment?: AssessmentReport | undefined;
  /** What an upgrade could not carry of a root overlay, as a sentence. */
  overlayCarry?: string;
  /** Where stages leave what they print; undefined where a journal has it (OpenRC has none). */
  logs: string | undefined;
  /** What of all this could not be read. */
  problems: readonly string[];
}

const MAX_BYTES = 1 << 20;

/** @param run another directory instead of /run, for tests. */
export function readBootReport(run = '/run'): BootReport {
  const problems: string[] = [];
  const attempt = <T>(read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch (error) {
      problems.push(messageOf(error));
      return otherwise;
    }
  };
  const mode = BOOT_MODES.find((each) => existsSync(join(run, `cos/${each}_mode`)));
  return {
    mode,
    stages: attempt(() => readRecords(join(run, 'holdfast/stages')), []).map(asItIs),
    layout: attempt(() => readLayout(join(run, 'holdfast/layout.json')), undefined),
    failedSlots: attempt(() => readFailedSlots(join(run, 'holdfast/boot_failure')), []).filter(
      ({ slot }) => slot !== mode,
    ),
    ...attempt(() => readOverlay(join(run, 'cos/rootoverlay')), {}),
    ...attempt(() => readAssessment(join(run, REPORT_FILE)), {}),
    ...attempt(() => readCarry(join(run, 'initramfs/cos-state')), {}),
    logs: existsSync(join(run, 'holdfast/log')) ? join(run, 'holdfast/log') : undefined,
    problems,
  };
}

/** A stage whose process is gone without an end: killed, or out of memory. */
function asItIs(record: StageRecord): StageRecord {
  const { pid, ...rest } = record;
  if (record.outcome !== 'running' || pid === undefined || runsStage(pid)) return record;
  return { ...rest, outcome: 'failed', failures: [{ message: 'its process ended before the stage did' }] };
}

/** A number may belong to another process by now. */
function runsStage(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('run-stage');
  } catch {
    return false;
  }
}

/** The initramfs keeps it in GRUB's environment and puts a copy here. */
function readFailedSlots(file: string): FailedSlot[] {
  return parseFailedSlots(textOf(file) ?? '');
}

/** Parses the variable `boot_failure`: `SLOT:REASON`, separated by semicolons. */
export function parseFailedSlots(text: string): FailedSlot[] {
  return text
    .trim()
    .split(';')
    .filter((entry) => entry.includes(':'))
    .map((entry) => {
      const at = entry.indexOf(':');
      return { slot: entry.slice(0, at).trim(), reason: entry.slice(at + 1).trim() };
    });
}

function readLayout(file: string): LayoutRecord | undefined {
  const text = textOf(file);
  return text === undefined ? undefined : parseLayoutRecord(text);
}

function readOverlay(file: string): Pick<BootReport, 'overlay'> {
  const text = textOf(file);
  return text === undefined ? {} : { overlay: parseAttachedOverlay(text) };
}

function readAssessment(file: string): Pick<BootReport, 'assessment'> {
  const assessment = parseAssessmentReport(textOf(file) ?? '');
  return assessment === undefined ? {} : { assessment };
}

function readCarry(stateDirectory: string): Pick<BootReport, 'overlayCarry'> {
  const pending = readPendingCarry(stateDirectory);
  if (pending === undefined) return {};
  const active = join(stateDirectory, SLOT_FILES.active);
  const standing = judgePending(pending, {
    active: existsSync(active) ? readFingerprint(active) : undefined,
    bootId: bootId(),
  });
  const sentence = describePending(pending, standing);
  return sentence === undefined ? {} : { overlayCarry: sentence };
}

function textOf(file: string): string | undefined {
  try {
    return readTextWithin(file, MAX_BYTES);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Everything that is wrong with this boot, a sentence each, without what programs printed: anybody may read it. */
export function troublesOf(report: BootReport): string[] {
  const { stages, layout, failedSlots, mode, assessment, overlay, overlayCarry } = report;
  return [
    ...(overlayCarry === undefined ? [] : [overlayCarry]),
    ...[describeAssessment(assessment)].filter((sentence) => sentence !== undefined),
    ...failedSlots.map((failed) => describeFailedSlot(failed, mode)),
    ...[troubleOfOverlay(overlay)].filter((sentence) => sentence !== undefined),
    ...describeLayout(layout),
    ...stages.filter(({ outcome }) => outcome === 'failed').map(describeFailedStage),
  ];
}

/** What of the layout is not as it was asked for; none where all is, or where there is no layout. */
export function describeLayout(layout: LayoutRecord | undefined): readonly string[] {
  if (layout?.outcome !== 'failed') return layout?.notices ?? [];
  return [`The layout could not be mounted: ${layout.reason ?? 'the reason is unknown'}`, ...layout.notices];
}

export function describeFailedSlot({ slot, reason }: FailedSlot, mode: BootMode | undefined): string {
  const here = mode === undefined ? '' : ` This is ${mode}.`;
  return `The ${slot} slot did not start at an earlier boot: ${reason}.${here}`;
}

/** `Stage boot: 2 steps failed, first /oem/90_custom.yaml:12:7 "Install things"`. */
export function describeFailedStage({ stage, counts, failures }: StageRecord): string {
  const [first] = failures;
  const counted = [
    ...(counts.failed > 0 ? [`${plural(counts.failed, 'step')} failed`] : []),
    ...(counts.errors > 0 ? [`${plural(counts.errors, 'error')} in stage files`] : []),
  ];
  if (counted.length === 0) return `Stage ${stage} did not finish: ${first?.message ?? 'the reason is unknown'}`;
  const name = first?.name === undefined ? '' : ` "${first.name}"`;
  const place = first?.file === undefined ? '' : `${first.file}:${first.line ?? 1}:${first.column ?? 1}${name}`;
  const lead = counts.failed + counts.errors > 1 ? ', first ' : ': ';
  return `Stage ${stage}: ${counted.join(', ')}${place === '' ? '' : lead + place}`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
