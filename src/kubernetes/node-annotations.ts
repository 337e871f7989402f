// What a node says of its last upgrade, where people who look after a cluster look: annotations of the node's object. They are
// written with what is at hand, the pod's service account or a kubeconfig of the node, and never decide about the upgrade.

import { dirname } from 'node:path';
import { readTextWithin } from '../system/boundedtext.ts';
import { errnoOf, messageOf } from '../system/errors.ts';
import { reasonOf } from '../system/http.ts';
import type { Root } from '../system/root.ts';
import { tlsFetch } from '../system/tls-fetch.ts';
import { type ApiAccess, parseKubeconfig, podAccess } from './kubeconfig.ts';

const PREFIX = 'upgrade.holdfast.io';
const MAX_VALUE = 1024;
const MAX_FILE_BYTES = 1 << 20;
const TIMEOUT_MS = 10_000;

/** Where distributions leave a kubeconfig that may change the node's own object, on servers and on agents. */
export const KUBECONFIGS = [
  '/etc/rancher/k3s/k3s.yaml',
  '/etc/rancher/rke2/rke2.yaml',
  '/var/lib/rancher/k3s/agent/kubelet.kubeconfig',
  '/var/lib/rancher/rke2/agent/kubelet.kubeconfig',
  '/etc/kubernetes/kubelet.conf',
  '/var/lib/kubelet/kubeconfig',
] as const;

/** How an upgrade of a node stands. */
export interface NodeNote {
  outcome: 'done' | 'rebooting' | 'refused' | 'failed';
  version: string | undefined;
  plan: string | undefined;
  /** A sentence. */
  reason: string;
  /** RFC 3339. */
  time: string;
}

/** The annotations of a note; what isn't known is taken away. Pure. */
export function annotationsOf({ outcome, version, plan, reason, time }: NodeNote): Record<string, string | null> {
  const bounded = (text: string | undefined) => (text === undefined ? null : [...text].slice(0, MAX_VALUE).join(''));
  return {
    [`${PREFIX}/outcome`]: outcome,
    [`${PREFIX}/version`]: bounded(version),
    [`${PREFIX}/plan`]: bounded(plan),
    [`${PREFIX}/reason`]: bounded(reason),
    [`${PREFIX}/time`]: time,
  };
}

export interface AnnotateOptions {
  nodeName: string;
  environment: Readonly<Record<string, string | undefined>>;
  /** The node's tree, and the pod's. */
  root: Root;
  podRoot: Root;
  /** The only kubeconfig that is used, where one was named. */
  kubeconfig?: string | undefined;
}

/**
 * Writes a note to the node's object.
 * @returns why that was not possible, a sentence for each way that was tried; nothing when it is written.
 */
export async function annotateNode(note: NodeNote, options: AnnotateOptions): Promise<string[]> {
  const { ways, problems } = findAccess(options);
  for (const { from, access } of ways) {
    const problem = await patchNode(access, options.nodeName, annotationsOf(note));
    if (problem === undefined) return [];
    problems.push(`${from}: ${problem}`);
  }
  if (problems.length > 0) return problems;
  return ['there is no service account in this pod and no kubeconfig on this node'];
}

/** Every way to the API server, the most likely one first. */
function findAccess({ environment, root, podRoot, kubeconfig }: AnnotateOptions): {
  ways: { from: string; access: ApiAccess }[];
  problems: string[];
} {
  const ways: { from: string; access: ApiAccess }[] = [];
  const problems: string[] = [];
  const attempt = (from: string, open: () => ApiAccess | undefined) => {
    try {
      const access = open();
      if (access !== undefined) ways.push({ from, access });
    } catch (error) {
      problems.push(`${from} ${messageOf(error)}`);
    }
  };
  const readIn = (tree: Root) => (path: string) => readTextWithin(tree.resolve(path), MAX_FILE_BYTES);
  const readNode = readIn(root);
  if (kubeconfig === undefined) attempt('the service account', () => podAccess(environment, readIn(podRoot)));
  for (const file of kubeconfig === undefined ? KUBECONFIGS : [kubeconfig]) {
    attempt(file, () => {
      try {
        return parseKubeconfig(readNode(file), dirname(file), readNode);
      } catch (error) {
        if (kubeconfig === undefined && errnoOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    });
  }
  return { ways, problems };
}

/**
 * Changes annotations of a node by a JSON merge patch (RFC 7386).
 * @returns why it didn't work, without anything secret; undefined when it did.
 */
export async function patchNode(
  { server, authority, certificate, key, token }: ApiAccess,
  nodeName: string,
  annotations: Readonly<Record<string, string | null>>,
): Promise<string | undefined> {
  try {
    const answer = await tlsFetch(
      `${server}/api/v1/nodes/${encodeURIComponent(nodeName)}`,
      {
        method: 'PATCH',
        headers: {
          'content-type': 'application/merge-patch+json',
          accept: 'application/json',
          'user-agent': 'holdfast',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ metadata: { annotations } }),
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      },
      { authorities: [authority], authoritiesOnly: true, certificate, key },
    );
    await answer.body?.cancel();
    return answer.ok ? undefined : (STATUS[answer.status] ?? `the API server answered with status ${answer.status}`);
  } catch (error) {
    return reasonOf(error);
  }
}

const STATUS: Readonly<Record<number, string>> = {
  401: 'the API server does not know this user (status 401)',
  403: 'this user may not change the node (status 403); it needs the verb patch on nodes',
  404: 'the API server knows no node of this name (status 404)',
};
