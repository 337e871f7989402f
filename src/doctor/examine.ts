// `holdfast doctor`: all checks, one after the other, each whatever the others found. Nothing is changed.

import { join } from 'node:path';
import { CHECK_STATUS, type CheckOutcome } from '../lifecycle/check-status.ts';
import { RUN_DIRECTORY } from '../lifecycle/leftovers.ts';
import type { Labels } from '../slots/names.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { UndoStack } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import { checkBoot } from './boot-files.ts';
import { checkClock } from './clock.ts';
import { AREAS, type Area, type Finding, worstOf } from './finding.ts';
import { checkArguments } from './kernel-arguments.ts';
import { checkOverlay } from './overlay.ts';
import { checkPartitions } from './partitions.ts';
import { meetPatient, type Patient } from './patient.ts';
import { checkRecord } from './record.ts';
import { checkSettings } from './settings.ts';
import { checkSlots } from './slots.ts';
import { checkSpace } from './space.ts';
import { checkStageFiles } from './stage-files.ts';
import { checkThisBoot } from './this-boot.ts';
import { checkTools } from './tools.ts';
import { checkUnits } from './units.ts';

export interface Examination {
  outcome: CheckOutcome;
  exitStatus: number;
  findings: readonly Finding[];
  /** What could not be tidied up. */
  problems: readonly string[];
}

export interface ExamineOptions {
  labels: Labels;
  events: EventSink;
  signal: AbortSignal;
  command: string;
  /** Default: all. */
  areas?: readonly Area[];
}

const CHECKS: Readonly<Record<Area, (patient: Patient) => Finding[] | Promise<Finding[]>>> = {
  partitions: checkPartitions,
  slots: checkSlots,
  boot: checkBoot,
  'kernel arguments': checkArguments,
  tools: checkTools,
  space: checkSpace,
  'stage files': checkStageFiles,
  settings: checkSettings,
  units: checkUnits,
  'this boot': checkThisBoot,
  overlay: checkOverlay,
  record: checkRecord,
  clock: checkClock,
};

/**
 * Looks at everything, or at some areas.
 * @throws HoldfastError HF-TOOL-MISSING without the programs to look with, HF-INTERRUPTED.
 */
export async function examine(options: ExamineOptions): Promise<Examination> {
  requireTools(['blkid', 'flock', 'mount', 'umount']);
  const undo = new UndoStack();
  let findings: readonly Finding[];
  let problems: string[] = [];
  try {
    const workDirectory = join(RUN_DIRECTORY, `doctor-${process.pid}`);
    findings = await examinePatient(await meetPatient({ ...options, undo, workDirectory }), options.areas);
  } finally {
    problems = await undo.unwind(true);
  }
  const outcome = worstOf(findings);
  return { outcome, exitStatus: CHECK_STATUS[outcome], findings, problems };
}

/** The checks of some areas, or all of them. */
export async function examinePatient(patient: Patient, areas: readonly Area[] = AREAS): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const area of areas) {
    patient.events({ type: 'output', text: `looking at ${area}` });
    findings.push(...(await attempt(area, () => CHECKS[area](patient), patient.signal)));
  }
  return findings;
}

/** One check that can't look must not hide what the others see. */
async function attempt(
  area: Area,
  check: () => Finding[] | Promise<Finding[]>,
  signal: AbortSignal,
): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    if (signal.aborted || (error instanceof HoldfastError && error.code === 'HF-INTERRUPTED')) throw error;
    const hint = error instanceof HoldfastError ? error.hint : undefined;
    return [
      {
        area,
        outcome: 'warning',
        message: `could not be looked at: ${messageOf(error)}`,
        why: 'what is wrong there is not known',
        mend: hint ?? 'holdfast report packs what is needed to find out why',
      },
    ];
  }
}
