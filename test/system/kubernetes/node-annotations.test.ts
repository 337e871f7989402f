// A node's annotations are written over real TLS: with the service account of a pod, with a client certificate from the
// kubeconfig that k3s leaves, and not at all to somebody else.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bunProgram } from '../../../lab/executable.ts';
import { type ApiServer, startApiServer } from '../../../lab/kubernetes/api-server.ts';
import { annotateNode, type NodeNote } from '../../../src/kubernetes/node-annotations.ts';
import { runChecked } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';

const note: NodeNote = {
  outcome: 'refused',
  version: 'v3',
  plan: 'os',
  reason: 'v3 did not prove itself',
  time: '2026-11-22T02:00:00Z',
};
const written = {
  'upgrade.holdfast.io/outcome': 'refused',
  'upgrade.holdfast.io/version': 'v3',
  'upgrade.holdfast.io/plan': 'os',
  'upgrade.holdfast.io/reason': 'v3 did not prove itself',
  'upgrade.holdfast.io/time': '2026-11-22T02:00:00Z',
};
const base64 = (text: string) => Buffer.from(text).toString('base64');

let directory: string;
let api: ApiServer;
let other: ApiServer;
let node: string;
let pod: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-annotations-'));
  api = await startApiServer(join(directory, 'api'), { node: 'node-1' });
  other = await startApiServer(join(directory, 'other'), { node: 'node-1' });
});
afterAll(async () => {
  await api.close();
  await other.close();
  rmSync(directory, { recursive: true });
});
beforeEach(() => {
  node = mkdtempSync(join(directory, 'node-'));
  pod = mkdtempSync(join(directory, 'pod-'));
  api.requests.length = 0;
  api.refuseWith(undefined);
  for (const name of Object.keys(api.annotations)) delete api.annotations[name];
});

function put(tree: string, path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text, { mode: 0o600 });
}
/** As the kubelet mounts it, with /var/run as the link that it is in every image. */
function serviceAccount(authority: string, token: string): void {
  mkdirSync(join(pod, 'var'));
  symlinkSync('/run', join(pod, 'var/run'));
  put(pod, 'run/secrets/kubernetes.io/serviceaccount/ca.crt', authority);
  put(pod, 'run/secrets/kubernetes.io/serviceaccount/token', `${token}\n`);
}
/** JSON is YAML. */
const kubeconfig = (authority: string, user: object, port = api.port) =>
  JSON.stringify({
    clusters: [
      { name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': base64(authority) } },
    ],
    contexts: [{ name: 'd', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'd',
    users: [{ name: 'u', user }],
  });
const clientCertificate = () => ({
  'client-certificate-data': base64(api.clientCertificate),
  'client-key-data': base64(api.clientKey),
});
const annotate = (more: { kubeconfig?: string; nodeName?: string } = {}) =>
  annotateNode(note, {
    nodeName: 'node-1',
    environment: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(api.port) },
    root: new Root(node),
    podRoot: new Root(pod),
    ...more,
  });

describe('the annotations of a node', () => {
  test('are written with the pod’s service account, by a merge patch', async () => {
    serviceAccount(api.authority, api.token);
    api.annotations['other'] = 'stays';
    expect(await annotate()).toEqual([]);
    expect(api.annotations).toEqual({ ...written, other: 'stays' });
    expect(api.requests).toEqual([
      expect.objectContaining({ method: 'PATCH', path: '/api/v1/nodes/node-1', by: 'token', status: 200 }),
    ]);
  });

  test('are written with the client certificate of the node’s kubeconfig where the pod has no account', async () => {
    put(node, 'etc/rancher/k3s/k3s.yaml', kubeconfig(api.authority, clientCertificate()));
    expect(await annotate()).toEqual([]);
    expect(api.annotations).toEqual(written);
    expect(api.requests.map(({ by }) => by)).toEqual(['cert:system:node:node-1']);
  });

  test('are written with the kubeconfig where the pod’s account may not', async () => {
    serviceAccount(api.authority, 'not-the-token');
    put(node, 'var/lib/rancher/k3s/agent/kubelet.kubeconfig', kubeconfig(api.authority, clientCertificate()));
    expect(await annotate()).toEqual([]);
    expect(api.requests.map(({ by, status }) => [by, status])).toEqual([
      ['nobody', 401],
      ['cert:system:node:node-1', 200],
    ]);
  });

  test('go to nobody whom another authority vouches for, and take no token there', async () => {
    serviceAccount(other.authority, api.token);
    put(node, 'etc/rancher/k3s/k3s.yaml', kubeconfig(api.authority, clientCertificate(), other.port));
    const problems = await annotate();
    expect(problems).toHaveLength(2);
    expect(problems.join('\n')).toMatch(/certificate|authority|signature/i);
    expect([...api.requests, ...other.requests]).toEqual([]);
  });

  test('may be refused, which is told without what is secret', async () => {
    serviceAccount(api.authority, api.token);
    api.refuseWith(403);
    const problems = await annotate();
    expect(problems).toEqual([expect.stringContaining('it needs the verb patch on nodes')]);
    expect(problems.join()).not.toContain(api.token);
  });

  test('are written with the kubeconfig that is named, and no other', async () => {
    serviceAccount(api.authority, api.token);
    expect(await annotate({ kubeconfig: '/etc/mine.yaml' })).toEqual([expect.stringContaining('/etc/mine.yaml')]);
    put(node, 'etc/mine.yaml', kubeconfig(api.authority, { token: api.token }));
    expect(await annotate({ kubeconfig: '/etc/mine.yaml' })).toEqual([]);
    expect(api.annotations).toEqual(written);
  });

  test('are written by the executable’s runtime as well, with either', async () => {
    const module = join(import.meta.dirname, '../../../src/kubernetes/node-annotations.ts');
    const server = `https://127.0.0.1:${api.port}`;
    const { authority, clientCertificate: certificate, clientKey: key, token } = api;
    const ways = [
      { server, authority, certificate, key },
      { server, authority, token },
      { server, authority: other.authority, token },
    ];
    const script = join(directory, 'patch.mjs');
    writeFileSync(
      script,
      `import { patchNode } from ${JSON.stringify(module)};
      for (const way of ${JSON.stringify(ways)}) console.log((await patchNode(way, 'node-1', { a: 'b' })) ?? 'written');`,
    );
    const told = await runChecked([bunProgram(), script], { timeoutMs: 60_000 });
    expect(told).toMatch(/^written\nwritten\n.*not trusted/);
    expect(api.requests.map(({ by, status }) => [by, status])).toEqual([
      ['cert:system:node:node-1', 200],
      ['token', 200],
    ]);
  });

  test('need an account or a kubeconfig', async () => {
    expect(await annotate()).toEqual(['there is no service account in this pod and no kubeconfig on this node']);
  });

  test('of a node that is not there are a sentence', async () => {
    serviceAccount(api.authority, api.token);
    expect(await annotate({ nodeName: '../pods' })).toEqual([expect.stringContaining('knows no node of this name')]);
  });
});
