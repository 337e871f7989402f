// `holdfast run-stage` and `holdfast cloud-init`: stages of cloud-config files, run or shown.

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { planStage } from '../stages/plan.ts';
import { renderStagePlan, renderStageResult } from '../stages/report.ts';
import { type NamedText, runStage } from '../stages/run.ts';
import { defaultSources } from '../stages/sources.ts';
import { EXIT_STATUS, HoldfastError } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import type { CommandContext } from './program.ts';

interface StageFlags {
  root: string;
  strict?: boolean;
  dryRun?: boolean;
  cloudInitPaths?: string;
}

/** As elemental's `run-stage`: what failed is shown, and only with --strict the exit status says so too. */
export function runStageCommand(context: CommandContext, [stage = '']: string[], flags: StageFlags): Promise<number> {
  const extra = flags.cloudInitPaths?.split(',').filter((path) => path !== '') ?? [];
  return perform(context, { stage, sources: [...defaultSources, ...extra], documents: [] }, flags, {
    strict: flags.strict ?? false,
  });
}

/** As yip and elemental's `cloud-init`: the exit status is 0 only when everything worked. */
export function cloudInitCommand(
  context: CommandContext,
  files: string[],
  flags: StageFlags & { stage: string },
): Promise<number> {
  const documents: NamedText[] = [];
  const sources: string[] = [];
  for (const file of files) {
    if (file === '-') documents.push({ name: '<stdin>', text: readFileSync(0, 'utf8') });
    else if (!existsSync(file)) throw new HoldfastError('HF-USAGE', `${file} does not exist`);
    else if (flags.root === '/') sources.push(resolve(file));
    // A named file is this machine's, whatever tree the stage acts on.
    else documents.push({ name: file, text: readFileSync(file, 'utf8') });
  }
  return perform(context, { stage: flags.stage, sources, documents }, flags, { strict: true });
}

async function perform(
  { reporter, signal }: CommandContext,
  what: { stage: string; sources: readonly string[]; documents: readonly NamedText[] },
  flags: StageFlags,
  { strict }: { strict: boolean },
): Promise<number> {
  const root = new Root(resolve(flags.root));
  if (flags.dryRun) {
    const plan = await planStage({ ...what, root });
    reporter.result({ ...plan, outcome: 'planned' }, renderStagePlan(plan));
    return 0;
  }
  const result = await runStage({ ...what, root, events: reporter.events, signal });
  reporter.result({ ...result }, renderStageResult(result));
  return result.outcome === 'failed' && strict ? EXIT_STATUS['HF-STAGE'] : 0;
}
