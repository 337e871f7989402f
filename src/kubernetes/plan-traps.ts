// What a Plan that every check lets pass does other than people expect: known from the controller's own rules and from what
// happened to users.

import type { Problem } from '../cloudconfig/problem.ts';
import { parseRegistryName } from '../image/registry/name.ts';
import { messageOf } from '../system/errors.ts';
import type { Container, PlanDocument } from './plan-document.ts';
import { DIGEST_ANNOTATION } from './plan-image.ts';
import { isLabelValue } from './plan-selector.ts';
import { durationSeconds, windowProblem } from './plan-window.ts';

export interface Trap extends Pick<Problem, 'severity' | 'message' | 'hint'> {
  path: readonly (string | number)[];
}

export interface TrapOptions {
  /** How many nodes the plan selects, if that is known. */
  nodes?: number | undefined;
}

/** What the shipped configuration of the controller gives each job. */
export const SHIPPED_DEADLINE_SECONDS = 900;

/** In the order of the document. */
export function planTraps(plan: PlanDocument, options: TrapOptions): Trap[] {
  return [
    ...versionTraps(plan),
    ...nodeTraps(plan, options),
    ...drainTraps(plan),
    ...timeTraps(plan),
    ...containerTraps(plan),
  ];
}

function versionTraps({ metadata, spec }: PlanDocument): Trap[] {
  const { version, channel, upgrade } = spec;
  const traps: Trap[] = [];
  const error = (path: Trap['path'], message: string, hint: string) =>
    traps.push({ severity: 'error', path, message, hint });
  const warning = (path: Trap['path'], message: string, hint: string) =>
    traps.push({ severity: 'warning', path, message, hint });
  if (version === undefined && channel === undefined) {
    error(
      ['spec'],
      'neither version nor channel: the controller can’t resolve a version and does nothing',
      'add version: the tag of the image',
    );
  }
  if (version !== undefined && !isLabelValue(version.replaceAll('+', '-'))) {
    error(
      ['spec', 'version'],
      `${JSON.stringify(version)} can't be a label, which the controller makes of it: no job would be created`,
      'up to 63 letters, digits, "-", "_" and "."',
    );
  }
  if (version !== undefined && channel !== undefined) {
    warning(['spec', 'channel'], 'version wins: the channel is never asked', 'leave one of them out');
  }
  const tagged = hasTagOrDigest(upgrade.image);
  const hashed = (metadata.annotations?.[DIGEST_ANNOTATION] ?? '').split(',').includes('spec.upgrade.image');
  if (tagged && channel !== undefined && version === undefined) {
    warning(
      ['spec', 'upgrade', 'image'],
      'the image has a tag or digest: every version of the channel would run the same image',
      'leave the tag out',
    );
  } else if (tagged && !hashed && !pullsByItself(upgrade)) {
    warning(
      ['spec', 'upgrade', 'image'],
      'the image has a tag or digest, which the controller doesn’t look at: changing only it starts no new round',
      `change version with it, or add the annotation ${DIGEST_ANNOTATION}: spec.upgrade.image`,
    );
  }
  if (version === 'latest' || /:latest$/.test(upgrade.image)) {
    warning(
      ['spec', version === 'latest' ? 'version' : 'upgrade'],
      '"latest" stays the same when the image changes: nodes that are done stay done',
      'use a tag for each build, or a digest',
    );
  }
  return traps;
}

function nodeTraps({ spec }: PlanDocument, { nodes }: TrapOptions): Trap[] {
  const traps: Trap[] = [];
  const { concurrency, nodeSelector, serviceAccountName } = spec;
  if (concurrency === undefined || concurrency < 1) {
    traps.push({
      severity: 'warning',
      path: ['spec', 'concurrency'],
      message: 'concurrency is 0: the controller chooses no node, and the plan never ends',
      hint: 'write concurrency: 1 or more',
    });
  } else if (nodes !== undefined && concurrency >= nodes && nodes > 1) {
    traps.push({
      severity: 'warning',
      path: ['spec', 'concurrency'],
      message: `concurrency ${concurrency} with ${nodes} nodes: all of them restart at once`,
      hint: 'a bad image is noticed on the first nodes only if there are others left',
    });
  }
  if (nodeSelector === undefined) {
    traps.push({
      severity: 'warning',
      path: ['spec'],
      message: 'without nodeSelector the plan selects no node at all',
      hint: 'for every node: nodeSelector: {matchExpressions: [{key: kubernetes.io/hostname, operator: Exists}]}',
    });
  }
  for (const [index, { operator, values, key }] of (nodeSelector?.matchExpressions ?? []).entries()) {
    const wants = operator === 'In' || operator === 'NotIn';
    if (wants === (values !== undefined && values.length > 0)) continue;
    traps.push({
      severity: 'error',
      path: ['spec', 'nodeSelector', 'matchExpressions', index],
      message: `${key}: ${operator} ${wants ? 'needs values' : 'takes no values'}`,
      hint: 'the controller can’t use this selector and does nothing',
    });
  }
  if (serviceAccountName === undefined) {
    traps.push({
      severity: 'warning',
      path: ['spec'],
      message: 'no serviceAccountName: the jobs run as "default", which may not cordon or drain',
      hint: 'the controller’s manifest has system-upgrade',
    });
  }
  return traps;
}

function drainTraps({ spec: { cordon, drain } }: PlanDocument): Trap[] {
  if (drain === undefined) return [];
  const traps: Trap[] = [];
  if (cordon === true) {
    traps.push({
      severity: 'warning',
      path: ['spec', 'cordon'],
      message: 'drain cordons too: cordon has no effect',
      hint: 'leave it out',
    });
  }
  if (drain.deleteLocalData !== undefined && drain.deleteEmptydirData !== undefined) {
    traps.push({
      severity: 'error',
      path: ['spec', 'drain', 'deleteLocalData'],
      message: 'deleteLocalData and deleteEmptydirData are the same: the controller refuses both together',
      hint: 'deleteEmptydirData is the newer name',
    });
  }
  if (typeof drain.timeout === 'number' && drain.timeout !== 0 && Math.abs(drain.timeout) < 1e9) {
    traps.push({
      severity: 'warning',
      path: ['spec', 'drain', 'timeout'],
      message: `timeout ${drain.timeout} counts nanoseconds: less than a second`,
      hint: `${drain.timeout} seconds are ${drain.timeout * 1e9}, or "${drain.timeout}s" with controller 0.16.3 and later`,
    });
  }
  if (typeof drain.timeout === 'string' && durationSeconds(drain.timeout) === undefined) {
    traps.push({
      severity: 'error',
      path: ['spec', 'drain', 'timeout'],
      message: `${JSON.stringify(drain.timeout)} is no duration`,
      hint: 'write 90s, 5m or 1h30m',
    });
  }
  return traps;
}

function timeTraps({ spec }: PlanDocument): Trap[] {
  const traps: Trap[] = [];
  const wrong = spec.window === undefined ? undefined : windowProblem(spec.window);
  if (wrong !== undefined) traps.push({ path: ['spec', 'window'], ...wrong });
  const { postCompleteDelay, jobActiveDeadlineSecs } = spec;
  const delay = postCompleteDelay === undefined ? 0 : durationSeconds(postCompleteDelay);
  if (delay === undefined || delay < 0) {
    traps.push({
      severity: 'error',
      path: ['spec', 'postCompleteDelay'],
      message: `${JSON.stringify(postCompleteDelay)} is no duration of 0 or more`,
      hint: 'write 90s, 5m or 1h30m',
    });
  }
  const limit = jobActiveDeadlineSecs ?? SHIPPED_DEADLINE_SECONDS;
  const drainSeconds =
    typeof spec.drain?.timeout === 'number' ? spec.drain.timeout / 1e9 : durationSeconds(spec.drain?.timeout ?? '0');
  if (limit > 0 && drainSeconds !== undefined && drainSeconds >= limit) {
    traps.push({
      severity: 'warning',
      path: ['spec', 'drain', 'timeout'],
      message: `draining may take ${drainSeconds} s, and the whole job has ${limit} s`,
      hint: 'raise jobActiveDeadlineSecs: a job that misses its deadline stops the plan',
    });
  }
  if (jobActiveDeadlineSecs !== undefined && jobActiveDeadlineSecs > 0 && jobActiveDeadlineSecs < 600) {
    traps.push({
      severity: 'warning',
      path: ['spec', 'jobActiveDeadlineSecs'],
      message: `${jobActiveDeadlineSecs} s for pulling, writing, restarting and looking once more: a node may need longer`,
      hint: 'a job that misses its deadline stops the plan; 900 s is what the controller ships with',
    });
  }
  return traps;
}

function containerTraps({ spec }: PlanDocument): Trap[] {
  const containers: [string, Container | undefined][] = [
    ['prepare', spec.prepare],
    ['upgrade', spec.upgrade],
  ];
  return containers.flatMap(([name, container]) =>
    container === undefined ? [] : imageTraps(name, container, spec.upgrade.image).concat(forceTraps(name, container)),
  );
}

function imageTraps(name: string, { image, command, args }: Container, upgraded: string): Trap[] {
  const path = ['spec', name, 'image'];
  try {
    parseRegistryName(image);
  } catch (error) {
    return [{ severity: 'error', path, message: messageOf(error), hint: 'registry.example/os, the tag in version' }];
  }
  if (name === 'prepare' && !hasTagOrDigest(image) && image !== upgraded) {
    return [
      {
        severity: 'warning',
        path,
        message: `${image} has no tag, and gets the version of the plan as its own`,
        hint: 'add the tag that this image has',
      },
    ];
  }
  if (name !== 'upgrade' || command !== undefined || args !== undefined || image !== upgraded) return [];
  return [
    {
      severity: 'warning',
      path: ['spec', 'upgrade'],
      message: 'no command: what the image starts by itself is run, which for an operating system is seldom an upgrade',
      hint: 'command: [/usr/sbin/suc-upgrade]',
    },
  ];
}

function forceTraps(name: string, { command = [], envs = [] }: Container): Trap[] {
  const index = envs.findIndex((env) => env.name === 'FORCE' && env.value === 'true');
  if (index < 0 || !command.some((word) => word.endsWith('suc-upgrade'))) return [];
  return [
    {
      severity: 'warning',
      path: ['spec', name, 'envs', index],
      message: 'FORCE=true: images with cOS’ own suc-upgrade upgrade and restart for ever',
      hint: 'Holdfast’s suc-upgrade forces once for each round; take it out when all nodes are done',
    },
  ];
}

/** The pod's image is a tool then; which system a node gets is in the variable. */
function pullsByItself({ envs = [] }: Container): boolean {
  return envs.some(({ name, value }) => name === 'HOLDFAST_IMAGE' && value !== undefined && value !== '');
}

function hasTagOrDigest(image: string): boolean {
  return image.includes('@') || image.indexOf(':', image.lastIndexOf('/') + 1) >= 0;
}
