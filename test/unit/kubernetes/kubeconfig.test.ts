import { dump } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { parseKubeconfig, podAccess } from '../../../src/kubernetes/kubeconfig.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const cluster = { server: 'https://127.0.0.1:6443/', 'certificate-authority-data': base64('AUTHORITY') };
const user = { 'client-certificate-data': base64('CERTIFICATE'), 'client-key-data': base64('SECRET-KEY') };
const config = (parts: { cluster?: object; user?: object; more?: object } = {}) =>
  dump({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'other', cluster: {} },
      { name: 'default', cluster: parts.cluster ?? cluster },
    ],
    contexts: [{ name: 'default', context: { cluster: 'default', user: 'admin' } }],
    'current-context': 'default',
    users: [{ name: 'admin', user: parts.user ?? user }],
    ...parts.more,
  });
const none = (path: string): string => {
  throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
};

describe('a kubeconfig', () => {
  test('gives the server, its authority and a client certificate, as k3s writes it', () => {
    expect(parseKubeconfig(config(), '/etc/rancher/k3s', none)).toEqual({
      server: 'https://127.0.0.1:6443',
      authority: 'AUTHORITY',
      certificate: 'CERTIFICATE',
      key: 'SECRET-KEY',
      token: undefined,
    });
  });

  test('may name files, beside itself too, as the kubelet’s does', () => {
    const read: string[] = [];
    const access = parseKubeconfig(
      config({
        cluster: { server: 'https://api:6443', 'certificate-authority': 'server-ca.crt' },
        user: { 'client-certificate': '/var/kubelet.crt', 'client-key': 'keys/kubelet.key' },
      }),
      '/var/agent',
      (path) => {
        read.push(path);
        return path;
      },
    );
    expect(read).toEqual(['/var/agent/server-ca.crt', '/var/kubelet.crt', '/var/agent/keys/kubelet.key']);
    expect(access.key).toBe('/var/agent/keys/kubelet.key');
  });

  test('may have a token, or a file with one', () => {
    expect(parseKubeconfig(config({ user: { token: 'word' } }), '/', none).token).toBe('word');
    expect(parseKubeconfig(config({ user: { tokenFile: '/t' } }), '/', () => 'word\n').token).toBe('word');
  });

  test.each([
    ['a connection that is not verified', config({ cluster: { ...cluster, 'insecure-skip-tls-verify': true } })],
    ['no https address', config({ cluster: { ...cluster, server: 'http://127.0.0.1:6443' } })],
    ['no https address', config({ cluster: { ...cluster, server: 'https://user@host' } })],
    ['names no authority', config({ cluster: { server: 'https://api' } })],
    ['neither a client certificate nor a token', config({ user: { exec: { command: 'aws' } } })],
    ['neither a client certificate nor a token', config({ user: { 'client-certificate-data': 'eA==' } })],
    ['has no user "admin"', config({ more: { users: [] } })],
    ['its context', config({ more: { 'current-context': 'gone' } })],
    ['is not as it should be', config({ more: { clusters: 'x' } })],
    ['is not as it should be', 'null'],
    ['is no YAML', 'clusters: [\nkey: SECRET-KEY'],
    ['is no YAML', 'a: &a [x]\nb: [*a, *a]'],
  ])('is not used when it asks for or has %s', (message, text) => {
    expect(() => parseKubeconfig(text, '/', none)).toThrow(message);
    expect(() => parseKubeconfig(text, '/', none)).not.toThrow('SECRET-KEY');
  });
});

describe('the service account of a pod', () => {
  const files: Record<string, string> = {
    '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt': 'AUTHORITY',
    '/var/run/secrets/kubernetes.io/serviceaccount/token': 'word\n',
  };
  const read = (path: string) => files[path] ?? none(path);

  test.each([
    ['10.43.0.1', 'https://10.43.0.1:6443'],
    ['fd00::1', 'https://[fd00::1]:6443'],
  ])('reaches %s', (host, server) => {
    const environment = { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: '6443' };
    expect(podAccess(environment, read)).toEqual({ server, authority: 'AUTHORITY', token: 'word' });
  });

  test('is not there where nobody mounted it, or no cluster is', () => {
    expect(podAccess({ KUBERNETES_SERVICE_HOST: '10.43.0.1' }, none)).toBeUndefined();
    expect(podAccess({}, read)).toBeUndefined();
    expect(podAccess({ KUBERNETES_SERVICE_HOST: 'x', KUBERNETES_SERVICE_PORT: '1/..' }, read)).toBeUndefined();
  });
});
