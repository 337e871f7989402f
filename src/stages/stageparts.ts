// A stage's result as the record keeps it: the steps that ran or failed with file, line and definition, and only the number of
// those that were skipped, which are most of them on most machines.

import type { StepEnd } from '../system/events.ts';
import type { StageResult, StepResult } from './result.ts';

/** What the record says of a stage's steps, and of the warnings about its files. */
export function recordedSteps({ steps, problems }: Pick<StageResult, 'steps' | 'problems'>): {
  steps: StepEnd[];
  furtherSteps?: number;
  warnings?: string[];
} {
  const told = steps.filter(({ outcome }) => outcome !== 'skipped');
  const errors = problems.filter(({ severity }) => severity === 'error');
  const warnings = problems.filter(({ severity }) => severity === 'warning');
  return {
    steps: [...told.map(stepEnd), ...errors.map(fileEnd)],
    ...(steps.length > told.length && { furtherSteps: steps.length - told.length }),
    ...(warnings.length > 0 && {
      warnings: warnings.map(({ location, message }) => `${location.file}:${location.line}: ${message}`),
    }),
  };
}

function stepEnd({ subStage, file, line, name, definition, outcome, reason, keys, durationMs }: StepResult): StepEnd {
  const failed = keys.filter((key) => key.outcome === 'failed');
  const message = failed.map(({ key, error = '' }) => `${key}: ${error}`).join('; ') || reason;
  const outputTail = failed.flatMap(({ outputTail: tail }) => (tail === undefined ? [] : [tail])).join('\n');
  return {
    stage: subStage,
    file,
    line,
    ...(name !== undefined && { name }),
    definition,
    outcome,
    ...(message !== undefined && { message }),
    ...(outputTail !== '' && { outputTail }),
    durationMs: Math.round(durationMs),
  };
}

/** A file that can't be used fails like a step of it. */
function fileEnd({ location, message }: StageResult['problems'][number]): StepEnd {
  return { file: location.file, line: location.line, outcome: 'failed', message };
}
