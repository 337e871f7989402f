// `holdfast run-stage` and `holdfast cloud-init`: stages of cloud-config files, run or shown.

import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { LIMITS } from '../cloudconfig/yamltext.ts';
import { readExtraSources } from '../lifecycle/extra-sources.ts';
import { MACHINE_COMMAND_LINE } from '../stages/commandline.ts';
import { planStage } from '../stages/plan.ts';
import { renderStagePlan } from '../stages/planreport.ts';
import { renderStageResult } from '../stages/report.ts';
import type { StageResult } from '../stages/result.ts';
import { type NamedText, runStage, type SourceRequest } from '../stages/run.ts';
import { defaultSources, isUrl } from '../stages/sources.ts';
import { readPipeWithin, readStreamWithin } from '../system/boundedtext.ts';
import { EXIT_STATUS, HoldfastError, messageOf } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import { admitUnverified } from '../trust/admit-unverified.ts';
import { isStageOfThisBoot, recordStage } from './boot-stage.ts';
import { isThisMachine, keepStage } from './keep-stage.ts';
import type { CommandContext } from './program.ts';

export interface StageFlags {
  debug?: boolean;
  root: string;
  strict?: boolean;
  dryRun?: boolean;
  cloudInitPaths?: string;
  dotnotation?: boolean;
  /** A unit of the boot runs it: what fails is told on the console. */
  boot?: boolean;
}

/** As elemental's `run-stage`: what failed is shown, and only with --strict the exit status says so too. */
export async function runStageCommand(
  context: CommandContext,
  [stage = '']: string[],
  flags: StageFlags,
): Promise<number> {
  const request = await machineRequest(context, stage, flags);
  const { events } = context.reporter;
  const boot = flags.boot ?? false;
  return perform(context, request, flags, {
    strict: flags.strict ?? false,
    ...(isStageOfThisBoot(stage, request.root) && {
      around: (run: RunOfStage) => recordStage(stage, run, { events, console: boot }),
    }),
  });
}

/** As yip and elemental's `cloud-init`: one stage and nothing around it; the exit status is 0 only when all worked. */
export async function cloudInitCommand(
  context: CommandContext,
  files: string[],
  flags: StageFlags & { stage: string },
): Promise<number> {
  const request = await namedRequest(context, flags.stage, files, flags);
  return perform(context, { ...request, alone: true }, flags, { strict: true });
}

/** A stage of the machine's own files. */
export async function machineRequest(
  { reporter }: Pick<CommandContext, 'reporter'>,
  stage: string,
  flags: StageFlags,
): Promise<SourceRequest> {
  const flagged = flags.cloudInitPaths?.split(',').filter((path) => path !== '') ?? [];
  const root = rootOf(flags);
  // As any program's arguments; in another tree there is no working directory.
  const { sources, problems } = await readExtraSources(root);
  for (const { message, location } of problems) {
    reporter.events({ type: 'notice', level: 'warning', text: `${location.file}:${location.line}: ${message}` });
  }
  const extra = [...sources, ...flagged].map((path) =>
    root.isHost && !isUrl(path) && existsSync(path) ? resolve(path) : path,
  );
  return {
    stage,
    root,
    sources: [...defaultSources, ...extra],
    // Another tree has another machine's, or none.
    ...(root.isHost && { commandLine: MACHINE_COMMAND_LINE }),
  };
}

/**
 * A stage of files that are named. They are this machine's, whatever tree the stage acts on. One that isn't there is
 * passed over with a warning, since scripts name directories that not every machine has.
 * @throws HoldfastError HF-USAGE when none is there.
 */
export async function namedRequest(
  { reporter }: CommandContext,
  stage: string,
  files: readonly string[],
  flags: StageFlags,
): Promise<SourceRequest> {
  const sources: (string | NamedText)[] = [];
  const missing: string[] = [];
  for (const file of files) {
    const source = await namedSource(file, flags);
    if (source === undefined) missing.push(file);
    else sources.push(source);
  }
  if (sources.length === 0) {
    throw new HoldfastError('HF-USAGE', `${missing.join(', ')} ${missing.length === 1 ? 'does' : 'do'} not exist`, {
      hint: 'name files, directories, web addresses (http://, https://), or - for standard input',
    });
  }
  for (const file of missing) {
    reporter.events({ type: 'notice', level: 'warning', text: `${file} does not exist, it is passed over` });
  }
  const root = rootOf(flags);
  return { stage, root, sources, sourceRoot: new Root('/'), dotNotation: flags.dotnotation ?? false };
}

/** @throws HoldfastError HF-USAGE when there is no such directory: a stage without sources would seem to have gone well. */
function rootOf({ root }: StageFlags): Root {
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory()) return new Root(resolve(root));
  throw new HoldfastError('HF-USAGE', `--root ${root}: there is no such directory`);
}

/** What one argument stands for: standard input, a web address, a path, or (as with yip) the text itself. */
async function namedSource(source: string, { dotnotation }: StageFlags): Promise<string | NamedText | undefined> {
  const name = source === '-' ? '<stdin>' : source;
  try {
    const text =
      source === '-'
        ? await readStreamWithin(process.stdin, LIMITS.textBytes)
        : await readPipeWithin(source, LIMITS.textBytes);
    if (text !== undefined) return { name, text };
  } catch (error) {
    const what = source === '-' ? 'standard input' : source;
    throw new HoldfastError('HF-USAGE', `${what} can't be used: ${messageOf(error)}`, { cause: error });
  }
  if (isUrl(source)) return source;
  if (existsSync(source)) return resolve(source);
  const isText = dotnotation ? /(?:^|[\s"'])stages[.[]/ : /\n|^\s*(?:stages?|name)\s*:|^\s*\{/;
  return isText.test(source) ? { name: '<argument>', text: source } : undefined;
}

type RunOfStage = () => Promise<StageResult>;

async function perform(
  { reporter, signal, commandLine }: CommandContext,
  what: SourceRequest,
  flags: StageFlags,
  { strict, around = (run) => run() }: { strict: boolean; around?: (run: RunOfStage) => Promise<StageResult> },
): Promise<number> {
  if (flags.dryRun) {
    const plan = await planStage({ ...what, events: reporter.events, signal });
    reporter.result({ ...plan, outcome: 'planned' }, renderStagePlan(plan, reporter.paint));
    return 0;
  }
  const { events } = reporter;
  const run = () => around(() => runStage({ ...what, events, signal, admitImage: admitUnverified }));
  const kept = { events, command: commandLine, boot: flags.boot ?? false };
  const result = await (isThisMachine(what.root) ? keepStage(what.stage, run, kept) : run());
  reporter.result({ ...result }, renderStageResult(result, { paint: reporter.paint, debug: flags.debug ?? false }));
  return result.outcome === 'failed' && strict ? EXIT_STATUS['HF-STAGE'] : 0;
}
