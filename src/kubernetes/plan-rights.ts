// What jobs of a Plan need in a cluster beside the Plan: their namespace, their service account, and the rights to cordon, drain,
// wait for other nodes and say on the node how it went. The controller's own manifest has most of it; this is for clusters that have
// another account, and adds what suc-upgrade and waiting need.

import type { KubernetesObject } from './plan-text.ts';

interface Rule {
  apiGroups: readonly string[];
  resources: readonly string[];
  verbs: readonly string[];
}

export interface RightsObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  rules?: readonly Rule[];
  roleRef?: { apiGroup: string; kind: string; name: string };
  subjects?: readonly { kind: string; name: string; namespace: string }[];
}

const RULES: readonly Rule[] = [
  // Cordon, wait for the label of other nodes, annotate the outcome.
  { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch', 'patch'] },
  // Drain: find what runs on the node, whose it is, and evict it.
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'delete'] },
  { apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] },
  { apiGroups: ['apps'], resources: ['daemonsets', 'replicasets', 'statefulsets'], verbs: ['get', 'list'] },
];

/** Namespace, service account, role and binding, in the order in which they are applied. */
export function makeRights(namespace: string, serviceAccount: string): (KubernetesObject & RightsObject)[] {
  const role = `holdfast-${serviceAccount}`;
  const rbac = 'rbac.authorization.k8s.io';
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      // Jobs of the controller are privileged.
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: serviceAccount, namespace } },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name: role }, rules: RULES },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: role },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace }],
    },
  ];
}
