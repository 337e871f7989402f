// The stages of a plan: what hooks did in the new system, step by step, and what hooks on this machine will do when the plan
// is applied, with the reason wherever a step is left out.

import { MACHINE_COMMAND_LINE } from '../stages/commandline.ts';
import { type PlannedStep, planStage } from '../stages/plan.ts';
import type { StageResult, StepResult } from '../stages/result.ts';
import { defaultSources } from '../stages/sources.ts';
import { oneLine } from '../system/oneline.ts';
import { Root } from '../system/root.ts';
import { LIMITS, type StagePart, type StageStep } from './document.ts';

const MAX_REASON = 500;
const MAX_FILES = 50;

/** A hook that ran in the new system. Pure. */
export function ranStage({ stage, steps }: StageResult): StagePart {
  const listed = steps.slice(0, LIMITS.steps).map(ranStep);
  return { hook: stage, where: 'new system', when: 'while planning', steps: listed };
}

function ranStep({ subStage, file, line, name, outcome, reason, keys, changedFiles }: StepResult): StageStep {
  const failed = keys.filter((key) => key.outcome === 'failed').map(({ key, error }) => `${key}: ${error ?? 'failed'}`);
  const why = reason ?? (failed.length > 0 ? failed.join('; ') : undefined);
  return {
    ...{ stage: subStage, file, line },
    ...(name !== undefined && { name: oneLine(name, MAX_REASON) }),
    outcome: outcome === 'ok' ? 'ran' : outcome,
    ...(why !== undefined && { reason: oneLine(why, MAX_REASON) }),
    ...(changedFiles.length > 0 && { changedFiles: changedFiles.slice(0, MAX_FILES) }),
  };
}

/** Hooks that will run on this machine; the commands of `if` are not run, so their steps may or may not. */
export async function comingStages(hooks: readonly string[], hookSources: readonly string[]): Promise<StagePart[]> {
  const parts: StagePart[] = [];
  for (const hook of hooks) {
    const { steps } = await planStage({
      stage: hook,
      root: new Root('/'),
      sources: [...defaultSources, ...hookSources],
      commandLine: MACHINE_COMMAND_LINE,
    });
    const listed = steps.slice(0, LIMITS.steps).map(comingStep);
    parts.push({ hook, where: 'this machine', when: 'when it is applied', steps: listed });
  }
  return parts;
}

const OUTCOMES = { run: 'will-run', skip: 'skipped', depends: 'depends', fail: 'failed' } as const;

function comingStep({ subStage, file, line, name, outcome, reason, conditions }: PlannedStep): StageStep {
  const why = reason ?? (outcome === 'depends' ? conditions.find((text) => text.startsWith('if: ')) : undefined);
  return {
    ...{ stage: subStage, file, line },
    ...(name !== undefined && { name: oneLine(name, MAX_REASON) }),
    outcome: OUTCOMES[outcome],
    ...(why !== undefined && { reason: oneLine(why, MAX_REASON) }),
  };
}
