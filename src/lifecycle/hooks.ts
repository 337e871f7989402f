// Hooks: the stages that a lifecycle action runs, on this machine or in the new system. A failing hook in the new
// system refuses the action before the swap unless the user chose otherwise; nothing that failed is passed over.

import type { Problem } from '../cloudconfig/problem.ts';
import { MACHINE_COMMAND_LINE } from '../stages/commandline.ts';
import type { PackageStore } from '../stages/packages/store.ts';
import { runStage, type StageRequest, type StageResult } from '../stages/run.ts';
import { defaultSources } from '../stages/sources.ts';
import { recordedSteps } from '../stages/stageparts.ts';
import { HoldfastError, renderLocation } from '../system/errors.ts';
import type { ApplyContext } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { admitUnverified } from '../trust/admit-unverified.ts';
import { type ExtraSources, readExtraSources } from './extra-sources.ts';

/** Which hooks must succeed: those in the new system (default), all of them, or none. */
export type Strictness = 'chroot' | 'all' | 'none';

/** Exit statuses of failed hooks, as elemental-toolkit numbers them. */
export const HOOK_EXIT_STATUS: Readonly<Record<string, number>> = {
  'before-upgrade': 36,
  'after-upgrade': 38,
  'after-upgrade-chroot': 39,
  'before-install': 50,
  'after-install': 51,
  'after-install-chroot': 52,
  'before-reset': 61,
  'after-reset-chroot': 62,
  'after-reset': 63,
  'post-upgrade': 72,
  'post-reset': 73,
  'post-install': 74,
  'before-disk': 79,
  'after-disk': 80,
  'after-disk-chroot': 81,
  'post-disk': 82,
  // elemental has no deploy of its own: it is a reset there.
  'before-deploy': 61,
  'after-deploy-chroot': 62,
  'after-deploy': 63,
  'post-deploy': 73,
};

/**
 * Runs a hook's stages on `root` and decides what a failure means.
 * @param options.extra stage files beyond the default places; default: what settings and environment name.
 * @param options.newSystem stage files that only the new system brings.
 * @param options.afterStep see {@link StageRequest}.
 */
export async function runHook(
  context: ApplyContext,
  hook: string,
  root: Root,
  options: {
    strictness: Strictness;
    extra?: ExtraSources | undefined;
    newSystem?: readonly string[] | undefined;
    afterStep?: StageRequest['afterStep'];
    /** Keeps package files while a new system is made. */
    packageStore?: PackageStore | undefined;
  },
): Promise<StageResult> {
  // Of the machine that runs it, also for a hook in the new system.
  const extra = options.extra ?? (await readExtraSources(new Root('/')));
  for (const problem of extra.problems) context.warn(describeProblem(problem));
  const result = await runStage({
    stage: hook,
    root,
    sources: [...defaultSources, ...extra.sources, ...(options.newSystem ?? [])],
    // The machine's, also for a hook in the new system, as the originals read it in their chroot.
    commandLine: MACHINE_COMMAND_LINE,
    events: context.events,
    signal: context.signal,
    admitImage: admitUnverified,
    afterStep: options.afterStep,
    packageStore: options.packageStore,
  });
  for (const problem of result.problems) {
    if (problem.severity === 'warning') context.warn(describeProblem(problem));
  }
  const { outcome, durationMs } = result;
  context.events({ type: 'part-end', kind: 'hook', name: hook, outcome, durationMs, ...recordedSteps(result) });
  if (result.outcome !== 'failed') return result;
  const error = hookError(hook, result);
  const mustSucceed = options.strictness === 'all' || (options.strictness === 'chroot' && hook.endsWith('-chroot'));
  if (mustSucceed) throw error;
  context.warn(`${error.message}${error.outputTail === undefined ? '' : `\n${error.outputTail}`}`);
  return result;
}

/** A problem as a warning: what a summary shows of it is the first line, which says where and what. */
export function describeProblem({ location, message }: Pick<Problem, 'location' | 'message'>): string {
  const [place, ...excerpt] = renderLocation(location).split('\n');
  return [`${place}: ${message}`, ...excerpt].join('\n');
}

/** The error that tells which file, step and command of a hook failed, and with what last words. */
export function hookError(hook: string, result: StageResult): HoldfastError {
  const exitStatus = HOOK_EXIT_STATUS[hook] ?? 38;
  const broken = result.problems.find(({ severity }) => severity === 'error');
  const failed = result.steps.find(({ outcome }) => outcome === 'failed');
  const hint = 'mend the file and try again; nothing was switched, the system boots as before';
  if (failed !== undefined) {
    const key = failed.keys.find(({ outcome }) => outcome === 'failed');
    const name = failed.name === undefined ? '' : ` "${failed.name}"`;
    return new HoldfastError(
      'HF-HOOK',
      `hook ${hook}: step${name} at ${failed.file}:${failed.line} failed in ${key?.key ?? 'a step'}: ${key?.error ?? failed.reason ?? ''}`,
      { exitStatus, hint, ...(key?.outputTail === undefined ? {} : { outputTail: key.outputTail }) },
    );
  }
  return new HoldfastError('HF-HOOK', `hook ${hook}: ${broken?.message ?? 'a file could not be read'}`, {
    exitStatus,
    hint: broken?.hint ?? hint,
    ...(broken === undefined ? {} : { location: broken.location }),
  });
}
