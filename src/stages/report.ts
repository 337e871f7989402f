// Results and problems of stages as lines for people: what went well is a number, what didn't has its place, its reason
// and the last words of its command.

import type { Problem } from '../cloudconfig/problem.ts';
import { renderLocation, type SourceLocation } from '../system/errors.ts';
import { type Paint, PLAIN } from '../system/paint.ts';
import type { StageResult, StepResult } from './result.ts';

export interface ReportOptions {
  paint?: Paint;
  /** Steps that were skipped are shown with their reasons, and files that were changed. */
  debug?: boolean;
}

/** A stage's result: the steps that failed, the problems of its files, and a summary as the last line. */
export function renderStageResult(result: StageResult, { paint = PLAIN, debug = false }: ReportOptions = {}): string[] {
  return [
    ...result.steps.flatMap((step) => renderStep(step, paint, debug)),
    ...renderProblems(result.problems, paint),
    summarize(result, paint),
  ];
}

/** Problems with their place, the line and a caret. */
export function renderProblems(problems: readonly Problem[], paint: Paint = PLAIN): string[] {
  return problems.flatMap(({ severity, message, hint, location }) => [
    `${severity === 'error' ? paint.red('error:') : paint.yellow('warning:')} ${message}`,
    ...indent(isWholeFile(location) ? location.file : renderLocation(location)),
    ...(hint === undefined ? [] : indent(`${paint.dim('hint:')} ${hint}`)),
  ]);
}

function renderStep({ subStage, file, line, name, ...step }: StepResult, paint: Paint, debug: boolean): string[] {
  const { outcome, reason, keys, changedFiles } = step;
  const place = `${file}:${line}${named(name)} (${subStage})`;
  if (outcome === 'ok') {
    return debug && changedFiles.length > 0
      ? [`${paint.green('changed:')} ${place}`, ...changedFiles.map((path) => `  ${path}`)]
      : [];
  }
  if (outcome === 'skipped') return debug ? [`${paint.dim('skipped:')} ${place}`, ...indent(reason ?? '')] : [];
  const head = `${paint.red('failed:')} ${place}`;
  const failed = keys.filter((key) => key.outcome === 'failed');
  if (failed.length === 0) return [head, ...indent(reason ?? '')];
  return [
    head,
    ...failed.flatMap(({ key, error = '', outputTail }) => [
      ...indent(`${key}: ${error}`),
      ...(outputTail === undefined ? [] : indent(outputTail, paint.dim('  | '))),
    ]),
  ];
}

function summarize({ stage, steps, problems, durationMs }: StageResult, paint: Paint): string {
  const count = (outcome: StepResult['outcome']) => steps.filter((step) => step.outcome === outcome).length;
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const warnings = problems.length - errors;
  const failed = `${count('failed')} failed`;
  const parts = [
    `${count('ok')} ok`,
    `${count('skipped')} skipped`,
    count('failed') > 0 ? paint.red(failed) : failed,
    ...(errors > 0 ? [paint.red(plural(errors, 'error'))] : []),
    ...(warnings > 0 ? [paint.yellow(plural(warnings, 'warning'))] : []),
  ];
  const what = steps.length === 0 && problems.length === 0 ? 'no step' : `steps: ${parts.join(', ')}`;
  return `stage ${stage}: ${what} (${Math.round(durationMs)} ms)`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'} in files`;
}

function named(name: string | undefined): string {
  return name === undefined ? '' : ` "${name}"`;
}

function indent(text: string, by = '  '): string[] {
  return text.split('\n').map((line) => by + line);
}

/** A file that can't be read has no line. */
function isWholeFile({ line, column, lineText }: SourceLocation): boolean {
  return line === 1 && column === 1 && lineText === undefined;
}
