// What a stage would do, without doing it: its steps in order, their conditions as written, and what each key would do.
// A file that a step would write is not foreseen, nor are conditions evaluated, since `if` runs commands.

import { type Problem, ProblemList } from '../cloudconfig/problem.ts';
import { ACTION_KEYS, type ActionKey } from '../cloudconfig/stepkeys.ts';
import { listConditions } from './conditions.ts';
import type { StageRequest } from './result.ts';
import { visitSteps } from './run.ts';
import { handlers } from './steps/all.ts';

export interface PlannedKey {
  key: ActionKey;
  /** What it would do, one line per part; empty when its value can't be used or it isn't supported yet. */
  actions: readonly string[];
  /** Why it would fail. */
  problem?: string;
}

export interface PlannedStep {
  subStage: string;
  file: string;
  line: number;
  name?: string;
  conditions: readonly string[];
  keys: readonly PlannedKey[];
}

export interface StagePlan {
  stage: string;
  steps: readonly PlannedStep[];
  problems: readonly Problem[];
}

/** Plans a stage; reads the sources and changes nothing. */
export async function planStage(
  request: Pick<StageRequest, 'stage' | 'root' | 'sources' | 'documents'>,
): Promise<StagePlan> {
  const problems = new ProblemList();
  const steps: PlannedStep[] = [];
  await visitSteps(request, problems, ({ stage: subStage, file, line, values, rejected }) => {
    const keys = ACTION_KEYS.flatMap((key): PlannedKey[] => {
      if (rejected.includes(key)) return [{ key, actions: [], problem: `its value can't be used` }];
      if (values[key] === undefined || key === 'environment_file') return [];
      const handler = handlers.get(key);
      if (handler === undefined) return [{ key, actions: [], problem: 'not supported yet' }];
      return [{ key, actions: handler.describe(values) }];
    });
    steps.push({
      subStage,
      file,
      line,
      ...(values.name ? { name: values.name } : {}),
      conditions: listConditions(values),
      keys,
    });
  });
  return { stage: request.stage, steps, problems: problems.all };
}
