// Runs a stage on a root: `S.before`, `S` and `S.after`, each over the sources in order, one step at a time; first those
// of the machine, then those that the kernel command line names, then the command line's own steps. A source is read just
// before its steps run, so that a file which an earlier source wrote is seen.

import type { CloudConfig } from '../cloudconfig/document.ts';
import { type Problem, ProblemList } from '../cloudconfig/problem.ts';
import type { Step } from '../cloudconfig/step.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { Facts } from './facts.ts';
import { orderSteps } from './order.ts';
import { makeNamesDurable } from './placement.ts';
import { type StageRequest, type StageResult, type StepResult, subStagesOf } from './result.ts';
import { runStep } from './runstep.ts';
import { listSources, type SourceRequest } from './sourcelist.ts';
import { WrittenPaths } from './writtenpaths.ts';

export type { KeyResult, NamedText, StageRequest, StageResult, StepResult } from './result.ts';
export type { SourceRequest } from './sourcelist.ts';

/**
 * Runs a stage. Failures of steps and files are in the result, they don't stop what comes after them.
 * @throws HoldfastError HF-INTERRUPTED when `signal` was aborted; the running command has been ended.
 */
export async function runStage(request: StageRequest): Promise<StageResult> {
  const started = performance.now();
  const { stage, root, signal } = request;
  const facts = new Facts(root);
  const problems = new ProblemList();
  const steps: StepResult[] = [];
  const written = new WrittenPaths();
  try {
    await visitSteps(request, problems, async (step) => {
      if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', `interrupted in the stage ${step.stage}`);
      const result = await runStep(step, request, facts, (problem) => problems.add(problem), written);
      steps.push(result);
      await request.afterStep?.(result, step);
    });
  } finally {
    // Once for all steps: a directory costs as much as a file, and steps often write into the same few.
    makeNamesDurable(
      root,
      steps.flatMap(({ changedFiles }) => changedFiles),
    );
    if (written.size > 0) await noteWhatStays(request, written);
  }
  const failed = problems.errorCount > 0 || steps.some(({ outcome }) => outcome === 'failed');
  const ran = steps.some(({ outcome }) => outcome === 'ok');
  return {
    stage,
    outcome: failed ? 'failed' : ran ? 'ok' : 'skipped',
    steps,
    problems: problems.all,
    durationMs: performance.now() - started,
  };
}

/** A list that can't be written must not fail a stage: its files then count as the owner's, and are kept. */
async function noteWhatStays(
  { root, events }: Pick<StageRequest, 'root' | 'events'>,
  written: WrittenPaths,
): Promise<void> {
  if (!root.isHost) return;
  try {
    const { keepsWrites, noteWritten } = await import('./writtenfiles.ts');
    if (keepsWrites(root)) noteWritten(root, written);
  } catch (error) {
    const text = `what this stage wrote could not be noted: ${messageOf(error)}`;
    events({ type: 'notice', level: 'warning', text });
  }
}

/**
 * Reads, orders and visits all steps of a stage in the order in which they run; what is wrong goes to `problems`.
 * @param visit gets a step, and the steps that it waits for by its `after`.
 */
export async function visitSteps(
  request: SourceRequest,
  problems: ProblemList,
  visit: (step: Step, after: readonly Step[]) => Promise<void> | void,
): Promise<void> {
  const subStages = subStagesOf(request);
  // Problems of a file's other stages are told when those run, not at every boot stage anew.
  const concerns = (problem: Problem) => problem.stage === undefined || subStages.includes(problem.stage);
  const done = new Map(subStages.map((subStage) => [subStage, [] as { document: CloudConfig; step: Step }[]]));
  for (const sources of listSources(request)) {
    for (const [subStage, before] of done) {
      for (const read of sources) {
        const content = await read();
        const ordered = orderSteps(content.documents, subStage, before);
        for (const problem of [...content.problems, ...ordered.problems].filter(concerns)) problems.add(problem);
        for (const step of ordered.steps) await visit(step, ordered.after.get(step) ?? []);
        for (const document of content.documents) {
          for (const step of document.stages.get(subStage) ?? []) before.push({ document, step });
        }
      }
    }
  }
}
