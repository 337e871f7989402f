// What goes into the record is bounded and free of secrets, whatever a stage printed and however many steps it has: texts
// are cut, lists end, and an entry that is still too large loses its details before its facts.

import { maskSecrets } from '../system/secrets.ts';
import type { RecordEntry, RecordedStep } from './entry.ts';

/** Of an entry's JSON. */
export const MAX_ENTRY_BYTES = 16 << 10;

export const LIMITS = {
  name: 200,
  message: 1000,
  command: 500,
  outputTail: 2000,
  warnings: 20,
  warning: 500,
  steps: 100,
  durations: 60,
} as const;

/** The entry as it is kept. */
export function boundEntry(entry: RecordEntry): RecordEntry {
  const bounded = boundTexts(entry);
  for (const smaller of [withoutTailsOfGoodSteps, withShortTexts, withFewSteps, withoutDetails]) {
    if (sizeOf(bounded) <= MAX_ENTRY_BYTES) return bounded;
    Object.assign(bounded, smaller(bounded));
  }
  return bounded;
}

function boundTexts(entry: RecordEntry): RecordEntry {
  const { by, steps, warnings, durations, error, message, furtherSteps = 0 } = entry;
  const listed = steps?.slice(0, LIMITS.steps).map(boundStep);
  const further = furtherSteps + (steps?.length ?? 0) - (listed?.length ?? 0);
  return {
    ...entry,
    name: cut(entry.name, LIMITS.name),
    ...(by && { by: { ...by, user: cut(by.user, 64), command: cut(by.command, LIMITS.command) } }),
    ...(message !== undefined && { message: cut(message, LIMITS.message) }),
    ...(listed && { steps: listed }),
    ...(further > 0 && { furtherSteps: further }),
    ...(warnings && { warnings: boundWarnings(warnings) }),
    ...(durations && { durations: durations.slice(0, LIMITS.durations) }),
    ...(error && {
      error: {
        ...error,
        message: cut(error.message, LIMITS.message),
        ...(error.outputTail !== undefined && { outputTail: tail(error.outputTail, LIMITS.outputTail) }),
      },
    }),
  };
}

function boundWarnings(warnings: readonly string[]): string[] {
  const kept = warnings.slice(0, LIMITS.warnings).map((text) => cut(text, LIMITS.warning));
  const further = warnings.length - kept.length;
  return further > 0 ? [...kept, `and ${further} more`] : kept;
}

function boundStep(step: RecordedStep): RecordedStep {
  const { name, message, outputTail } = step;
  return {
    ...step,
    file: cut(step.file, LIMITS.message),
    ...(name !== undefined && { name: cut(name, LIMITS.name) }),
    ...(message !== undefined && { message: cut(message, LIMITS.message) }),
    ...(outputTail !== undefined && { outputTail: tail(outputTail, LIMITS.outputTail) }),
  };
}

function withoutTailsOfGoodSteps({ steps }: RecordEntry): Partial<RecordEntry> {
  return { ...(steps && { steps: steps.map((step) => (step.outcome === 'ok' ? bare(step) : step)) }) };
}

function bare({ message: _, outputTail: __, ...step }: RecordedStep): RecordedStep {
  return step;
}

function withShortTexts({ steps, warnings, durations }: RecordEntry): Partial<RecordEntry> {
  return {
    ...(steps && {
      steps: steps.map((step) => ({
        ...step,
        file: cut(step.file, 200),
        ...(step.message !== undefined && { message: cut(step.message, 200) }),
        ...(step.outputTail !== undefined && { outputTail: tail(step.outputTail, 400) }),
      })),
    }),
    ...(warnings && { warnings: warnings.map((text) => cut(text, 200)) }),
    ...(durations && { durations: durations.slice(0, 30) }),
  };
}

/** Those that failed count most. */
function withFewSteps({ steps, furtherSteps = 0 }: RecordEntry): Partial<RecordEntry> {
  if (steps === undefined) return {};
  const kept = [...steps].sort((a, b) => Number(b.outcome === 'failed') - Number(a.outcome === 'failed')).slice(0, 8);
  return { steps: kept, furtherSteps: furtherSteps + steps.length - kept.length };
}

function withoutDetails({ steps, furtherSteps = 0, warnings, error, message }: RecordEntry): Partial<RecordEntry> {
  return {
    ...(steps && { steps: [], furtherSteps: furtherSteps + steps.length }),
    ...(warnings && { warnings: [`${warnings.length} warnings`] }),
    ...(message !== undefined && { message: cut(message, 200) }),
    ...(error && { error: { message: cut(error.message, 200) } }),
    durations: [],
  };
}

function sizeOf(entry: RecordEntry): number {
  return Buffer.byteLength(JSON.stringify(entry));
}

function cut(text: string, maxCharacters: number): string {
  const masked = maskSecrets(text);
  return masked.length <= maxCharacters ? masked : `${masked.slice(0, maxCharacters - 1)}…`;
}

/** The end of what a command printed says why it failed. */
function tail(text: string, maxCharacters: number): string {
  return maskSecrets(text).slice(-maxCharacters);
}
