// `holdfast plan`: what a stage would do, of the machine's files or of named ones. `run-stage --dry-run` shows the same.

import { planStage } from '../stages/plan.ts';
import { renderStagePlan } from '../stages/planreport.ts';
import type { CommandContext } from './program.ts';
import { machineRequest, namedRequest, type StageFlags } from './run-stage.ts';

export async function planCommand(
  context: CommandContext,
  [stage = '', ...files]: string[],
  flags: StageFlags & { evaluateIf?: boolean },
): Promise<number> {
  const { reporter, signal } = context;
  const request =
    files.length > 0 ? await namedRequest(context, stage, files, flags) : await machineRequest(context, stage, flags);
  const evaluateIf = flags.evaluateIf ?? false;
  const plan = await planStage({ ...request, events: reporter.events, signal, evaluateIf });
  reporter.result({ ...plan, outcome: 'planned' }, renderStagePlan(plan, reporter.paint));
  return 0;
}
