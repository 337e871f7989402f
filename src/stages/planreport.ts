// A stage's plan for people: the sources, then the steps along a line from top to bottom in the order in which they run,
// each with what it waits for, what keeps it from running, and what it would do.

import { type Paint, PLAIN } from '../system/paint.ts';
import type { PlannedKey, PlannedSource, PlannedStep, StagePlan } from './plan.ts';
import { renderProblems } from './report.ts';

/** A text that templates have changed is cut off after this many lines. */
const SHOWN_LINES = 12;

const MARKS: Readonly<Record<PlannedStep['outcome'], string>> = { run: '●', depends: '◐', skip: '○', fail: '✗' };

/** A plan as lines; the last one is a summary. */
export function renderStagePlan(plan: StagePlan, paint: Paint = PLAIN): string[] {
  const { stage, sources, steps, problems } = plan;
  const width = String(steps.length).length;
  return [
    ...(sources.length > 0 ? [paint.bold('sources'), ...renderSources(sources, paint), ''] : []),
    ...inSubStages(steps).flatMap((own) => [
      paint.bold(own[0]?.subStage ?? ''),
      ...own.flatMap((step, index) => renderStep(step, { width, isLast: index === own.length - 1, paint })),
      '',
    ]),
    ...renderProblems(problems, paint),
    summarize(stage, steps),
  ];
}

/** Steps that follow each other in one sub-stage; what the command line adds comes to each of them once more. */
function inSubStages(steps: readonly PlannedStep[]): readonly (readonly PlannedStep[])[] {
  const groups: PlannedStep[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    if (last?.[0]?.subStage === step.subStage) last.push(step);
    else groups.push([step]);
  }
  return groups;
}

function renderSources(sources: readonly PlannedSource[], paint: Paint): string[] {
  const width = Math.max(...sources.map(({ name }) => name.length));
  return sources.map(({ name, files }) => {
    const state = files === undefined ? 'not there' : files.length === 1 ? '1 file' : `${files.length} files`;
    return `  ${name.padEnd(width)}  ${files === undefined || files.length === 0 ? paint.dim(state) : state}`;
  });
}

function renderStep(
  { number, subStage: _, file, line, name, after, outcome, reason, conditions, keys }: PlannedStep,
  { width, isLast, paint }: { width: number; isLast: boolean; paint: Paint },
): string[] {
  const colour = { run: paint.green, depends: paint.yellow, skip: paint.dim, fail: paint.red }[outcome];
  const label = String(number).padStart(width);
  const place = `${file}:${line}`;
  const title = name === undefined ? place : `${name}  ${paint.dim(place)}`;
  const rail = `  ${' '.repeat(width)} ${isLast ? ' ' : '│'}   `;
  const skipped = outcome === 'skip' || outcome === 'fail';
  const details = [
    ...(after.length > 0 ? [`waits for ${after.length === 1 ? 'step' : 'steps'} ${after.join(', ')}`] : []),
    ...(outcome === 'skip' ? [`skipped: ${reason ?? ''}`] : []),
    ...(outcome === 'fail' ? [paint.red(`fails: ${reason ?? ''}`)] : []),
    ...(skipped ? [] : conditions.map((text) => conditionLine(text, outcome))),
    ...(outcome === 'fail' ? [] : keys.flatMap((key) => renderKey(key, paint))),
  ];
  return [
    `  ${label} ${colour(MARKS[outcome])} ${title}`,
    ...details.flatMap((text) => text.split('\n')).map((text) => rail + (outcome === 'skip' ? paint.dim(text) : text)),
  ];
}

function conditionLine(text: string, outcome: PlannedStep['outcome']): string {
  const isCommand = text.startsWith('if: ');
  return isCommand && outcome === 'depends' ? `only when ${text}  (not run)` : `met: ${text}`;
}

function renderKey({ key, actions, expanded = [], problem }: PlannedKey, paint: Paint): string[] {
  if (problem !== undefined) return [paint.red(`${key}: ${problem}`)];
  return [
    ...actions.map((action) => `${key}: ${action}`),
    ...expanded.flatMap(({ what, text }) => {
      const lines = text.trimEnd().split('\n');
      if (what !== undefined && lines.length === 1) return [paint.dim(`  ${what}: ${lines[0]}`)];
      // A command or a name on one line has been shown already.
      if (lines.length === 1) return [];
      const cut = lines.length > SHOWN_LINES ? [`… ${lines.length - SHOWN_LINES} more lines`] : [];
      const head = paint.dim(`  ${what ?? 'in full'}, templates expanded:`);
      return [head, ...[...lines.slice(0, SHOWN_LINES), ...cut].map((line) => paint.dim(`  | ${line}`))];
    }),
  ];
}

function summarize(stage: string, steps: readonly PlannedStep[]): string {
  if (steps.length === 0) return `stage ${stage}: there is no step`;
  const count = (outcome: PlannedStep['outcome']) => steps.filter((step) => step.outcome === outcome).length;
  const parts = [
    `${count('run')} would run`,
    ...(count('depends') > 0 ? [`${count('depends')} depending on "if" (--evaluate-if runs its command)`] : []),
    `${count('skip')} skipped`,
    ...(count('fail') > 0 ? [`${count('fail')} would fail`] : []),
  ];
  return `stage ${stage}: ${steps.length === 1 ? '1 step' : `${steps.length} steps`}: ${parts.join(', ')}; nothing was changed`;
}
