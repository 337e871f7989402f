// `holdfast status`: what is booted, how the boot went, and what each slot holds.

import { describeAssessment } from '../lifecycle/assessment-report.ts';
import { type BootReport, describeFailedSlot, describeFailedStage, describeLayout } from '../lifecycle/boot-report.ts';
import { CHECK_STATUS } from '../lifecycle/check-status.ts';
import { type Judgement, judgeStatus } from '../lifecycle/judge-status.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { inspectStatus, type MachineStatus, type SlotStatus } from '../lifecycle/status.ts';
import { describeRunning } from '../overlay/describe-running.ts';
import { troubleOf } from '../overlay/running.ts';
import { INITRAMFS_STAGES, type StageFailure, type StageRecord } from '../stages/stagerecord.ts';
import { oneLine } from '../system/oneline.ts';
import type { CommandContext } from './program.ts';
import { healthLines, lastActionLines, pendingLines, row, spaceLines } from './status-changes.ts';

interface StatusFlags {
  check?: boolean;
}

export async function statusCommand({ reporter }: CommandContext, _: string[], flags: StatusFlags): Promise<number> {
  const status = await inspectStatus();
  const check = judgeStatus(status);
  reporter.result({ ...status, check }, [...(flags.check ? checkLines(check) : []), ...statusLines(status)]);
  // Scripts that only look have always got 0.
  return flags.check ? CHECK_STATUS[check.outcome] : 0;
}

/** What monitoring shows is the first line. */
export function checkLines({ outcome, troubles, warnings }: Judgement): string[] {
  const [first] = [...troubles, ...warnings];
  const count = troubles.length + warnings.length;
  const more = count > 1 ? ` (and ${count - 1} more)` : '';
  return [row(outcome.toUpperCase(), first === undefined ? 'nothing is wrong' : oneLine(first, MAX_CHARACTERS) + more)];
}

/** As wide as words are here. */
const WIDTH = 10;
/** A step's name may be a text of its own. */
const MAX_CHARACTERS = 300;

/** The status of a machine as lines of text. */
export function statusLines(status: MachineStatus): string[] {
  const { boot, slots, problems, unknown } = status;
  return [
    row('booted', bootedWords(status)),
    ...assessmentLines(boot),
    ...(boot.overlayCarry === undefined ? [] : [row('OVERLAY', oneLine(boot.overlayCarry, 2 * MAX_CHARACTERS))]),
    ...boot.failedSlots.map((failed) => row('FAILED', describeFailedSlot(failed, boot.mode))),
    ...stageLines(boot),
    ...layoutLines(boot),
    ...overlayLines(status.overlay),
    ...slots.flatMap((slot) => [slotLine(slot, status), ...trustLines(slot)]),
    ...healthLines(status),
    ...pendingLines(status),
    ...lastActionLines(status),
    ...spaceLines(status),
    ...problems.map((problem) => row('PROBLEM', problem)),
    ...unknown.map((what) => row('unknown', what)),
  ];
}

function bootedWords({ booted, boot }: MachineStatus): string {
  if (booted.slot !== undefined) return booted.slot;
  if (boot.mode === 'live') return 'live system, from a medium or the network';
  // A recovery system may come from a squashfs, which no loop device of the root tells.
  return boot.mode ?? 'not from a slot';
}

function assessmentLines({ assessment }: BootReport): string[] {
  if (assessment === undefined) return [];
  const { outcome, checks, at, problem } = assessment;
  const trouble = describeAssessment(assessment);
  const failed = checks.filter((check) => check.outcome === 'failed');
  const indent = ' '.repeat(WIDTH + 1);
  const told: Readonly<Record<string, string>> = {
    running: `this system is on trial since ${at}`,
    passed: `this system has proved on ${at} that it works (${checks.length} checks)`,
    'put-back': 'this system was chosen by hand; the trial of the new one is still due',
  };
  return [
    trouble === undefined
      ? row('assessed', told[outcome] ?? outcome)
      : row(outcome === 'fallback' ? 'FALLBACK' : 'FAILED', oneLine(trouble, MAX_CHARACTERS)),
    ...failed.flatMap(({ name, message, outputTail }) => [
      `${indent}${name}: ${message}`,
      ...(outputTail === undefined ? [] : outputTail.split('\n').map((text) => `${indent}  | ${text}`)),
    ]),
    ...(outcome === 'fallback'
      ? [`${indent}mend the image and upgrade to it, or: holdfast boot --default active`]
      : []),
    ...(problem === undefined ? [] : [row('PROBLEM', `GRUB could not be told that this system works: ${problem}`)]),
  ];
}

function stageLines({ stages, logs }: BootReport): string[] {
  if (stages.length === 0) return [row('stages', 'none of this boot is known')];
  const well = stages.filter(({ outcome }) => outcome === 'ok' || outcome === 'skipped').map(({ stage }) => stage);
  const running = stages.filter(({ outcome }) => outcome === 'running');
  return [
    ...(well.length > 0 ? [row('stages', `${well.join(', ')}: ok`)] : []),
    ...running.map(({ stage, startedAt }) => row('stages', `${stage}: running since ${startedAt}`)),
    ...stages.filter(({ outcome }) => outcome === 'failed').flatMap((record) => failedStageLines(record, logs)),
  ];
}

function failedStageLines(record: StageRecord, logs: string | undefined): string[] {
  const { stage, failures, furtherFailures } = record;
  const indent = ' '.repeat(WIDTH + 1);
  return [
    row('FAILED', oneLine(describeFailedStage(record), MAX_CHARACTERS)),
    ...(failures[0]?.file === undefined ? [] : failures.flatMap(failureLines)).map((line) => indent + line),
    ...(furtherFailures > 0 ? [`${indent}and ${furtherFailures} more`] : []),
    `${indent}all of it: ${logs === undefined ? `journalctl -b -u cos-setup-${stage}` : `${logs}/${stage}.log`}; ${again(stage)}`,
  ];
}

/** The first three belong to the initramfs and its root. */
function again(stage: StageRecord['stage']): string {
  return INITRAMFS_STAGES.some((each) => each === stage)
    ? 'it runs again at the next boot'
    : `when it is mended: holdfast run-stage ${stage}`;
}

function failureLines({ file, line = 1, column = 1, subStage, name, message, outputTail }: StageFailure): string[] {
  const place = `${file}:${line}:${column}${name === undefined ? '' : ` "${name}"`}`;
  return [
    oneLine(`${place}${subStage === undefined ? '' : ` (${subStage})`}`, MAX_CHARACTERS),
    ...message.split('\n').map((text) => `  ${text}`),
    ...(outputTail === undefined ? [] : outputTail.split('\n').map((text) => `  | ${text}`)),
  ];
}

function layoutLines({ layout }: BootReport): string[] {
  if (layout === undefined) return [];
  if (layout.outcome === 'skipped') return [row('layout', `none: ${layout.reason ?? 'it was not asked for'}`)];
  const troubles = describeLayout(layout);
  return troubles.length === 0 ? [row('layout', 'as asked')] : troubles.map((trouble) => row('LAYOUT', trouble));
}

function overlayLines(overlay: MachineStatus['overlay']): string[] {
  if (overlay === undefined) return [];
  const trouble = troubleOf(overlay);
  return [
    row('overlay', oneLine(describeRunning(overlay), MAX_CHARACTERS)),
    ...(trouble === undefined ? [] : [row('OVERLAY', oneLine(trouble, MAX_CHARACTERS))]),
  ];
}

/** Who vouches for a slot's image; nothing where nobody could be asked: trees, layouts, what others installed. */
function trustLines({ deployment }: SlotStatus): string[] {
  const [, ...voices] = (deployment?.verified ?? '').split('; ');
  const told = voices.filter((voice) => voice !== 'no signature (local source)');
  return told.map((voice) => `${' '.repeat(WIDTH + 1)}${oneLine(voice, MAX_CHARACTERS)}`);
}

function slotLine(slot: SlotStatus, { booted, rebootPending }: MachineStatus): string {
  const marks = [
    ...(slot.slot === booted.slot && !rebootPending ? ['running'] : []),
    ...(slot.slot === 'active' && rebootPending ? ['starts at the next reboot'] : []),
    ...(slot.sizeBytes === undefined ? [] : [formatBytes(slot.sizeBytes)]),
    ...(slot.deployment?.digest === undefined ? [] : [`${slot.deployment.digest.slice(0, 19)}…`]),
    ...(slot.problem === undefined ? [] : [`PROBLEM: ${slot.problem}`]),
  ];
  return row(slot.slot, `${slot.prettyName ?? 'unknown'}  (${marks.join(', ')})`);
}
