// A GitRepo of Rancher's Fleet: which directory of which repository goes to which clusters. With Plans in that directory, a
// commit that changes their version rolls the image out.

import { HoldfastError } from '../system/errors.ts';
import type { LabelSelector } from './plan-document.ts';
import { isObjectName } from './plan-selector.ts';

export interface GitRepo {
  apiVersion: 'fleet.cattle.io/v1alpha1';
  kind: 'GitRepo';
  metadata: { name: string; namespace: string };
  spec: {
    repo: string;
    branch: string;
    paths: string[];
    clientSecretName?: string;
    targets?: { clusterSelector: LabelSelector }[];
  };
}

export interface GitRepoRequest {
  name: string;
  /** `fleet-local` for the cluster that Fleet runs in, `fleet-default` for those that are registered with it. */
  namespace: string;
  repo: string;
  branch: string;
  paths: readonly string[];
  secret?: string | undefined;
  /** Empty: every cluster of the namespace. */
  clusters: LabelSelector;
}

/** @throws HoldfastError HF-USAGE for what is no repository, or a directory outside of it. */
export function makeGitRepo(request: GitRepoRequest): GitRepo {
  const { name, namespace, repo, branch, paths, secret, clusters } = request;
  if (!isObjectName(name))
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(name)} can't be the name of a GitRepo`);
  const isRemote = /^(?:https?|ssh|git):\/\/[^\s]+$/.test(repo) || /^[\w.-]+@[\w.-]+:[^\s]+$/.test(repo);
  if (!isRemote) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(repo)} is no address of a git repository`, {
      hint: 'https://git.example/team/fleet, or git@git.example:team/fleet with --fleet-secret',
    });
  }
  if (/^https?:\/\/[^/]*@/.test(repo)) {
    throw new HoldfastError(
      'HF-USAGE',
      'the address holds a name, a password or a token, and everybody who may read the GitRepo could read it',
      {
        hint: 'put it into a Secret of type kubernetes.io/basic-auth and name that with --fleet-secret',
      },
    );
  }
  const outside = paths.find((path) => path.startsWith('/') || path.split('/').includes('..'));
  if (outside !== undefined) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(outside)} is no directory of the repository`, {
      hint: 'write it from the repository’s top: fleet/os',
    });
  }
  // Without targets, a GitRepo outside of fleet-local goes nowhere; an empty selector is every cluster.
  const targets = namespace === 'fleet-local' ? {} : { targets: [{ clusterSelector: clusters }] };
  return {
    apiVersion: 'fleet.cattle.io/v1alpha1',
    kind: 'GitRepo',
    metadata: { name, namespace },
    spec: { repo, branch, paths: [...paths], ...(secret !== undefined && { clientSecretName: secret }), ...targets },
  };
}
