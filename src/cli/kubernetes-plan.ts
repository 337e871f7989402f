// `holdfast kubernetes plan`: flags in, Plans out. What is written is checked the way `kubernetes validate` checks it.

import { makePlan, type PlanRequest } from '../kubernetes/plan.ts';
import { type CheckedPlan, checkPlan } from '../kubernetes/plan-check.ts';
import { type ControllerVersion, parseControllerVersion } from '../kubernetes/plan-controller.ts';
import type { EnvVar, PlanSpec } from '../kubernetes/plan-document.ts';
import { makeRights } from '../kubernetes/plan-rights.ts';
import { makeServerAndAgentPlans } from '../kubernetes/plan-roles.ts';
import { parsePair, parseSelectors, parseToleration } from '../kubernetes/plan-selector.ts';
import { formatObjects, type KubernetesObject } from '../kubernetes/plan-text.ts';
import { durationSeconds, parseWindow } from '../kubernetes/plan-window.ts';
import { readObjects } from '../kubernetes/plan-yaml.ts';
import { HoldfastError } from '../system/errors.ts';
import { type ObjectFlags, writeObjects } from './kubernetes-objects.ts';
import type { CommandContext } from './program.ts';

interface PlanFlags extends ObjectFlags {
  name: string;
  namespace: string;
  version?: string;
  channel?: string;
  selector?: string[];
  nodeSelector?: string[];
  serverAndAgent?: boolean;
  label?: string[];
  annotation?: string[];
  controller?: string;
  concurrency: string;
  cordon?: boolean;
  drain?: boolean;
  drainTimeout?: string;
  drainGracePeriod?: string;
  drainForce?: boolean;
  drainKeepEmptydir?: boolean;
  drainNoDaemonsets?: boolean;
  drainDisableEviction?: boolean;
  drainSkipWait?: string;
  drainPods?: string[];
  toleration?: string[];
  exclusive?: boolean;
  window?: string;
  postCompleteDelay?: string;
  postCompleteLabel?: string[];
  command?: string[];
  arg?: string[];
  env?: string[];
  prepare?: string;
  prepareCommand?: string[];
  prepareArg?: string[];
  verifiedPull?: boolean;
  runner?: string;
  retryFailed?: string;
  force?: boolean;
  serviceAccount: string;
  rbac?: boolean;
  secret?: string[];
  imagePullSecret?: string[];
  priorityClass?: string;
  jobActiveDeadline?: string;
}

/** @returns 0. @throws HoldfastError HF-USAGE for what can't be a Plan, or one that the controller wouldn't understand. */
export async function kubernetesPlanCommand(
  { reporter }: CommandContext,
  [image = '']: string[],
  flags: PlanFlags,
): Promise<number> {
  const request = requestOf(image, flags);
  const controller = flags.controller === undefined ? undefined : parseControllerVersion(flags.controller);
  const plans = flags.serverAndAgent === true ? makeServerAndAgentPlans(request, { controller }) : [makePlan(request)];
  if (flags.serverAndAgent === true && (request.drain !== undefined || request.concurrency > 1)) {
    process.stderr.write(
      `note: servers go one at a time and aren't drained; that is for ${request.name}-agent alone\n`,
    );
  }
  const rights = flags.rbac === true ? makeRights(flags.namespace, flags.serviceAccount) : [];
  const objects: KubernetesObject[] = [...rights, ...plans];
  for (const { severity, message, hint } of problemsOf(objects, controller, flags.output)) {
    if (severity === 'error') throw new HoldfastError('HF-USAGE', message, hint === undefined ? {} : { hint });
    // Standard output is the Plan.
    process.stderr.write(
      `${reporter.paint.yellow('warning:')} ${message}\n${hint === undefined ? '' : `  hint: ${hint}\n`}`,
    );
  }
  await writeObjects(objects, flags);
  return 0;
}

/** Of the text as it is written, so that what is read again is what was meant. */
function problemsOf(
  objects: readonly KubernetesObject[],
  controller: ControllerVersion | undefined,
  output = 'the Plan',
): CheckedPlan['problems'] {
  return readObjects(formatObjects(objects), output).flatMap(
    (object) => checkPlan(object, { controller })?.problems ?? [],
  );
}

function requestOf(image: string, flags: PlanFlags): PlanRequest {
  const { prepare, prepareCommand = [], prepareArg = [] } = flags;
  if (prepare === undefined && prepareCommand.length + prepareArg.length > 0) {
    throw new HoldfastError(
      'HF-USAGE',
      '--prepare-command and --prepare-arg need the image that they run in: --prepare',
    );
  }
  return {
    name: flags.name,
    namespace: flags.namespace,
    labels: pairs(flags.label, 'label'),
    annotations: pairs(flags.annotation, 'annotation'),
    image,
    version: flags.version,
    channel: channelOf(flags.channel),
    concurrency: wholeNumber('--concurrency', flags.concurrency, 1),
    selector: parseSelectors([...(flags.selector ?? []), ...(flags.nodeSelector ?? [])]),
    tolerations: (flags.toleration ?? []).map(parseToleration),
    serviceAccount: flags.serviceAccount,
    cordon: flags.cordon !== false,
    drain: drainOf(flags),
    command: flags.command ?? ['/usr/sbin/suc-upgrade'],
    args: flags.arg ?? [],
    envs: (flags.env ?? []).map(envOf),
    prepare:
      prepare === undefined
        ? undefined
        : {
            image: prepare,
            ...(prepareCommand.length > 0 && { command: prepareCommand }),
            ...(prepareArg.length > 0 && { args: prepareArg }),
          },
    secrets: (flags.secret ?? []).map(secretOf),
    imagePullSecrets: flags.imagePullSecret ?? [],
    exclusive: flags.exclusive === true,
    window: flags.window === undefined ? undefined : parseWindow(flags.window),
    postCompleteDelay: flags.postCompleteDelay,
    postCompleteLabels: pairs(flags.postCompleteLabel, 'annotation'),
    priorityClass: flags.priorityClass,
    jobDeadlineSeconds:
      flags.jobActiveDeadline === undefined
        ? undefined
        : wholeNumber('--job-active-deadline', flags.jobActiveDeadline, 0),
    verifiedPull: flags.verifiedPull === true,
    runner: flags.runner,
    force: flags.force === true,
    retryFailed: flags.retryFailed,
  };
}

function drainOf(flags: PlanFlags): PlanSpec['drain'] {
  const { drainTimeout, drainGracePeriod, drainSkipWait, drainPods } = flags;
  const drain: PlanSpec['drain'] = {
    // Nanoseconds are what every controller reads; texts only those from 0.16.3 on.
    ...(drainTimeout !== undefined && { timeout: nanoseconds('--drain-timeout', drainTimeout) }),
    ...(drainGracePeriod !== undefined && { gracePeriod: wholeNumber('--drain-grace-period', drainGracePeriod, -1) }),
    ...(flags.drainForce === true && { force: true }),
    // The older name, which newer controllers know too.
    ...(flags.drainKeepEmptydir === true && { deleteLocalData: false }),
    ...(flags.drainNoDaemonsets === true && { ignoreDaemonSets: false }),
    ...(flags.drainDisableEviction === true && { disableEviction: true }),
    ...(drainSkipWait !== undefined && {
      skipWaitForDeleteTimeout: wholeNumber('--drain-skip-wait', drainSkipWait, 0),
    }),
    ...(drainPods !== undefined && { podSelector: parseSelectors(drainPods) }),
  };
  return flags.drain === true || Object.keys(drain).length > 0 ? drain : undefined;
}

function pairs(texts: readonly string[] = [], what: 'label' | 'annotation'): Record<string, string> {
  return Object.fromEntries(texts.map((text) => parsePair(text, what)));
}

function envOf(text: string): EnvVar {
  const [, name, value] = /^([A-Za-z_][A-Za-z0-9_.-]*)=([\s\S]*)$/.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return { name, value };
  throw new HoldfastError('HF-USAGE', `--env ${JSON.stringify(text)}: it is no variable`, { hint: 'write NAME=value' });
}

function secretOf(text: string): { name: string; path: string } {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  // Newer definitions want the path; this one is where the controller puts it anyway.
  return { name, path: colon < 0 ? `/run/system-upgrade/secrets/${name}` : text.slice(colon + 1) };
}

function channelOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (/^https?:\/\/[^/]*@/.test(text)) {
    throw new HoldfastError('HF-USAGE', '--channel: the address holds a name, a password or a token', {
      hint: 'everybody who may read the Plan could read it; serve the channel without one',
    });
  }
  if (/^https?:\/\/./.test(text)) return text;
  throw new HoldfastError('HF-USAGE', `--channel ${JSON.stringify(text)} is no web address`);
}

function wholeNumber(flag: string, text: string, least: number): number {
  const value = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least) return value;
  throw new HoldfastError('HF-USAGE', `${flag} ${JSON.stringify(text)}: a whole number from ${least} on is needed`);
}

function nanoseconds(flag: string, text: string): number {
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : durationSeconds(text);
  if (seconds !== undefined && seconds > 0) return Math.round(seconds * 1e9);
  throw new HoldfastError('HF-USAGE', `${flag} ${JSON.stringify(text)} is no time`, { hint: 'write 90s, 5m or 1h30m' });
}
