// Results, plans and problems of stages as lines for people: what went well is a number, what didn't has its place, its
// reason and the last words of its command.

import type { Problem } from '../cloudconfig/problem.ts';
import { renderLocation, type SourceLocation } from '../system/errors.ts';
import { type Paint, PLAIN } from '../system/paint.ts';
import type { StagePlan } from './plan.ts';
import type { StageResult, StepResult } from './result.ts';

/** A stage's result: one line per failed or skipped step, the problems of its files, and a summary as the last line. */
export function renderStageResult(result: StageResult): string[] {
  return [...result.steps.flatMap(renderStep), ...renderProblems(result.problems), summarize(result)];
}

/** Problems with their place, the line and a caret. */
export function renderProblems(problems: readonly Problem[], paint: Paint = PLAIN): string[] {
  return problems.flatMap(({ severity, message, hint, location }) => [
    `${severity === 'error' ? paint.red('error:') : paint.yellow('warning:')} ${message}`,
    ...indent(isWholeFile(location) ? location.file : renderLocation(location)),
    ...(hint === undefined ? [] : indent(`${paint.dim('hint:')} ${hint}`)),
  ]);
}

/** A plan: its steps in order, each with its conditions and what its keys would do. */
export function renderStagePlan(plan: StagePlan): string[] {
  const steps = plan.steps.flatMap(({ subStage, file, line, name, conditions, keys }, index) => [
    `${index + 1}. ${subStage}: ${file}:${line}${named(name)}`,
    ...conditions.map((condition) => `   only with ${condition}`),
    ...keys.flatMap(({ key, actions, problem }) =>
      problem === undefined ? actions.map((action) => `   ${key}: ${action}`) : [`   ${key}: ${problem}`],
    ),
  ]);
  const nothing = plan.steps.length === 0 ? [`stage ${plan.stage}: there is no step`] : [];
  return [...steps, ...nothing, ...renderProblems(plan.problems)];
}

function renderStep({ subStage, file, line, name, outcome, reason, keys }: StepResult): string[] {
  if (outcome === 'ok') return [];
  const head = `${outcome}: ${file}:${line}${named(name)} (${subStage})`;
  const failed = keys.filter((key) => key.outcome === 'failed');
  if (failed.length === 0) return [`${head}: ${reason ?? ''}`];
  return [
    head,
    ...failed.flatMap(({ key, error = '', outputTail }) => [
      ...indent(`${key}: ${error}`),
      ...(outputTail === undefined ? [] : indent(outputTail, '    ')),
    ]),
  ];
}

function summarize({ stage, steps, problems, durationMs }: StageResult): string {
  const count = (outcome: StepResult['outcome']) => steps.filter((step) => step.outcome === outcome).length;
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const warnings = problems.length - errors;
  const parts = [
    `${count('ok')} ok`,
    `${count('skipped')} skipped`,
    `${count('failed')} failed`,
    ...(errors > 0 ? [plural(errors, 'error')] : []),
    ...(warnings > 0 ? [plural(warnings, 'warning')] : []),
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
