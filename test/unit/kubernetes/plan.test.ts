// Plans that are written: they fit the definitions of controllers, read again as what was meant, and give no cause for a warning.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeGitRepo } from '../../../src/kubernetes/fleet-repo.ts';
import { makePlan, type PlanRequest } from '../../../src/kubernetes/plan.ts';
import { checkPlan } from '../../../src/kubernetes/plan-check.ts';
import { formatControllerVersion, neededController } from '../../../src/kubernetes/plan-controller.ts';
import type { PlanDocument } from '../../../src/kubernetes/plan-document.ts';
import { makeRights } from '../../../src/kubernetes/plan-rights.ts';
import { makeServerAndAgentPlans } from '../../../src/kubernetes/plan-roles.ts';
import { parseSelectors, parseToleration } from '../../../src/kubernetes/plan-selector.ts';
import { formatJson, formatObjects } from '../../../src/kubernetes/plan-text.ts';
import { parseWindow } from '../../../src/kubernetes/plan-window.ts';
import { itemsOf, readObjects } from '../../../src/kubernetes/plan-yaml.ts';
import { definitionOf, gitRepoSchema } from './definition.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

function request(changes: Partial<PlanRequest> = {}): PlanRequest {
  return {
    name: 'os',
    namespace: 'system-upgrade',
    labels: {},
    annotations: {},
    image: 'registry.example/os:v2',
    concurrency: 1,
    selector: {},
    tolerations: [],
    serviceAccount: 'system-upgrade',
    cordon: true,
    command: ['/usr/sbin/suc-upgrade'],
    args: [],
    envs: [],
    secrets: [],
    imagePullSecrets: [],
    exclusive: false,
    postCompleteLabels: {},
    verifiedPull: false,
    force: false,
    ...changes,
  };
}

/** All that newer controllers know. */
const RICH: Partial<PlanRequest> = {
  labels: { ring: 'canary' },
  annotations: { 'example.com/note': 'yes: no' },
  image: `registry.example:5000/os:v2@${DIGEST}`,
  selector: parseSelectors(['pool in (a,b),!old', 'arch=amd64']),
  tolerations: ['a=b:NoSchedule', '*'].map(parseToleration),
  drain: { timeout: 300e9, gracePeriod: 30, force: true, podSelector: parseSelectors(['app!=db']) },
  args: ['--strict=false'],
  envs: [{ name: 'A', value: '1.10' }],
  prepare: { image: 'registry.example/check:1', command: ['/check'], args: ['now'] },
  secrets: [{ name: 'keys', path: '/run/keys' }],
  imagePullSecrets: ['registry'],
  exclusive: true,
  window: parseWindow('sat,sun 01:00-05:00 Europe/Berlin'),
  postCompleteDelay: '5m',
  postCompleteLabels: { 'example.com/os': '$(LATEST_VERSION)' },
  priorityClass: 'system-cluster-critical',
  jobDeadlineSeconds: 3600,
  verifiedPull: true,
  force: true,
  retryFailed: 'once',
};

/** Those of old controllers. */
const OLD: Partial<PlanRequest> = {
  ...RICH,
  exclusive: false,
  window: undefined,
  imagePullSecrets: [],
  postCompleteLabels: {},
};
delete OLD.postCompleteDelay;
delete OLD.priorityClass;
delete OLD.jobDeadlineSeconds;

function readBack(plans: readonly PlanDocument[]): unknown[] {
  return readObjects(formatObjects(plans), 'plans.yaml').map(({ value }) => value);
}

describe('a plan that is written', () => {
  test.each([
    ['a plain one', '0.13', [makePlan(request())]],
    ['a plain one', '0.20', [makePlan(request())]],
    ['all that old controllers know', '0.13', [makePlan(request(OLD))]],
    ['all that there is', '0.20', [makePlan(request(RICH))]],
    ['servers and agents', '0.20', makeServerAndAgentPlans(request({ drain: {} }))],
    ['servers and agents', '0.13', makeServerAndAgentPlans(request({ drain: {} }), { controller: [0, 13, 0] })],
    ['a channel', '0.13', [makePlan(request({ image: 'registry.example/os', channel: 'https://c.example/stable' }))]],
  ] as const)('%s fits the definition of %s, read back from its YAML and its JSON', (_what, version, plans) => {
    const definition = definitionOf(version);
    expect(plans.flatMap(definition)).toEqual([]);
    expect(readBack(plans)).toEqual(plans);
    const json = readObjects(formatJson(plans), 'plans.json').flatMap(itemsOf);
    expect(json.map(({ value }) => value)).toEqual(plans);
  });

  test('needs no newer definition than it says', () => {
    expect(definitionOf('0.13')(makePlan(request(RICH)))).not.toEqual([]);
    const needed = neededController(makePlan(request(RICH)));
    expect(needed && formatControllerVersion(needed.version)).toBe('0.19.2');
    expect(neededController(makePlan(request()))).toBeUndefined();
    expect(formatObjects([makePlan(request(RICH))])).toContain(
      '# Needs System Upgrade Controller 0.19.2 or later (spec.postCompleteLabels).\n',
    );
  });

  test('gives no cause for a warning', () => {
    for (const plan of [
      makePlan(request()),
      makePlan(request({ ...RICH, force: false })),
      ...makeServerAndAgentPlans(request()),
    ]) {
      const problems = readObjects(formatObjects([plan]), 'p').flatMap(
        (each) => checkPlan(each)?.problems.map(({ message }) => message) ?? ['no plan'],
      );
      expect(problems).toEqual([]);
    }
  });

  test('is read back as it was, whatever its texts are', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((each) => !/[\ud800-\udfff]/.test(each));
    fc.assert(
      fc.property(fc.array(text, { minLength: 1 }), fc.dictionary(text, text), (args, annotations) => {
        const plan = makePlan(request({ args, annotations }));
        const rich = { ...plan, metadata: { ...plan.metadata, annotations: { ...annotations } } };
        expect(JSON.parse(JSON.stringify(readBack([rich])))).toEqual(JSON.parse(JSON.stringify([rich])));
      }),
      { numRuns: 200 },
    );
  });
});

describe('the version', () => {
  test('is the tag, and the image has none', () => {
    expect(makePlan(request()).spec).toMatchObject({ version: 'v2', upgrade: { image: 'registry.example/os' } });
  });

  test('of a digest that changes under a tag is told apart by the hash', () => {
    const plan = makePlan(request({ image: `registry.example/os:v2@${DIGEST}` }));
    expect(plan.metadata.annotations).toEqual({ 'upgrade.cattle.io/digest': 'spec.upgrade.image' });
    expect(plan.spec).toMatchObject({ version: 'v2', upgrade: { image: `registry.example/os:v2@${DIGEST}` } });
  });

  test('of a digest without a tag is its beginning, which can be a label', () => {
    expect(makePlan(request({ image: `registry.example/os@${DIGEST}` })).spec.version).toBe('sha256-0123456789ab');
  });

  test('with a runner, the pod runs that, the node pulls the system, and its digest shows in the version', () => {
    const runner = 'registry.example/holdfast:1';
    const plan = makePlan(request({ image: `registry.example/os:v2@${DIGEST}`, runner }));
    expect(plan.metadata.annotations).toBeUndefined();
    expect(plan.spec).toMatchObject({
      version: 'v2-0123456789ab',
      upgrade: { image: runner, envs: [{ name: 'HOLDFAST_IMAGE', value: `docker:registry.example/os:v2@${DIGEST}` }] },
    });
    expect(makePlan(request({ runner })).spec.version).toBe('v2');
    expect(makePlan(request({ image: `registry.example/os@${DIGEST}`, runner })).spec.version).toBe(
      'sha256-0123456789ab',
    );
    const [read] = readObjects(formatObjects([plan]), 'p');
    expect(read && checkPlan(read)?.problems).toEqual([]);
    expect(() => makePlan(request({ runner: 'registry.example:5000/holdfast' }))).toThrow(/has no tag/);
  });

  test('keeps a plus, of which the controller makes a minus', () => {
    const plan = makePlan(request({ image: 'registry.example/os', version: 'v1.2+3', verifiedPull: true }));
    expect(plan.spec.version).toBe('v1.2+3');
    expect(plan.spec.upgrade.envs).toEqual([{ name: 'HOLDFAST_IMAGE', value: 'docker:registry.example/os:v1.2-3' }]);
  });

  test.each([
    [{ image: 'registry.example/os' }, /names neither a tag nor a digest/],
    [{ image: 'registry.example/os:v2', channel: 'https://c.example/s' }, /--channel is to choose the version/],
    [{ image: 'registry.example/os', version: 'v2/3' }, /can't be the version of a Plan/],
    [{ image: 'dir:/srv/rootfs' }, /is on this machine/],
    [{ image: 'oci-layout:/mnt/images:v2' }, /is on this machine/],
    [{ image: './images' }, /is on this machine/],
    [{ image: 'registry.example/OS:v2' }, /no name of an image in a registry/],
    [{ name: 'OS' }, /can't be the name/],
    [{ name: 'a'.repeat(64) }, /can't be the name/],
    [
      { channel: 'https://c.example/s', image: 'registry.example/os', verifiedPull: true },
      /--verified-pull needs an image/,
    ],
  ])('%j is refused', (changes, message) => {
    expect(() => makePlan(request(changes))).toThrow(message);
  });
});

describe('servers and agents', () => {
  const [server, agent] = makeServerAndAgentPlans(
    request({ concurrency: 5, drain: {}, selector: parseSelectors(['pool=a']) }),
  );

  test('servers go one at a time, and are not drained', () => {
    expect(server.spec).toMatchObject({ concurrency: 1, cordon: true });
    expect(server.spec.drain).toBeUndefined();
    expect(server.metadata.name).toBe('os-server');
  });

  test('agents wait for the label that servers get with the hash that both have', () => {
    expect(agent.spec.prepare?.args).toContain(
      '--for=jsonpath={.metadata.labels.plan\\.upgrade\\.cattle\\.io/os-server}=$(SYSTEM_UPGRADE_PLAN_LATEST_HASH)',
    );
    // What the controller hashes is the same for both.
    const hashed = ({ metadata, spec }: PlanDocument) => [
      metadata.annotations,
      spec.version,
      spec.serviceAccountName,
      spec.secrets,
    ];
    expect(hashed(agent)).toEqual(hashed(server));
  });

  test('a hash that the two could not share is refused', () => {
    const annotations = { 'upgrade.cattle.io/digest': 'spec.concurrency' };
    expect(() => makeServerAndAgentPlans(request({ annotations }))).toThrow(/both Plans must have one hash/);
    expect(makePlan(request({ annotations, image: `registry.example/os:v2@${DIGEST}` })).metadata.annotations).toEqual({
      'upgrade.cattle.io/digest': 'spec.concurrency,spec.upgrade.image',
    });
  });

  test('servers stay open for pods when that was asked for', () => {
    expect(makeServerAndAgentPlans(request({ cordon: false }))[0].spec.cordon).toBeUndefined();
  });

  test('agents have time to wait in', () => {
    const wait = Number(/--timeout=(\d+)s/.exec(agent.spec.prepare?.args?.join(' ') ?? '')?.[1]);
    expect(agent.spec.jobActiveDeadlineSecs).toBeGreaterThan(wait);
    const [, old] = makeServerAndAgentPlans(request(), { controller: [0, 13, 0] });
    expect(old.spec.jobActiveDeadlineSecs).toBeUndefined();
    expect(old.spec.prepare?.args).toContain('--timeout=600s');
  });

  test('no node is in both, and a selector counts for both', () => {
    expect(server.spec.nodeSelector?.matchExpressions).toEqual([
      { key: 'node-role.kubernetes.io/control-plane', operator: 'In', values: ['true'] },
    ]);
    expect(agent.spec.nodeSelector).toEqual({
      matchLabels: { pool: 'a' },
      matchExpressions: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'DoesNotExist' }],
    });
  });
});

test('the rights bind the account to what draining, waiting and annotating need', () => {
  const [, account, role, binding] = makeRights('system-upgrade', 'upgrader');
  expect(account?.metadata).toEqual({ name: 'upgrader', namespace: 'system-upgrade' });
  expect(binding?.roleRef?.name).toBe(role?.metadata.name);
  expect(role?.rules?.find(({ resources }) => resources.includes('nodes'))?.verbs).toEqual([
    'get',
    'list',
    'watch',
    'patch',
  ]);
});

describe('a GitRepo', () => {
  const repo = {
    name: 'os',
    namespace: 'fleet-default',
    repo: 'https://git.example/team/fleet',
    branch: 'main',
    paths: ['os/production'],
    clusters: {},
  };

  test('fits Fleet’s schema', () => {
    const validate = gitRepoSchema();
    expect(validate(makeGitRepo(repo))).toEqual([]);
    expect(validate(makeGitRepo({ ...repo, secret: 's', clusters: parseSelectors(['ring=canary']) }))).toEqual([]);
    expect(validate({ ...makeGitRepo(repo), spec: { url: 'x' } })).not.toEqual([]);
  });

  test('goes to all registered clusters, and needs no target for its own', () => {
    expect(makeGitRepo(repo).spec.targets).toEqual([{ clusterSelector: {} }]);
    expect(makeGitRepo({ ...repo, namespace: 'fleet-local' }).spec.targets).toBeUndefined();
  });

  test.each([
    [{ repo: '/srv/git' }, /no address of a git repository/],
    [{ repo: 'https://me:secret@git.example/x' }, /holds a name, a password or a token/],
    [{ repo: 'https://token@git.example/x' }, /holds a name, a password or a token/],
    [{ paths: ['../x'] }, /no directory of the repository/],
    [{ name: 'A' }, /can't be the name/],
  ])('%j is refused', (changes, message) => {
    expect(() => makeGitRepo({ ...repo, ...changes })).toThrow(message);
  });
});
