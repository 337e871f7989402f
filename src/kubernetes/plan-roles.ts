// Two Plans for a cluster with servers and agents, as k3s has them: servers one at a time, agents when every server has the
// same round behind it. They wait by a label that the controller sets, not by a condition that may still be the last round's.

import { HoldfastError } from '../system/errors.ts';
import { makePlan, type PlanRequest } from './plan.ts';
import { type ControllerVersion, DEADLINES_SINCE, isOlder } from './plan-controller.ts';
import type { Container, LabelSelector, PlanDocument } from './plan-document.ts';
import { DIGEST_ANNOTATION } from './plan-image.ts';

const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane';

/** In the image: kubectl 1.23 or later, which can wait for a value. */
export const KUBECTL_IMAGE = 'rancher/kubectl:v1.30.3';

/**
 * How long agents may wait. Waiting counts against the deadline of their jobs, and a job that misses its deadline stops the plan.
 */
const WAIT_SECONDS = 4 * 3600;
const TIME_TO_UPGRADE_SECONDS = 1800;
/** Within the deadline that a controller ships with, which older ones can't change for a plan; they make a new job later. */
const SHORT_WAIT_SECONDS = 600;

/**
 * Plans NAME-server and NAME-agent.
 * @throws HoldfastError HF-USAGE as {@link makePlan}, and when the request has a step of its own before the upgrade.
 */
export function makeServerAndAgentPlans(
  request: PlanRequest,
  { controller }: { controller?: ControllerVersion | undefined } = {},
): [server: PlanDocument, agent: PlanDocument] {
  const hasDeadlines = controller === undefined || !isOlder(controller, DEADLINES_SINCE);
  if (request.prepare !== undefined) {
    throw new HoldfastError(
      'HF-USAGE',
      '--prepare and --server-and-agent exclude each other: agents prepare by waiting',
      {
        hint: 'write two Plans, one with --node-selector and --prepare',
      },
    );
  }
  const digest = request.annotations[DIGEST_ANNOTATION];
  if (digest !== undefined && digest !== 'spec.upgrade.image') {
    throw new HoldfastError('HF-USAGE', `--annotation ${DIGEST_ANNOTATION}=${digest}: both Plans must have one hash`, {
      hint: 'leave it out: agents wait for servers with their own hash',
    });
  }
  const server = makePlan({
    ...request,
    name: `${request.name}-server`,
    concurrency: 1,
    selector: joined(request.selector, { key: CONTROL_PLANE, operator: 'In', values: ['true'] }),
    tolerations: [
      ...request.tolerations,
      { key: CONTROL_PLANE, operator: 'Exists', effect: 'NoSchedule' },
      { key: 'CriticalAddonsOnly', operator: 'Exists' },
    ],
    drain: undefined,
  });
  const agent = makePlan({
    ...request,
    name: `${request.name}-agent`,
    selector: joined(request.selector, { key: CONTROL_PLANE, operator: 'DoesNotExist' }),
    prepare: waitFor(server.metadata.name, hasDeadlines ? WAIT_SECONDS : SHORT_WAIT_SECONDS),
    jobDeadlineSeconds:
      request.jobDeadlineSeconds ?? (hasDeadlines ? WAIT_SECONDS + TIME_TO_UPGRADE_SECONDS : undefined),
  });
  return [server, agent];
}

/**
 * Waits until every server carries the hash of this round. Plans of the same version, service account and secrets have the same hash,
 * so the agents' own hash is what the servers will have.
 */
function waitFor(plan: string, seconds: number): Container {
  return {
    image: KUBECTL_IMAGE,
    args: [
      'wait',
      'node',
      `--selector=${CONTROL_PLANE}=true`,
      `--for=jsonpath={.metadata.labels.plan\\.upgrade\\.cattle\\.io/${plan}}=$(SYSTEM_UPGRADE_PLAN_LATEST_HASH)`,
      `--timeout=${seconds}s`,
    ],
  };
}

function joined(
  { matchLabels, matchExpressions = [] }: LabelSelector,
  requirement: NonNullable<LabelSelector['matchExpressions']>[number],
): LabelSelector {
  return { ...(matchLabels !== undefined && { matchLabels }), matchExpressions: [...matchExpressions, requirement] };
}
