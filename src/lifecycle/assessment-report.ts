// What became of this boot's assessment, /run/holdfast/assessment.json: `holdfast assess` writes it, status and the login
// banner read it. Stages of the boot read it too, so it loads nothing.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AssessedBoot } from '../boot/assessment.ts';
import { writeFileDurably } from '../system/durable.ts';

export interface ReportedCheck {
  name: string;
  outcome: 'ok' | 'failed';
  message: string;
  outputTail?: string | undefined;
}

export interface AssessmentReport {
  boot: Exclude<AssessedBoot, 'none'>;
  /**
   * `running`: not decided yet. `passed`, `failed`: of this system. `fallback`: this system runs in place of one that
   * failed. `put-back`: another slot was chosen by hand, the trial is still due.
   */
  outcome: 'running' | 'passed' | 'failed' | 'fallback' | 'put-back';
  /** RFC 3339: since when that is so; of a fallback, when the other system failed. */
  at: string;
  /** The name of the system that this is about. */
  system?: string;
  /** Of what failed: one sentence without what programs printed. */
  reason?: string;
  checks: readonly ReportedCheck[];
  /** An ordinary boot is due again only when this was written: what went wrong in writing it down. */
  problem?: string;
}

export const REPORT_FILE = 'holdfast/assessment.json';
/** There when the deadline has nothing to watch any more. */
const ASSESSED_MARK = 'holdfast/assessed';

/** @param run another directory instead of /run, for tests. */
export function writeAssessmentReport(report: AssessmentReport, run = '/run'): void {
  mkdirSync(join(run, 'holdfast'), { recursive: true });
  // What checks printed may be meant for the owner alone.
  writeFileDurably(join(run, REPORT_FILE), `${JSON.stringify(report)}\n`, { mode: 0o600, name: 'later' });
}

/** Parses a report; undefined when it is damaged. */
export function parseAssessmentReport(text: string): AssessmentReport | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isReport(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const OUTCOMES = ['running', 'passed', 'failed', 'fallback', 'put-back'];

function isReport(value: unknown): value is AssessmentReport {
  return (
    typeof value === 'object' &&
    value !== null &&
    'outcome' in value &&
    typeof value.outcome === 'string' &&
    OUTCOMES.includes(value.outcome) &&
    'at' in value &&
    typeof value.at === 'string' &&
    'checks' in value &&
    Array.isArray(value.checks)
  );
}

/** To the minute: the line has to leave room for the reason. */
const shortTime = (at: string) => `${at.slice(0, 16).replace('T', ' ')} UTC`;

/** What is wrong, as a sentence that anybody may read; undefined when nothing is. */
export function describeAssessment(report: AssessmentReport | undefined): string | undefined {
  if (report === undefined) return undefined;
  const { outcome, at, system, reason } = report;
  const name = system === undefined ? '' : ` (${system})`;
  if (outcome === 'fallback') {
    return `This machine runs its fallback since the active system${name} failed on ${shortTime(at)}: ${reason ?? 'the reason is unknown'}.`;
  }
  if (outcome === 'failed')
    return `The system${name} did not prove that it works: ${reason ?? 'the reason is unknown'}.`;
  return undefined;
}

/** Tells the deadline that the verdict is there. */
export function markAssessed(run = '/run'): void {
  mkdirSync(join(run, 'holdfast'), { recursive: true });
  writeFileSync(join(run, ASSESSED_MARK), '');
}
