// Runs one step: its conditions, then its keys in their fixed order. A key that fails stops neither the other keys nor
// the next steps.

import type { Problem } from '../cloudconfig/problem.ts';
import type { Step } from '../cloudconfig/step.ts';
import { ACTION_KEYS, CONDITION_KEYS } from '../cloudconfig/stepkeys.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { httpRequest } from '../system/http.ts';
import { AliveNotices } from './alive.ts';
import { unmetCondition } from './conditions.ts';
import { definitionOf } from './definition.ts';
import type { Facts } from './facts.ts';
import type { KeyResult, StageRequest, StepResult } from './result.ts';
import { maskerFor } from './secrets.ts';
import { type HandledKey, handlers } from './steps/all.ts';
import type { StepContext } from './steps/handler.ts';
import { WrittenPaths } from './writtenpaths.ts';

/**
 * @param warn called for each warning that running brings.
 * @param written gets the paths that it changed, with how much of them it wrote.
 * @throws HoldfastError HF-INTERRUPTED when the request's signal was aborted; every other failure is in the result.
 */
export async function runStep(
  step: Step,
  request: StageRequest,
  facts: Facts,
  warn: (problem: Problem) => void,
  written: WrittenPaths = new WrittenPaths(),
): Promise<StepResult> {
  const started = performance.now();
  const { root, events, signal, env } = request;
  const { values, file, line, column, stage } = step;
  const changed = new Set<string>();
  const keys: KeyResult[] = [];
  const result = (outcome: StepResult['outcome'], reason?: string): StepResult => ({
    subStage: stage,
    file,
    line,
    column,
    ...(values.name ? { name: values.name } : {}),
    definition: definitionOf(values),
    outcome,
    ...(reason === undefined ? {} : { reason }),
    keys,
    changedFiles: [...changed],
    durationMs: performance.now() - started,
  });
  const broken = CONDITION_KEYS.find((key) => step.rejected.includes(key));
  // A step must not run because its condition is broken.
  if (broken !== undefined) return result('failed', `the condition "${broken}" can't be used, see the file's problems`);
  const mask = maskerFor(values);
  const called = `${stage}: step${values.name ? ` "${values.name}"` : ''} of ${file}:${line}`;
  const alive = new AliveNotices(called, events, request.aliveMs);
  const shared = {
    root,
    events,
    running: (program: string) => alive.startProgram(program),
    signal,
    env,
    facts,
    http: request.http ?? httpRequest,
    admitImage: request.admitImage,
    packageStore: request.packageStore,
    warn: (message: string) =>
      warn({ severity: 'warning', message: mask(message), location: { file, line, column }, stage }),
  };

  try {
    alive.startKey('its conditions');
    try {
      const reason = await unmetCondition(values, shared);
      if (reason !== undefined) return result('skipped', mask(reason));
    } catch (error) {
      rethrowInterruption(error, signal);
      return result('failed', mask(messageOf(error)));
    }
    events({ type: 'notice', level: 'info', text: called });
    for (const key of ACTION_KEYS) {
      if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', `interrupted in the step at ${file}:${line}`);
      alive.startKey(key);
      if (step.rejected.includes(key)) {
        keys.push({ key, outcome: 'failed', error: `its value can't be used, see the file's problems` });
      } else if (values[key] !== undefined && key !== 'environment_file') {
        const { error, outputTail, ...end } = await runKey(key, {
          ...shared,
          values,
          changed: (path) => {
            changed.add(path);
            written.add(path, 'whole');
          },
          edited: (path) => {
            changed.add(path);
            written.add(path, 'part');
          },
          linked: (path) => {
            changed.add(path);
            written.add(path, 'link');
          },
        });
        keys.push({
          ...end,
          ...(error && { error: mask(error) }),
          ...(outputTail && { outputTail: mask(outputTail) }),
        });
      }
    }
  } finally {
    alive.stop();
  }
  return result(keys.some(({ outcome }) => outcome === 'failed') ? 'failed' : 'ok');
}

async function runKey(key: HandledKey, shared: Omit<StepContext, 'fail'>): Promise<KeyResult> {
  const failures: unknown[] = [];
  const fail = (error: unknown) => {
    rethrowInterruption(error, shared.signal);
    failures.push(error);
  };
  try {
    await handlers[key].apply({ ...shared, fail });
  } catch (error) {
    fail(error);
  }
  if (failures.length === 0) return { key, outcome: 'ok' };
  const tails = failures.flatMap((error) =>
    error instanceof HoldfastError && error.outputTail ? [error.outputTail] : [],
  );
  return {
    key,
    outcome: 'failed',
    error: [...new Set(failures.map(describeFailure))].join('; '),
    ...(tails.length > 0 ? { outputTail: tails.join('\n') } : {}),
  };
}

function describeFailure(error: unknown): string {
  const hint = error instanceof HoldfastError ? error.hint : undefined;
  return hint === undefined ? messageOf(error) : `${messageOf(error)} (${hint})`;
}

function rethrowInterruption(error: unknown, signal: AbortSignal | undefined): void {
  if (error instanceof HoldfastError && error.code === 'HF-INTERRUPTED') throw error;
  if (signal?.aborted)
    throw new HoldfastError('HF-INTERRUPTED', 'interrupted while a step was running', { cause: error });
}
