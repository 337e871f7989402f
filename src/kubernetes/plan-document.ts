// A Plan of Rancher's System Upgrade Controller, as a schema: the fields that its definition (upgrade.cattle.io/v1) knows, and
// nothing beside them, because the API server drops an unknown field without a word.

import { z } from 'zod';

export const PLAN_API_VERSION = 'upgrade.cattle.io/v1';

const requirement = z.strictObject({
  key: z.string(),
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
  values: z.array(z.string()).optional(),
});

export const labelSelector = z.strictObject({
  matchLabels: z.record(z.string(), z.string()).optional(),
  matchExpressions: z.array(requirement).optional(),
});

const nameRef = { name: z.string().optional(), optional: z.boolean().optional() };
const keyRef = z.strictObject({ key: z.string(), ...nameRef });

const envVar = z.strictObject({
  name: z.string().min(1),
  value: z.string().optional(),
  valueFrom: z
    .strictObject({
      configMapKeyRef: keyRef.optional(),
      secretKeyRef: keyRef.optional(),
      fieldRef: z.strictObject({ apiVersion: z.string().optional(), fieldPath: z.string() }).optional(),
      resourceFieldRef: z
        .strictObject({
          containerName: z.string().optional(),
          divisor: z.union([z.string(), z.int()]).optional(),
          resource: z.string(),
        })
        .optional(),
      fileKeyRef: z.looseObject({ key: z.string(), path: z.string(), volumeName: z.string() }).optional(),
    })
    .optional(),
});

const container = z.strictObject({
  image: z.string().min(1),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  // The key is `envs`, other than in a pod.
  envs: z.array(envVar).optional(),
  envFrom: z
    .array(
      z.strictObject({
        prefix: z.string().optional(),
        configMapRef: z.strictObject(nameRef).optional(),
        secretRef: z.strictObject(nameRef).optional(),
      }),
    )
    .optional(),
  volumes: z.array(z.strictObject({ name: z.string(), source: z.string(), destination: z.string() })).optional(),
  // Kubernetes' own SecurityContext: it grows with Kubernetes, and nothing of it is decided here.
  securityContext: z.looseObject({ privileged: z.boolean().optional() }).optional(),
});

const toleration = z.strictObject({
  key: z.string().optional(),
  operator: z.enum(['Exists', 'Equal', 'Lt', 'Gt']).optional(),
  value: z.string().optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute', '']).optional(),
  tolerationSeconds: z.int().optional(),
});

const drain = z.strictObject({
  // A number counts nanoseconds.
  timeout: z.union([z.int(), z.string()]).optional(),
  gracePeriod: z.int32().optional(),
  deleteLocalData: z.boolean().optional(),
  deleteEmptydirData: z.boolean().optional(),
  ignoreDaemonSets: z.boolean().optional(),
  force: z.boolean().optional(),
  disableEviction: z.boolean().optional(),
  skipWaitForDeleteTimeout: z.int().optional(),
  podSelector: labelSelector.optional(),
});

/** Words for the days of a week, as the controller reads them; Sunday is the first one. */
export const DAYS = [
  ['0', 'su', 'sun', 'sunday'],
  ['1', 'mo', 'mon', 'monday'],
  ['2', 'tu', 'tue', 'tuesday'],
  ['3', 'we', 'wed', 'wednesday'],
  ['4', 'th', 'thu', 'thursday'],
  ['5', 'fr', 'fri', 'friday'],
  ['6', 'sa', 'sat', 'saturday'],
] as const;

const window = z.strictObject({
  days: z.array(z.enum(DAYS.flat())).min(1).optional(),
  startTime: z.string().optional(),
  endTime: z.string().optional(),
  timeZone: z.string().optional(),
});

const spec = z.strictObject({
  concurrency: z.int().optional(),
  jobActiveDeadlineSecs: z.int().optional(),
  version: z.string().optional(),
  channel: z.string().optional(),
  nodeSelector: labelSelector.optional(),
  serviceAccountName: z.string().optional(),
  secrets: z
    .array(
      z.strictObject({
        name: z.string(),
        path: z.string().optional(),
        ignoreUpdates: z.boolean().optional(),
        defaultMode: z.int32().optional(),
      }),
    )
    .optional(),
  tolerations: z.array(toleration).optional(),
  exclusive: z.boolean().optional(),
  window: window.optional(),
  cordon: z.boolean().optional(),
  drain: drain.optional(),
  imagePullSecrets: z.array(z.strictObject({ name: z.string().optional() })).optional(),
  priorityClassName: z.string().optional(),
  postCompleteDelay: z.string().optional(),
  postCompleteLabels: z.record(z.string(), z.string()).optional(),
  prepare: container.optional(),
  upgrade: container,
});

export const planDocument = z.strictObject({
  apiVersion: z.literal(PLAN_API_VERSION),
  kind: z.literal('Plan'),
  // Of the API server, which knows more of it than is written by hand.
  metadata: z.looseObject({
    name: z.string().min(1),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec,
  // What `kubectl get -o yaml` adds.
  status: z.looseObject({}).optional(),
});

export type PlanDocument = z.infer<typeof planDocument>;
export type PlanSpec = PlanDocument['spec'];
export type LabelSelector = z.infer<typeof labelSelector>;
export type Toleration = z.infer<typeof toleration>;
export type Window = z.infer<typeof window>;
export type Container = z.infer<typeof container>;
export type EnvVar = z.infer<typeof envVar>;

/** Of a plan that names its image or nothing, this one is a candidate: what `kubernetes validate` looks at. */
export function isPlan(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    value.kind === 'Plan' &&
    'apiVersion' in value &&
    typeof value.apiVersion === 'string' &&
    value.apiVersion.startsWith('upgrade.cattle.io/')
  );
}
