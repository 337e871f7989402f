// What flags and settings make of each other where both speak of trust.

import { describe, expect, test } from 'vitest';
import { loadPolicy, notaryFiles, type TrustFlags, trustWishes } from '../../../src/cli/trust-option.ts';
import { loadSettings } from '../../../src/lifecycle/settings.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

const settings = (yaml: string) =>
  loadSettings({ root: temporaryRoot({ '/etc/elemental/config.yaml': yaml }), environment: {} });

describe('the wishes', () => {
  test.each<[string, TrustFlags, string, object]>([
    ['nobody', {}, '', { cosign: false, cosignKeys: [], unverifiedBy: undefined }],
    ['--cosign-key', { cosignKey: ['a', 'b'] }, '', { cosign: true, cosignKeys: ['a', 'b'] }],
    ['a setting', {}, 'cosign: true\ncosign-key: /os.pub\n', { cosign: true, cosignKeys: ['/os.pub'] }],
    ['a key in the settings alone: nobody', {}, 'cosign-key: /os.pub\n', { cosign: false, cosignKeys: [] }],
    ['--cosign with that key', { cosign: true }, 'cosign-key: /os.pub\n', { cosign: true, cosignKeys: ['/os.pub'] }],
    ['a flag before the setting', { cosignKey: ['a'] }, 'cosign: true\ncosign-key: /os.pub\n', { cosignKeys: ['a'] }],
    ['an identity', {}, 'cosign-identity: s\ncosign-issuer: i\n', { cosignIdentity: 's', cosignIssuer: 'i' }],
    ['--no-verify', { verify: false }, '', { unverifiedBy: '--no-verify' }],
    ['a server', {}, 'trust-server: https://n\n', { variables: { DOCKER_CONTENT_TRUST_SERVER: 'https://n' } }],
    ['COSIGN_… as a key', {}, 'COSIGN_REPOSITORY: r/s\n', { variables: { COSIGN_REPOSITORY: 'r/s' } }],
  ])('of %s', async (_name, flags, yaml, wanted) => {
    expect(trustWishes(flags, await settings(yaml))).toMatchObject(wanted);
  });

  test('the setting that switches Notary off is named with its place', async () => {
    const { unverifiedBy } = trustWishes({}, await settings('no-verify: true\n'));
    expect(unverifiedBy).toMatch(/^no-verify \(.*config\.yaml:1\)$/);
  });
});

test.each<[TrustFlags, NodeJS.ProcessEnv, object]>([
  [{}, { HOME: '/home/me' }, { tlsDirectory: '/home/me/.docker/tls' }],
  [{}, {}, { tlsDirectory: '/root/.docker/tls' }],
  [{ trustCa: '/ca.pem' }, { DOCKER_CONFIG: '/etc/docker' }, { tlsDirectory: '/etc/docker/tls', caFile: '/ca.pem' }],
])('certificates with %j and %j', (flags, environment, wanted) => {
  expect(notaryFiles(flags, undefined, environment)).toEqual(wanted);
});

test('a policy that was named must be there', async () => {
  await expect(loadPolicy({ policy: '/nowhere/policy.yaml' })).rejects.toMatchObject({ code: 'HF-NO-SOURCE' });
});
