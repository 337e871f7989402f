// What a stage leaves behind when it runs on the machine that it belongs to: its record, the login banner, and, as a unit
// of the boot, a line on the console. Nothing of this may stop a stage: what can't be written is a warning.

import { existsSync } from 'node:fs';
import { readBootReport } from '../lifecycle/boot-report.ts';
import { refreshBanner } from '../lifecycle/login-banner.ts';
import type { StageResult } from '../stages/result.ts';
import { noteChanges } from '../stages/stagechanges.ts';
import {
  type BootStage,
  brokenOffRecord,
  finishedRecord,
  isBootStage,
  readRecord,
  runningRecord,
  type StageRecord,
  writeRecord,
} from '../stages/stagerecord.ts';
import { messageOf } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import type { Root } from '../system/root.ts';
import { consoleLine, tellConsoles } from './console-line.ts';
import { isThisMachine } from './keep-stage.ts';

/** Whether a run of this stage on this root is a stage of this machine's boot, whoever asked for it. */
export function isStageOfThisBoot(stage: string, root: Root): stage is BootStage {
  return isBootStage(stage) && isThisMachine(root);
}

/**
 * Runs a stage of this boot and records it.
 * @param options.console a stage that failed is told there, unless the last run of it was told in the same words.
 * @throws whatever `run` throws, which is recorded as well.
 */
export async function recordStage(
  stage: BootStage,
  run: () => Promise<StageResult>,
  { events, console }: { events: EventSink; console: boolean },
): Promise<StageResult> {
  const carefully = <T>(what: string, work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      events({ type: 'notice', level: 'warning', text: `${what}: ${messageOf(error)}` });
      return undefined;
    }
  };
  const startedAt = new Date().toISOString();
  const told = carefully('the last record of this stage can’t be read', () => readRecord(stage))?.told;
  const keep = (record: StageRecord) =>
    carefully('this stage can’t be recorded', () => writeRecord({ ...record, ...(told !== undefined && { told }) }));
  const end = (record: StageRecord) => {
    const line = consoleLine(record);
    const isNew = console && line !== undefined && line !== told;
    if (isNew) carefully('the console can’t be told', () => tellConsoles(line));
    const next = line === undefined ? undefined : isNew ? line : told;
    carefully('this stage can’t be recorded', () => writeRecord({ ...record, ...(next && { told: next }) }));
    // The initramfs has no login.
    if (existsSync('/etc/initrd-release')) return;
    carefully('the login banner can’t be written', () => refreshBanner(readBootReport()));
  };
  keep(runningRecord(stage, startedAt, process.pid));
  let result: StageResult;
  try {
    result = await run();
  } catch (error) {
    end(brokenOffRecord(stage, startedAt, messageOf(error)));
    throw error;
  }
  carefully('what this stage wrote can’t be noted', () => noteChanges(stage, result, new Date().toISOString()));
  end(finishedRecord(stage, startedAt, result));
  return result;
}
