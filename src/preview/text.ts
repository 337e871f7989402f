// A plan for a terminal: one screen that has every subject in a line or a few, or all of it with --verbose. Pure.

import { type Paint, PLAIN } from '../system/paint.ts';
import type { EtcFile, PlanDocument, StagePart, StageStep } from './document.ts';
import {
  argumentsSentence,
  durationText,
  etcSentence,
  filesSentence,
  kernelSentence,
  movedSentence,
  overlaySentence,
  packagesSentence,
  packageText,
  roomSentence,
  SIGNS,
  STEP_WORDS,
  stageSentence,
  stepText,
  titleOf,
  trustSentence,
  unitsSentence,
  unitText,
  WINNER_WORDS,
  weightyFirst,
  writesSentence,
} from './summary.ts';

export interface TextOptions {
  verbose?: boolean;
  paint?: Paint;
}

/** So many lines of a list are on one screen. */
const SHOWN = 4;
const LABEL_WIDTH = 10;

export function planText(document: PlanDocument, { verbose = false, paint = PLAIN }: TextOptions = {}): string[] {
  const { id, packages, kernel, units, etc, stages, files, overlay, writes, cost, warnings } = document;
  const limit = verbose ? Number.POSITIVE_INFINITY : SHOWN;
  const line = (label: string, text: string) => `  ${label.padEnd(LABEL_WIDTH)} ${text}`;
  const list = (lines: readonly string[], more: string): string[] => {
    const cut =
      lines.length > limit
        ? [...lines.slice(0, limit - 1), paint.dim(`… ${lines.length - limit + 1} more ${more}`)]
        : lines;
    return cut.map((each) => line('', `  ${each}`));
  };
  const hasArguments = kernel.arguments.added.length + kernel.arguments.removed.length > 0;
  return [
    paint.bold(`Plan ${id}: ${titleOf(document)}`),
    line('image', document.next.source ?? 'unknown'),
    line(
      'trust',
      document.trust.verified ? trustSentence(document.trust) : paint.yellow(trustSentence(document.trust)),
    ),
    line('packages', packagesSentence(packages)),
    ...list(
      weightyFirst(packages.changes).map((change) => `${SIGNS[change.change]} ${packageText(change)}`),
      'packages',
    ),
    line('kernel', kernelSentence(kernel)),
    ...(hasArguments ? [line('', `  ${argumentsSentence(kernel)}`)] : []),
    line('units', unitsSentence(units)),
    ...list(units.map(unitText), 'units'),
    line('/etc', etcSentence(etc)),
    ...list(
      etc.files.flatMap((file) => etcLines(file, { verbose, paint })),
      'lines',
    ),
    ...stages
      .filter(({ steps }) => verbose || steps.length > 0)
      .flatMap((stage) => [
        line('stage', stageLine(stage)),
        ...(verbose ? stage.steps.map((step) => line('', `  ${stepLine(step)}`)) : []),
      ]),
    line('files', filesSentence(files)),
    ...(verbose
      ? files.paths.map(({ path, change, what }) =>
          line('', `  ${SIGNS[change]} ${path}${what.length > 0 ? ` (${what.join(', ')})` : ''}`),
        )
      : []),
    ...(overlay === null
      ? []
      : [
          line('overlay', overlaySentence(overlay)),
          ...(verbose ? overlay.report.map((each) => line('', `  ${each}`)) : []),
        ]),
    ...(writes.length === 0
      ? []
      : [
          line('writes', writesSentence(writes)),
          ...list(
            writes.filter(({ own }) => verbose || !own).map(({ path, what }) => `${path} ${what}`),
            'paths',
          ),
        ]),
    line('moved', movedSentence(cost)),
    ...cost.filesystems.map((filesystem) => line('room', roomSentence(filesystem))),
    line('time', `${durationText(cost.planning)} for the plan; applying: ${durationText(cost.applying)}`),
    line('passive', document.passive),
    ...warnings.map((text) => line('warning', paint.yellow(text))),
    ...(verbose
      ? document.apply.map(({ summary }, index) => line(index === 0 ? 'applying' : '', `${index + 1}. ${summary}`))
      : []),
    line('kept', 'nothing was switched; the new system waits for'),
    line('', `holdfast upgrade --apply ${id}`),
  ];
}

function etcLines(
  { path, change, winner, because, step, hunks, hidden }: EtcFile,
  { verbose, paint }: { verbose: boolean; paint: Paint },
): string[] {
  const who = step === undefined ? because : `${because}: ${stepText(step)}`;
  const head = `${SIGNS[change]} ${path}  ${paint.dim(verbose ? who : WINNER_WORDS[winner])}`;
  if (!verbose) return [head];
  if (hidden !== undefined) return [head, paint.dim(`    not shown: ${hidden}`)];
  return [head, ...(hunks ?? []).map((each) => `    ${colour(each, paint)}`)];
}

function stageLine(stage: StagePart): string {
  const where = stage.when === 'while planning' ? 'in the new system' : 'on this machine, when it is applied';
  return `${stage.hook} ${where}: ${stageSentence(stage)}`;
}

function stepLine({ outcome, reason, ...step }: StageStep): string {
  return `${STEP_WORDS[outcome].padEnd(8)} ${stepText(step)}${reason === undefined ? '' : `: ${reason}`}`;
}

function colour(line: string, paint: Paint): string {
  if (line.startsWith('+')) return paint.green(line);
  if (line.startsWith('-')) return paint.red(line);
  return line.startsWith('@@') ? paint.dim(line) : line;
}
