// Decides on the Plans that roll an image out: one for all nodes, or one for servers and one for agents that wait for them. Pure:
// what was asked for, in; documents, out.

import { HoldfastError } from '../system/errors.ts';
import type { Container, EnvVar, LabelSelector, PlanDocument, PlanSpec, Toleration, Window } from './plan-document.ts';
import { PLAN_API_VERSION } from './plan-document.ts';
import { DIGEST_ANNOTATION, type PlannedImage, planImage } from './plan-image.ts';
import { isLabelKey, isObjectName } from './plan-selector.ts';

export interface PlanRequest {
  name: string;
  namespace: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  image: string;
  version?: string | undefined;
  channel?: string | undefined;
  /** Nodes at a time. */
  concurrency: number;
  /** Empty: every node. */
  selector: LabelSelector;
  tolerations: readonly Toleration[];
  serviceAccount: string;
  cordon: boolean;
  drain?: PlanSpec['drain'];
  command: readonly string[];
  args: readonly string[];
  envs: readonly EnvVar[];
  prepare?: Container | undefined;
  secrets: readonly { name: string; path: string; ignoreUpdates?: boolean }[];
  imagePullSecrets: readonly string[];
  exclusive: boolean;
  window?: Window | undefined;
  /** As Go writes durations. */
  postCompleteDelay?: string | undefined;
  postCompleteLabels: Readonly<Record<string, string>>;
  priorityClass?: string | undefined;
  jobDeadlineSeconds?: number | undefined;
  /** Each node pulls the image itself, verified, and writes only what changed. */
  verifiedPull: boolean;
  /** The image of the pod, where that isn't the operating system: it brings suc-upgrade, the node pulls the system itself. */
  runner?: string | undefined;
  force: boolean;
  /** A word; another one makes nodes try an image again on which they had failed. */
  retryFailed?: string | undefined;
}

/** @throws HoldfastError HF-USAGE when the request contradicts itself or names what can't be one. */
export function makePlan(request: PlanRequest): PlanDocument {
  const { name, namespace, selector, tolerations, secrets, imagePullSecrets } = request;
  for (const [what, text] of [
    ['name', name],
    ['namespace', namespace],
    ['service account', request.serviceAccount],
  ] as const) {
    if (!isObjectName(text)) throw notAName(what, text);
  }
  // plan.upgrade.cattle.io/NAME is the label that a node gets when it is done.
  if (!isLabelKey(`plan.upgrade.cattle.io/${name}`)) throw notAName('name', name);
  const { image, version, hashed, reference } = plannedImage(request);
  if ((request.verifiedPull || request.runner !== undefined) && request.channel !== undefined) {
    throw new HoldfastError(
      'HF-USAGE',
      '--verified-pull needs an image that is known now, and --channel chooses it later',
      {
        hint: 'name the image with its tag or digest, and change the Plan for the next one',
      },
    );
  }
  const named = request.annotations[DIGEST_ANNOTATION]?.split(',') ?? [];
  const digested = hashed ? [...new Set([...named, 'spec.upgrade.image'])] : named;
  const annotations = {
    ...request.annotations,
    ...(digested.length > 0 && { [DIGEST_ANNOTATION]: digested.join(',') }),
  };
  const envs = [...ownEnvs(request, reference), ...request.envs];
  const selected = Object.keys(selector).length > 0;
  const spec: PlanSpec = {
    concurrency: request.concurrency,
    ...(version !== undefined && { version }),
    ...(request.channel !== undefined && { channel: request.channel }),
    ...(selected && { nodeSelector: selector }),
    // No selector at all would be "no node" for the API's rules of selectors; this one is every node with a name.
    ...(!selected && {
      nodeSelector: { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'Exists' as const }] },
    }),
    serviceAccountName: request.serviceAccount,
    ...(tolerations.length > 0 && { tolerations: [...tolerations] }),
    ...(request.exclusive && { exclusive: true }),
    ...(request.window !== undefined && { window: request.window }),
    ...(secrets.length > 0 && { secrets: [...secrets] }),
    ...(imagePullSecrets.length > 0 && { imagePullSecrets: imagePullSecrets.map((secret) => ({ name: secret })) }),
    ...(request.priorityClass !== undefined && { priorityClassName: request.priorityClass }),
    ...(request.jobDeadlineSeconds !== undefined && { jobActiveDeadlineSecs: request.jobDeadlineSeconds }),
    ...(request.postCompleteDelay !== undefined && { postCompleteDelay: request.postCompleteDelay }),
    ...(Object.keys(request.postCompleteLabels).length > 0 && { postCompleteLabels: request.postCompleteLabels }),
    ...(request.prepare !== undefined && { prepare: request.prepare }),
    ...(request.cordon && request.drain === undefined && { cordon: true }),
    ...(request.drain !== undefined && { drain: request.drain }),
    upgrade: {
      image,
      command: [...request.command],
      ...(request.args.length > 0 && { args: [...request.args] }),
      ...(envs.length > 0 && { envs }),
    },
  };
  return {
    apiVersion: PLAN_API_VERSION,
    kind: 'Plan',
    metadata: {
      name,
      namespace,
      ...(Object.keys(request.labels).length > 0 && { labels: { ...request.labels } }),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec,
  };
}

function plannedImage({ image, version, channel, runner }: PlanRequest): PlannedImage {
  const planned = planImage(image, { version, channel: channel !== undefined });
  if (runner === undefined) return planned;
  if (!/@|:[^/]+$/.test(runner)) {
    throw new HoldfastError('HF-USAGE', `the runner ${runner} has no tag: it would get that of the system`, {
      hint: `add its own: ${runner}:1`,
    });
  }
  const digest = /@sha256:([0-9a-f]{12})/.exec(planned.image)?.[1];
  // The digest is in a variable, which isn't hashed: it has to show in the version.
  const told =
    digest === undefined || planned.version?.includes(digest) ? planned.version : `${planned.version}-${digest}`;
  return { ...planned, image: runner, version: told, hashed: false };
}

/** What suc-upgrade in the image reads. */
function ownEnvs({ verifiedPull, runner, force, retryFailed }: PlanRequest, reference: string): EnvVar[] {
  return [
    ...(verifiedPull || runner !== undefined ? [{ name: 'HOLDFAST_IMAGE', value: `docker:${reference}` }] : []),
    ...(force ? [{ name: 'FORCE', value: 'true' }] : []),
    ...(retryFailed === undefined ? [] : [{ name: 'HOLDFAST_RETRY_FAILED', value: retryFailed }]),
  ];
}

function notAName(what: string, text: string): HoldfastError {
  return new HoldfastError('HF-USAGE', `${JSON.stringify(text)} can't be the ${what}`, {
    hint: 'lower case letters, digits, "-" and ".", at most 63 characters',
  });
}
